import hashlib
import ssl
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelshelf.samples import READER_TOKEN, STRANGER_TOKEN, SampleHub
from modelshelf.samples.repository import hub_file

Web = Callable[[SampleHub], Awaitable[aiohttp.ClientSession]]
BYTES = bytes(range(256)) * 400


async def test_large_files_are_redirected_with_the_headers_of_the_hub(bare: SampleHub, web: Web) -> None:
    repo = await bare.add("me/model", {"a.gguf": BYTES})
    session = await web(bare)
    async with session.head(f"{bare.url}/me/model/resolve/main/a.gguf") as answer:
        assert answer.status == 302
        assert answer.headers["X-Repo-Commit"] == repo.head.id
        assert answer.headers["X-Linked-Size"] == str(len(BYTES))
        assert answer.headers["X-Linked-Etag"] == f'"{hashlib.sha256(BYTES).hexdigest()}"'
        assert answer.headers["Location"].startswith(f"{bare.cdn_url}/content/")
        where = answer.headers["Location"]
    async with session.get(where) as answer:
        assert await answer.read() == BYTES
        assert answer.headers["ETag"] == f'"{hashlib.sha256(BYTES).hexdigest()}"'
    assert [(entry.place, entry.method, entry.status, entry.sent) for entry in bare.requests] == [
        ("resolve", "HEAD", 302, 0),
        ("cdn", "GET", 200, len(BYTES)),
    ]


async def test_small_files_have_the_git_id_as_their_tag(bare: SampleHub, web: Web) -> None:
    await bare.add("me/model", {"notes.txt": b"hello\n"})
    session = await web(bare)
    async with session.get(f"{bare.url}/me/model/resolve/main/notes.txt") as answer:
        assert await answer.read() == b"hello\n"
        assert answer.headers["ETag"] == '"ce013625030ba8dba906f756967f9e9ca394464a"'  # git hash-object


@pytest.mark.parametrize(
    ("asked", "status", "said", "sent"),
    [
        ("bytes=0-0", 206, "bytes 0-0/102400", BYTES[:1]),
        ("bytes=100-199", 206, "bytes 100-199/102400", BYTES[100:200]),
        ("bytes=102000-", 206, "bytes 102000-102399/102400", BYTES[102000:]),
        ("bytes=-400", 206, "bytes 102000-102399/102400", BYTES[-400:]),
        ("bytes=102300-999999", 206, "bytes 102300-102399/102400", BYTES[102300:]),
        ("bytes=102400-", 416, "bytes */102400", b""),
        ("bytes=5-4", 416, "bytes */102400", b""),
        ("lines=1-2", 200, None, BYTES),
    ],
)
async def test_ranges(bare: SampleHub, web: Web, asked: str, status: int, said: str | None, sent: bytes) -> None:
    await bare.add("me/model", {"a.gguf": BYTES})
    session = await web(bare)
    async with session.get(f"{bare.url}/me/model/resolve/main/a.gguf", headers={"Range": asked}) as answer:
        assert answer.status == status
        assert answer.headers.get("Content-Range") == said
        assert await answer.read() == sent


async def test_a_range_of_another_version_is_the_whole_file(bare: SampleHub, web: Web) -> None:
    await bare.add("me/model", {"a.gguf": BYTES})
    session = await web(bare)
    tag = hashlib.sha256(BYTES).hexdigest()
    for condition, status in ((f'"{tag}"', 206), ('"other"', 200)):
        headers = {"Range": "bytes=0-9", "If-Range": condition}
        async with session.get(f"{bare.url}/me/model/resolve/main/a.gguf", headers=headers) as answer:
            assert answer.status == status


async def test_the_content_server_wants_its_signature_and_nothing_else(bare: SampleHub, web: Web) -> None:
    await bare.add("me/model", {"a.gguf": BYTES})
    session = await web(bare)
    async with session.head(f"{bare.url}/me/model/resolve/main/a.gguf") as answer:
        where = answer.headers["Location"]
    async with session.get(where, headers={"Authorization": f"Bearer {READER_TOKEN}"}) as answer:
        assert answer.status == 400
    async with session.get(where[:-4] + "beef") as answer:
        assert answer.status == 403


@pytest.mark.parametrize(
    ("token", "status", "code"),
    [("", 401, "GatedRepo"), (STRANGER_TOKEN, 403, "GatedRepo"), ("wrong", 401, None), (READER_TOKEN, 302, None)],
)
async def test_a_gate(bare: SampleHub, web: Web, token: str, status: int, code: str | None) -> None:
    await bare.add("me/gated", {"a.gguf": BYTES}, gated="manual")
    session = await web(bare)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with session.head(f"{bare.url}/me/gated/resolve/main/a.gguf", headers=headers) as answer:
        assert answer.status == status
        assert answer.headers.get("X-Error-Code") == code


