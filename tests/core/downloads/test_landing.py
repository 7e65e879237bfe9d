"""What lands is what huggingface_hub itself would have put there, as a whole or not at all."""

import asyncio
import hashlib
import shutil
from pathlib import Path

import pytest
from huggingface_hub import HfApi, close_session, hf_hub_download, scan_cache_dir
from sqlalchemy import select
from sqlalchemy.orm import Session

from modelshelf.downloads import JobStatus
from modelshelf.downloads.cache import RepoCache
from modelshelf.downloads.landing import Arrival, land
from modelshelf.errors import DownloadError
from modelshelf.store.tables import FileRow
from modelshelf.vetting import Verdict
from tests.core.downloads.conftest import World, noise

WEIGHTS = noise(3_000_000, 7)
FILES = {
    "config.json": b'{"model_type": "llama"}',
    "model.safetensors": WEIGHTS,
    "tokenizer.json": b"{}",
    "tokenizer_config.json": b"{}",
    "README.md": b"# A model",
    "original/consolidated.00.pth": b"pickle",
}
FETCHED = ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]


async def test_the_cache_is_as_huggingface_hub_wants_it(world: World) -> None:
    repo = await world.hub.add("org/model", FILES)
    job = await world.fetch("org/model")
    assert job.status is JobStatus.DONE, job.error
    assert list(job.files) == FETCHED

    cache = await asyncio.to_thread(scan_cache_dir, world.cache)
    assert not cache.warnings
    (found,) = cache.repos
    (revision,) = found.revisions
    assert (found.repo_id, revision.commit_hash, revision.refs) == ("org/model", repo.head.id, frozenset({"main"}))
    assert sorted(file.file_name for file in revision.files) == FETCHED
    for name in FETCHED:
        path = await asyncio.to_thread(hf_hub_download, "org/model", name, cache_dir=world.cache, local_files_only=True)
        assert Path(path).read_bytes() == FILES[name]
        assert Path(path).is_symlink()
        assert not Path(path).readlink().is_absolute()
    assert (world.cache / ".locks/models--org--model").is_dir()
    assert not [path for path in world.parts.rglob("*") if path.is_file() and path.suffix != ".lock"]


async def test_the_hubs_own_check_finds_nothing_wrong(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.hub.add("org/model", FILES)
    job = await world.fetch("org/model")
    monkeypatch.setenv("SSL_CERT_FILE", str(world.hub.ca_file))
    api = HfApi(endpoint=world.hub.url)
    result = await asyncio.to_thread(api.verify_repo_checksums, "org/model", revision=job.commit, cache_dir=world.cache)
    close_session()
    assert result.checked_count == len(FETCHED)
    assert result.mismatches == []


async def test_the_sha256_of_every_file_is_recorded(world: World) -> None:
    await world.hub.add("org/model", FILES)
    await world.fetch("org/model")

    def rows(session: Session) -> dict[str, str]:
        return {row.path: row.sha256 for row in session.scalars(select(FileRow))}

    assert await world.store.read(rows) == {name: hashlib.sha256(FILES[name]).hexdigest() for name in FETCHED}


async def test_a_second_revision_fetches_only_what_is_new(world: World) -> None:
    await world.hub.add("org/model", FILES)
    first = await world.fetch("org/model")
    await world.hub.add("org/model", {**FILES, "config.json": b'{"model_type": "qwen2"}'})
    world.hub.requests.clear()
    second = await world.fetch("org/model", revision="main")
    assert second.status is JobStatus.DONE
    assert first.commit != second.commit
    assert world.sent() == 0  # the large file is there already
    blobs = {path.resolve() for path in world.cache.glob("models--org--model/snapshots/*/model.safetensors")}
    assert len(blobs) == 1
    assert (world.cache / "models--org--model/refs/main").read_text() == second.commit
    assert (world.cache / f"models--org--model/snapshots/{first.commit}/config.json").read_bytes() == FILES[
        "config.json"
    ]


async def test_damaged_bytes_in_the_cache_are_fetched_again(world: World) -> None:
    await world.hub.add("org/model", FILES)
    job = await world.fetch("org/model")
    blob = (world.cache / f"models--org--model/snapshots/{job.commit}/model.safetensors").resolve()
    blob.write_bytes(b"\0" * len(WEIGHTS))
    again = await world.fetch("org/model")
    assert again.status is JobStatus.DONE
    assert blob.read_bytes() == WEIGHTS


async def test_a_new_home_takes_over_what_the_cache_holds_already(world: World) -> None:
    await world.hub.add("org/model", FILES)
    job = await world.fetch("org/model")
    await asyncio.to_thread(shutil.rmtree, world.parts)
    (world.cache / "models--org--model/refs/main").unlink()
    world.hub.requests.clear()
    again = await world.fetch("org/model")
    assert again.status is JobStatus.DONE, again.error
    assert world.sent() == 0
    assert (world.cache / "models--org--model/refs/main").read_text() == job.commit


async def test_an_unsafe_file_is_held_and_nothing_is_published(world: World) -> None:
    await world.hub.add("org/model", FILES)
    world.vetting.verdicts = {"tokenizer.json": Verdict.BLOCK}
    job = await world.fetch("org/model")
    assert job.status is JobStatus.QUARANTINED
    assert "tokenizer.json" in job.error
    assert job.result["exit_code"] == 4
    assert job.result["findings"][0]["file"] == "tokenizer.json"
    assert world.vetting.held == ["tokenizer.json"]
    assert world.blobs() == []


async def test_a_doubtful_file_waits_for_a_decision(world: World) -> None:
    await world.hub.add("org/model", FILES)
    world.vetting.verdicts = {"model.safetensors": Verdict.REVIEW}
    job = await world.fetch("org/model")
    assert (job.status, job.result["exit_code"]) == (JobStatus.REVIEW, 3)
    assert world.blobs() == []
    world.vetting.verdicts = {}
    world.hub.requests.clear()
    await world.downloads.retry(job.id)
    assert (await world.ended(job.id)).status is JobStatus.DONE
    assert world.sent() == 0  # it was kept


async def test_two_names_of_the_same_bytes_are_fetched_once(world: World) -> None:
    await world.hub.add("org/twins", {"a-Q8_0.gguf": WEIGHTS, "b-Q8_0.gguf": WEIGHTS, "empty.txt": b""})
    job = await world.fetch("org/twins", "*.gguf", "empty.txt")
    assert job.status is JobStatus.DONE, job.error
    assert world.sent() == len(WEIGHTS)
    assert [file["name"] for file in job.result["files"]] == ["a-Q8_0.gguf", "b-Q8_0.gguf", "empty.txt"]


def test_a_link_in_the_snapshot_leads_nobody_astray(tmp_path: Path) -> None:
    cache, outside, work = RepoCache(tmp_path / "hub", "org/model"), tmp_path / "outside", tmp_path / "work"
    for folder in (cache.snapshot("c0ffee"), outside, work):
        folder.mkdir(parents=True)
    (cache.snapshot("c0ffee") / "sub").symlink_to(outside)
    (work / "x.part").write_bytes(b"x")
    with pytest.raises(DownloadError, match="leads out of the library"):
        land(cache, "c0ffee", [Arrival("sub/x", 1, "0" * 64, "0" * 64, work / "x.part")], ["main"], work)
    assert not list(outside.iterdir())
    assert not cache.ref("main").exists()
