"""A file by its address, with a checksum that a person gives or that lies beside it."""

import asyncio

import pytest
from aiohttp import web

from modelshelf.access import Principal, Role, acting_as
from modelshelf.catalog.sources.web import WebSource
from modelshelf.config import SourceConfig
from modelshelf.downloads import JobStatus
from modelshelf.errors import (
    FileNotInRepository,
    RepositoryNotFound,
    RoleRequired,
    Unreachable,
    UnsafeAddress,
    UsageError,
)
from modelshelf.vault import Secret
from tests.core.sources.conftest import Place
from tests.core.sources.simulators import gguf, sha256

WEIGHTS = gguf()
SUM = sha256(WEIGHTS)


@pytest.fixture
def file(host: Place) -> str:
    host.site.files["/models/Tiny-Q4_K_M.gguf"] = WEIGHTS
    return f"{host.url}/models/Tiny-Q4_K_M.gguf"


async def test_a_file_lands_in_a_repository_of_its_own(host: Place, file: str) -> None:
    job = await host.fetch(file, sha256=f"sha256:{SUM.upper()}")
    assert job.status is JobStatus.DONE, job.error
    assert host.landed(job) == {"Tiny-Q4_K_M.gguf": SUM}
    assert job.repo == f"127.0.0.1-{host.url.rpartition(':')[2]}/Tiny-Q4_K_M"
    assert job.source == "web"
    model = await host.shelf.library.get(job.repo)
    assert (model.complete, model.verdict, model.quantisation, model.refs) == (True, "pass", "Q4_K_M", ("main",))
    # By its name it is found again, and nothing is fetched twice.
    seen = len(host.site.seen)
    assert (await host.fetch(f"web:{job.repo}")).status is JobStatus.DONE
    assert len(host.site.seen) == seen


async def test_without_a_checksum_nothing_is_asked(host: Place, file: str) -> None:
    with pytest.raises(UsageError, match="no checksum") as caught:
        await host.shelf.catalog.named(file)
    assert "--sha256-beside" in caught.value.remedy
    assert not host.site.seen
    for wrong in ("abc", "g" * 64, SUM + "0"):
        with pytest.raises(UsageError, match="no SHA-256"):
            await host.shelf.catalog.named(file, sha256=wrong)


async def test_the_checksum_may_lie_beside_the_file(host: Place, file: str) -> None:
    for said in (
        SUM,
        f"{SUM.upper()}\n",
        f"{SUM}  Tiny-Q4_K_M.gguf\n",
        f"{'0' * 64}  other.gguf\n{SUM} *./out/Tiny-Q4_K_M.gguf\n",
        f"SHA256 (Tiny-Q4_K_M.gguf) = {SUM}",
    ):
        host.site.files["/models/Tiny-Q4_K_M.gguf.sha256"] = said.encode()
        detail = await host.shelf.catalog.detail(await host.shelf.catalog.named(file, beside=True))
        assert detail.files[0].sha256 == SUM
    assert host.landed(await host.fetch(file, beside=True)) == {"Tiny-Q4_K_M.gguf": SUM}


async def test_what_is_no_checksum_is_one_sentence(host: Place, file: str) -> None:
    for said in ("", "<html>no</html>", f"{SUM}  other.gguf", "\udcff", "x" * 2_000_000, f"{SUM} {SUM}"):
        host.site.files["/models/Tiny-Q4_K_M.gguf.sha256"] = said.encode("utf-8", "surrogateescape")
        with pytest.raises(Unreachable, match=r"\.sha256") as caught:
            await host.shelf.catalog.named(file, beside=True)
        assert "--sha256" in caught.value.remedy


async def test_no_checksum_beside(host: Place, file: str) -> None:
    with pytest.raises(FileNotInRepository, match=r"\.sha256"):
        await host.shelf.catalog.named(file, beside=True)


BAD_ADDRESSES = (
    ("http://example.org/a.gguf", UnsafeAddress),
    ("https://user:secret@example.org/a.gguf", UnsafeAddress),
    ("https:///a.gguf", UnsafeAddress),
    ("https://example.org/", UsageError),
    ("https://example.org/model", UsageError),
    ("https://example.org/%2e%2e%2fevil.gguf", UsageError),
    ("https://example.org/a%5Cb.gguf", UsageError),
    ("https://example.org/" + "a" * 5000 + ".gguf", UsageError),
    ("https://[::1/a.gguf", UsageError),
    ("ftp://example.org/a.gguf", UsageError),
    ("file:///etc/passwd", UsageError),
)


