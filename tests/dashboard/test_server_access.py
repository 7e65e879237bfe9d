"""Who gets in, and who does not."""

import json
from collections.abc import Callable

import aiohttp
import pytest

from modelshelf.access import Role
from modelshelf.config import ConfigManager
from tests.conftest import LoopRunner
from tests.dashboard.serving import Browser, Served, SmallShelf, served

FOREIGN = "http://evil.example"


@pytest.fixture
def site(loop: LoopRunner, config: ConfigManager) -> Served:
    return loop.enter(served(SmallShelf(config)))


async def test_an_anonymous_visitor_is_led_to_the_way_in(site: Served) -> None:
    anyone = site.browser()
    page = await anyone.get("/?tab=llm-settings")
    assert page.status == 302
    assert page.headers["location"] == "/login?tab=llm-settings"
    way_in = await anyone.get("/login")
    assert way_in.status == 200
    assert "Open the link" in way_in.text
    assert "http:" not in way_in.text.replace("http-equiv", "")
    assert (await anyone.get("/login/page.js")).headers["Content-Type"].startswith("text/javascript")


@pytest.mark.parametrize("path", ["/api/me", "/api/events", "/api/openapi.json", "/api/nothing", "/api", "/v1/models"])
async def test_rest_and_events_are_closed_to_strangers(site: Served, path: str) -> None:
    seen = await site.browser().get(path)
    assert seen.status == 401
    assert seen.headers["Content-Type"] == "application/problem+json"
    problem = seen.json()
    assert problem["code"] == "NotSignedIn"
    assert problem["remedy"]


async def test_health_tells_a_stranger_nothing_but_health(site: Served) -> None:
    assert (await site.browser().get("/api/health")).json() == {"status": "ok"}
    assert (await site.browser().get("/api/ready")).json() == {"status": "ready"}