async def test_a_private_repository_is_hidden(bare: SampleHub, web: Web) -> None:
    await bare.add("me/private", {"a.gguf": BYTES}, private=True)
    session = await web(bare)
    for token, status in (("", 401), (STRANGER_TOKEN, 404), (READER_TOKEN, 200)):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with session.get(f"{bare.url}/api/models/me/private", headers=headers) as answer:
            assert answer.status == status
    async with session.get(f"{bare.url}/api/models?search=private") as answer:
        assert await answer.json() == []


async def test_a_new_commit_leaves_the_old_one_to_be_had(bare: SampleHub, web: Web) -> None:
    first = await bare.add("me/model", {"a.gguf": b"one"}, tags=("kept",))
    second = await bare.add("me/model", {"a.gguf": b"two", "b.txt": b"new"})
    assert first.head.id != second.head.id
    assert second.tags == ("kept",)
    session = await web(bare)
    for revision, content in (("main", b"two"), (first.head.id, b"one"), (first.head.id[:8], b"one")):
        async with session.get(f"{bare.url}/me/model/resolve/{revision}/a.gguf") as answer:
            assert await answer.read() == content
    bare.remove("me/model")
    async with session.get(f"{bare.url}/api/models/me/model") as answer:
        assert answer.status == 401


async def test_a_large_file_is_served_from_where_it_lies(bare: SampleHub, web: Web, tmp_path: Path) -> None:
    path = tmp_path / "large.gguf"
    path.write_bytes(BYTES * 200)
    repo = await bare.add("me/model", {"large.gguf": path})
    session = await web(bare)
    async with session.get(f"{bare.url}/me/model/resolve/main/large.gguf") as answer:
        digest = hashlib.sha256(await answer.read()).hexdigest()
    assert digest == repo.head.files["large.gguf"].sha256


async def test_nobody_else_trusts_the_hub(bare: SampleHub) -> None:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=ssl.create_default_context())) as session:
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await session.get(f"{bare.url}/api/models")


async def test_keys_are_private_and_last(tmp_path: Path) -> None:
    seen = []
    for _ in range(2):
        hub = SampleHub(tmp_path, samples=False)
        await hub.start()
        seen.append(hub.ca_file.read_bytes())
        await hub.stop()
    assert seen[0] == seen[1]
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "tls").iterdir()} == {0o600}
    assert len(list((tmp_path / "tls").iterdir())) == 3  # the authority's own key is not kept


async def test_damaged_certificates_are_made_anew(tmp_path: Path, web: Web) -> None:
    for damage in (b"nonsense", b""):
        hub = SampleHub(tmp_path, samples=False)
        await hub.start()
        await hub.stop()
        (tmp_path / "tls" / "server.pem").write_bytes(damage)
    await hub.start()
    session = await web(hub)
    async with session.get(f"{hub.url}/api/models") as answer:
        assert answer.status == 200
    await hub.stop()


async def test_a_hub_comes_back_on_its_port(tmp_path: Path, web: Web) -> None:
    hub = SampleHub(tmp_path, samples=False)
    await hub.start()
    port = int(hub.url.rpartition(":")[2])
    await hub.stop()
    again = SampleHub(tmp_path, samples=False, port=port)
    await again.start()
    session = await web(again)
    async with session.get(f"https://127.0.0.1:{port}/api/models") as answer:
        assert answer.status == 200
    await again.stop()


async def test_a_port_that_is_taken_leaves_nothing_open(bare: SampleHub, tmp_path: Path) -> None:
    other = SampleHub(tmp_path / "other", port=int(bare.url.rpartition(":")[2]), samples=False)
    with pytest.raises(OSError, match="address already in use"):
        await other.start()
    await other.stop()


async def test_two_hubs_share_a_folder(tmp_path: Path, web: Web) -> None:
    one, other = SampleHub(tmp_path), SampleHub(tmp_path)
    await one.start()
    await other.start()
    try:
        assert one.ca_file.read_bytes() == other.ca_file.read_bytes()
        assert {r.id: r.head.id for r in one.repos.values()} == {r.id: r.head.id for r in other.repos.values()}
        assert one.url != other.url
    finally:
        await one.stop()
        await other.stop()


@given(st.binary(max_size=300), st.sampled_from(["x.txt", "x.gguf"]))
def test_hashes_do_not_depend_on_where_the_bytes_are(content: bytes, name: str) -> None:
    held = hub_file(name, content)
    assert held.sha256 == hashlib.sha256(content).hexdigest()
    assert held.lfs == name.endswith(".gguf")
    plain = held.pointer if held.lfs else content
    assert held.oid == hashlib.sha1(b"blob %d\0" % len(plain) + plain).hexdigest()