async def test_addresses_that_are_not_fetched(host: Place) -> None:
    for address, kind in BAD_ADDRESSES:
        with pytest.raises(kind) as caught:
            await host.shelf.catalog.named(address, sha256=SUM)
        assert "secret" not in str(caught.value)
    assert not host.site.seen


async def test_only_who_owns_the_server_lets_it_ask_addresses(host: Place, file: str) -> None:
    with acting_as(Principal("mia", Role.OPERATOR)), pytest.raises(RoleRequired):
        await host.shelf.catalog.named(file, sha256=SUM)
    assert not host.site.seen


async def test_a_host_that_does_not_say_how_long_a_file_is(host: Place, file: str) -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(WEIGHTS)
        return response

    host.site.instead["Tiny"] = endless
    with pytest.raises(Unreachable, match="how long"):
        await host.shelf.catalog.named(file, sha256=SUM)
    host.site.instead["Tiny"] = lambda _: web.Response(body=WEIGHTS)  # ranges are ignored, the length is told
    job = await host.fetch(file, sha256=SUM)
    assert host.landed(job) == {"Tiny-Q4_K_M.gguf": SUM}


async def test_other_bytes_than_vouched_for_land_nowhere(host: Place, file: str) -> None:
    job = await host.fetch(file, sha256="0" * 64)
    assert (job.status, host.nothing_landed()) == (JobStatus.FAILED, True)
    assert "other bytes" in job.error
    # What the host says of the length now and later may differ, too.
    await host.shelf.catalog.named(file, sha256=SUM)
    host.site.files["/models/Tiny-Q4_K_M.gguf"] = WEIGHTS + b"more"
    job = await host.fetch(f"web:{job.repo}")
    assert (job.status, host.nothing_landed()) == (JobStatus.FAILED, True)


async def test_redirects_keep_to_the_policy(host: Place, file: str) -> None:
    for target, word in (("http://example.org/x", "https"), ("https://10.0.0.1/x", "public address")):
        host.site.instead["Tiny"] = lambda _, to=target: web.Response(status=302, headers={"Location": to})
        with pytest.raises(UnsafeAddress, match=word):
            await host.shelf.catalog.named(file, sha256=SUM)


async def test_two_files_of_one_name_are_two_commits(host: Place, file: str) -> None:
    other = gguf("another")
    host.site.files["/newer/Tiny-Q4_K_M.gguf"] = other
    first = await host.fetch(file, sha256=SUM)
    second = await host.fetch(f"{host.url}/newer/Tiny-Q4_K_M.gguf", sha256=sha256(other))
    assert first.repo == second.repo
    assert first.commit != second.commit
    again = await host.shelf.catalog.detail(f"web:{first.repo}@{first.commit}")
    assert again.files[0].sha256 == SUM
    assert (await host.shelf.catalog.detail(f"web:{first.repo}")).commit == second.commit


async def test_a_token_goes_to_the_host_it_was_given_for(host: Place, file: str) -> None:
    host.config.set("sources", [{"name": "lab", "kind": "web", "url": host.url, "token_env": "LAB"}])
    host.config.environ["LAB"] = "lab-secret"
    assert (await host.fetch(file, sha256=SUM)).source == "lab"
    assert {token for _, _, token in host.site.seen} == {"lab-secret"}
    with pytest.raises(UsageError, match="no address"):
        await host.shelf.sources.save_token("web", Secret("x"))


async def test_damage_to_the_list_of_addresses_forgets_them(host: Place, file: str) -> None:
    name = await host.shelf.catalog.named(file, sha256=SUM)
    kept = host.config.home / "addresses.json"
    assert kept.stat().st_mode & 0o077 == 0
    for text in ("", "{", "[1, {}]", '[{"repo": "../x/y", "path": "/etc/x", "url": "http://x", "size": -1}]'):
        kept.write_text(text)
        with pytest.raises(RepositoryNotFound, match="Nobody has named"):
            await host.shelf.catalog.source("web").detail(name.repo)


async def test_many_processes_name_addresses_at_once(host: Place) -> None:
    for number in range(12):
        host.site.files[f"/m{number}.gguf"] = WEIGHTS
    sources = [WebSource(SourceConfig(name="web", kind="web"), host.config) for _ in range(12)]
    names = await asyncio.gather(
        *(source.take(f"{host.url}/m{number}.gguf", sha256=SUM) for number, source in enumerate(sources))
    )
    for name in names:
        assert name is not None
        assert (await host.shelf.catalog.detail(name)).files
    for source in sources:
        await source.aclose()