async def test_the_owners_link_is_used_once(site: Served) -> None:
    secret = site.link.partition("#")[2]
    assert site.link == f"{site.url}/login#{secret}"
    first = site.browser()
    seen = await first.sign_in(secret)
    assert seen.status == 204
    cookie = seen.headers["Set-Cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert (await first.get("/api/me")).json() == {"name": "owner", "role": "admin"}
    assert "seen by owner" in await shown(first)
    again = await site.browser().sign_in(secret)
    assert again.status == 403
    assert again.json()["code"] == "LinkNotAccepted"
    assert "Set-Cookie" not in again.headers


async def test_reload_works_and_the_page_never_holds_the_cookie(site: Served) -> None:
    owner = await site.owner()
    for _ in range(2):
        page = await owner.get("/")
        assert page.status == 200
        assert owner.cookie not in page.text
        assert owner.cookie not in str(payload_of(page.text))


async def test_signing_in_is_not_possible_by_get_or_form(site: Served) -> None:
    secret = site.link.partition("#")[2]
    assert "Set-Cookie" not in (await site.browser().get(f"/login?token={secret}&secret={secret}")).headers
    async with site.http.post(f"{site.url}/login", data={"secret": secret}) as answer:
        assert answer.status == 422
        assert secret not in await answer.text()
    assert (await site.browser().sign_in(secret)).status == 204


async def test_a_foreign_page_may_change_nothing(site: Served) -> None:
    owner = await site.owner()
    for origin in (FOREIGN, "null", site.url.replace("127.0.0.1", "127.0.0.2")):
        seen = await owner.send("POST", "/logout", origin=origin)
        assert seen.status == 403
        assert seen.json()["code"] == "ForeignOrigin"
    assert (await owner.send("POST", "/logout", sec_fetch_site="same-site")).status == 403
    assert (await owner.get("/api/me")).status == 200
    secret = await site.shelf.access.owner_link()
    assert (await site.browser().send("POST", "/login", json={"secret": secret}, origin=FOREIGN)).status == 403


async def test_a_name_that_was_made_to_point_here_is_refused(site: Served) -> None:
    owner = await site.owner()
    port = site.url.rpartition(":")[2]
    for host in (f"evil.example:{port}", "127.0.0.1", f"127.0.0.1:{int(port) + 1}", ""):
        assert (await owner.get("/api/me", host=host)).status == 400
        assert (await owner.get("/", host=host)).status == 400
    assert (await owner.get("/api/me", host=f"localhost:{port}")).status == 200
    token = await owner.token()
    assert await owner.refused_websocket(token, host=f"evil.example:{port}") == 403


async def test_the_websocket_opens_for_its_own_login_only(site: Served) -> None:
    owner, viewer = await site.owner(), await site.someone("vera", Role.VIEWER)
    token, others = await owner.token(), await viewer.token()
    async with owner.websocket(token) as socket:
        assert "ACK" in (await socket.receive()).data
    assert await site.browser().refused_websocket(token) == 403
    assert await viewer.refused_websocket(token) == 403
    assert await owner.refused_websocket(others) == 403
    assert await owner.refused_websocket(token, origin=FOREIGN) == 403
    assert await owner.refused_websocket(token, origin="null") == 403
    assert await owner.refused_websocket(token[:-4] + "AAAA") == 403
    with pytest.raises(aiohttp.WSServerHandshakeError):
        async with site.http.ws_connect(f"{site.url}/ws", headers=owner.headers, protocols=["bokeh", token]):
            pass


NAMINGS: list[Callable[[str, str], tuple[str, dict[str, str]]]] = [
    lambda token, _: (f"/?bokeh-token={token}", {}),
    lambda _, session: (f"/?bokeh-session-id={session}", {}),
    lambda _, session: (f"/autoload.js?bokeh-autoload-element=a&bokeh-session-id={session}", {}),
    lambda token, _: (f"/autoload.js?bokeh-autoload-element=a&bokeh-token={token}", {}),
    lambda _, session: ("/", {"Bokeh-Session-Id": session}),
    lambda _, session: ("/autoload.js?bokeh-autoload-element=a", {"Bokeh-Session-Id": session}),
]


@pytest.mark.parametrize("naming", NAMINGS)
async def test_nobody_may_name_a_session(
    site: Served, naming: Callable[[str, str], tuple[str, dict[str, str]]]
) -> None:
    owner, viewer = await site.owner(), await site.someone("vera", Role.VIEWER)
    token = await owner.token()
    session = str(payload_of(f'"token":"{token}"')["session_id"])
    path, headers = naming(token, session)
    for browser in (viewer, owner, site.browser()):
        seen = await browser.get(path, **headers)
        assert seen.status == 302
        assert seen.headers["location"] == "/login"
        assert token not in seen.text


async def test_logout_closes_pages_and_streams(site: Served) -> None:
    owner, other = await site.owner(), await site.owner()
    async with (
        owner.websocket(await owner.token()) as socket,
        other.websocket(await other.token()) as others,
        site.http.get(f"{site.url}/api/events", headers=owner.headers) as stream,
    ):
        assert "ACK" in await message(socket)
        assert "ACK" in await message(others)
        assert (await owner.send("POST", "/logout", origin=site.url)).status == 204
        closed = await socket.receive(timeout=5)
        assert (closed.type, closed.data) == (aiohttp.WSMsgType.CLOSE, 1008)
        await stream.content.read()
        assert (await owner.get("/api/me")).status == 401
        assert (await owner.get("/")).status == 302
        assert not others.closed
        assert (await other.get("/api/me")).status == 200


async def test_signing_in_anew_ends_the_login_before(site: Served) -> None:
    browser = await site.owner()
    before = browser.cookie
    secret = await site.shelf.access.owner_link()
    assert (await browser.send("POST", "/login", json={"secret": secret}, origin=site.url)).status == 204
    assert (await Browser(site.url, site.http, before, browser.name).get("/api/me")).status == 401


async def test_a_viewer_sees_but_does_not_read_the_record(site: Served) -> None:
    viewer, owner = await site.someone("vera", Role.VIEWER), await site.owner()
    assert "seen by vera" in await shown(viewer)
    assert (await viewer.get("/api/me")).json() == {"name": "vera", "role": "viewer"}
    refused = await viewer.get("/api/audit")
    assert refused.status == 403
    assert refused.json()["code"] == "RoleRequired"
    await site.browser().sign_in("wrong")
    entries = (await owner.get("/api/audit")).json()
    assert [(entry["principal"], entry["action"], entry["outcome"]) for entry in entries] == [
        ("nobody", "login", "refused"),
        ("owner", "login", "done"),
        ("vera", "login", "done"),
    ]


def payload_of(html: str) -> dict[str, object]:
    """What a page's token says to whoever can read it."""
    import base64
    import zlib

    token = html.split('"token":"')[1].split('"')[0].split(".")[0]
    decoded = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    hidden = decoded.pop("__bk__zlib_", "")
    inner = json.loads(zlib.decompress(base64.urlsafe_b64decode(hidden + "=" * (-len(hidden) % 4)))) if hidden else {}
    return {**decoded, **inner}


async def shown(browser: Browser) -> str:
    """The document that the page's websocket delivers."""
    async with browser.websocket(await browser.token()) as socket:
        assert "ACK" in await message(socket)
        for part in ({"msgid": "1", "msgtype": "PULL-DOC-REQ"}, {}, {}):
            await socket.send_str(json.dumps(part))
        return await message(socket)


async def message(socket: aiohttp.ClientWebSocketResponse) -> str:
    """One message of Bokeh's protocol: head, metadata and content."""
    return " ".join([await socket.receive_str(timeout=5) for _ in range(3)])
