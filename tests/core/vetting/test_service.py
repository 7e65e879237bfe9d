"""Verdicts, checksums and quarantine with a real database."""

import asyncio
import hashlib
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from modelshelf.access import AccessService, Principal, Role, acting_as
from modelshelf.config import ConfigManager
from modelshelf.errors import ChecksumMismatch, FileNotInRepository, NotFound, RoleRequired, UsageError
from modelshelf.events import EventBus, QuarantineChanged
from modelshelf.store import Store
from modelshelf.vetting import Finding, ValidationService, Verdict, VettingService
from modelshelf.vetting.memory import recall
from modelshelf.vetting.origin import Origin
from modelshelf.vetting.rules import RULES
from tests.conftest import LoopRunner

BAD = b"cos\nsystem\n(S'id'\ntR."


@asynccontextmanager
async def stopping(vetting: VettingService) -> AsyncIterator[VettingService]:
    yield vetting
    await vetting.stop()


@pytest.fixture
def vetting(
    loop: LoopRunner, config: ConfigManager, store: Store, events: EventBus, access: AccessService
) -> VettingService:
    return loop.enter(stopping(VettingService(config, store, events, access)))


async def test_a_verdict_is_remembered_by_bytes_and_rules(
    vetting: VettingService, store: Store, tmp_path: Path
) -> None:
    file = tmp_path / "x.bin"
    file.write_bytes(BAD)
    first = await vetting.scan(file)
    assert first.verdict is Verdict.BLOCK
    digest = hashlib.sha256(BAD).hexdigest()
    assert await store.read(recall, digest, f"{RULES}.bin", "x") is not None
    file.rename(tmp_path / "y.bin")
    again = await vetting.scan(tmp_path / "y.bin", sha256=digest)
    assert (again.verdict, again.findings) == (first.verdict, first.findings)
    await vetting.start()
    assert await store.read(recall, digest, f"{RULES}.bin", "x") is not None


async def test_the_name_in_the_repository_counts(vetting: VettingService, tmp_path: Path) -> None:
    file = tmp_path / "0123456789abcdef"
    file.write_bytes(b"hello")
    assert (await vetting.scan(file, name="model.safetensors")).verdict is Verdict.BLOCK
    assert (await vetting.scan(file, name="README.md")).verdict is Verdict.PASS


async def test_a_cancelled_scan_leaves_no_process(vetting: VettingService, tmp_path: Path) -> None:
    file = tmp_path / "x.bin"
    file.write_bytes(BAD)
    task = asyncio.create_task(vetting.scan(file))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await vetting.scan(file)).verdict is Verdict.BLOCK


async def test_a_file_that_changes_between_hashing_and_scanning_blocks(
    vetting: VettingService, store: Store, tmp_path: Path
) -> None:
    file = tmp_path / "x.txt"
    file.write_text("hello")
    digest = hashlib.sha256(b"hello").hexdigest()
    scan = asyncio.create_task(vetting.scan(file, sha256=digest))
    while not scan.done():
        await asyncio.to_thread(os.utime, file)
        await asyncio.sleep(0)
    assert "FILE_CHANGED" in {finding.rule for finding in (await scan).findings}
    assert await store.read(recall, digest, f"{RULES}.txt", "x") is None
    assert (await vetting.scan(file)).verdict is Verdict.PASS


async def test_it_is_said_how_the_scanner_is_confined(vetting: VettingService) -> None:
    assert await vetting.confinement() == ("seccomp" if sys.platform == "linux" else "")


async def test_what_more_is_found_than_was_accepted_counts_again(vetting: VettingService, tmp_path: Path) -> None:
    file = tmp_path / "x.py"
    file.write_text("import os\n")
    report = await vetting.scan(file)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    with pytest.raises(UsageError, match="needs a reason"):
        await vetting.accept(digest, "x.py", " ok ")
    await vetting.accept(digest, "x.py", "I have read every line.")
    assert (await vetting.scan(file)).verdict is Verdict.PASS
    assert (await vetting.scan(file)).findings == report.findings
    more = Origin("hf", "a/b")
    vetting.policy_file.write_text('[formats]\ntext = "review"\n')
    assert (await vetting.scan(file, origin=more)).verdict is Verdict.REVIEW
    await vetting.start()
    vetting.policy_file.unlink()
    assert (await vetting.scan(file, origin=more)).verdict is Verdict.PASS
    file.write_bytes(BAD)
    await vetting.scan(file)
    with pytest.raises(UsageError, match="unsafe"):
        await vetting.accept(hashlib.sha256(BAD).hexdigest(), "x.py", "It must be harmless.")


async def test_other_names_of_held_bytes_stay_and_links_are_followed(vetting: VettingService, tmp_path: Path) -> None:
    blob, link = tmp_path / "blob", tmp_path / "link.bin"
    blob.write_bytes(BAD)
    (tmp_path / "other").hardlink_to(blob)
    link.symlink_to(blob)
    held = await vetting.quarantine.hold(link, sha256="ab", source="s", repo="a/b", commit="c", path="x", findings=[])
    kept = vetting.quarantine.folder / held.id
    assert not blob.exists()
    assert (tmp_path / "other").stat().st_ino != kept.stat().st_ino
    assert (tmp_path / "other").read_bytes() == kept.read_bytes() == BAD
    assert kept.stat().st_mode & 0o777 == 0o400
    assert not kept.is_symlink()
    assert (await vetting.quarantine.find(held.id[:6])).id == held.id
    with pytest.raises(NotFound):
        await vetting.quarantine.find("")


async def test_a_missing_file_is_said_to_be_missing(vetting: VettingService, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="cannot be read"):
        await vetting.scan(tmp_path / "none")


async def test_quarantine_holds_lists_and_deletes(
    vetting: VettingService, events: EventBus, access: AccessService, tmp_path: Path
) -> None:
    file = tmp_path / "x.bin"
    file.write_bytes(BAD)
    report = await vetting.scan(file)
    with events.subscribe() as heard:
        held = await vetting.quarantine.hold(
            file, sha256="ab", source="samples", repo="a/b", commit="c", path="../x.bin", findings=report.findings
        )
        assert isinstance(await anext(heard), QuarantineChanged)
    kept = vetting.quarantine.folder / held.id
    assert not file.exists()
    assert kept.read_bytes() == BAD
    assert kept.stat().st_mode & 0o777 == 0o400
    assert vetting.quarantine.folder.stat().st_mode & 0o777 == 0o700
    assert [item.id for item in await vetting.quarantine.items()] == [held.id]
    assert (await vetting.quarantine.get(held.id)).findings == report.findings
    with acting_as(Principal("guest", Role.VIEWER)), pytest.raises(RoleRequired):
        await vetting.quarantine.delete(held.id)
    await vetting.quarantine.delete(held.id)
    assert not kept.exists()
    assert await vetting.quarantine.items() == ()
    with pytest.raises(NotFound):
        await vetting.quarantine.delete(held.id)
    deeds = [(row["action"], row["outcome"]) for row in await access.audit()]
    assert ("quarantine.delete", "refused") in deeds
    assert ("quarantine.hold", "done") in deeds


async def test_a_file_already_gone_can_still_be_deleted_from_the_list(vetting: VettingService, tmp_path: Path) -> None:
    file = tmp_path / "x.bin"
    file.write_bytes(BAD)
    finding = Finding("X", "x", "why", Verdict.REVIEW)
    held = await vetting.quarantine.hold(
        file, sha256="ab", source="s", repo="a/b", commit="c", path="x", findings=[finding]
    )
    (vetting.quarantine.folder / held.id).unlink()
    assert (await vetting.quarantine.delete(held.id)).findings == (finding,)


async def test_checksums_are_those_of_the_hub(tmp_path: Path) -> None:
    data = os.urandom(5_000_000)
    file = tmp_path / "x"
    file.write_bytes(data)
    seen: list[int] = []
    found = await ValidationService().digests(file, git=True, progress=seen.append)
    assert found.sha256 == hashlib.sha256(data).hexdigest()
    assert found.git_sha1 == hashlib.sha1(b"blob 5000000\0" + data).hexdigest()
    assert seen[-1] == found.size == 5_000_000


async def test_a_damaged_file_is_told_from_a_cut_one(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_bytes(b"hello")
    service = ValidationService()
    good = hashlib.sha256(b"hello").hexdigest()
    await service.check(file, size=5, sha256=good.upper())
    with pytest.raises(ChecksumMismatch, match="is truncated: 5 bytes instead of 6"):
        await service.check(file, size=6, sha256=good)
    with pytest.raises(ChecksumMismatch, match="is too long"):
        await service.check(file, size=4)
    with pytest.raises(ChecksumMismatch, match="SHA-256"):
        await service.check(file, sha256="0" * 64)
    with pytest.raises(ChecksumMismatch, match="git id"):
        await service.check(file, git_sha1="0" * 40)
    with pytest.raises(FileNotInRepository):
        await service.check(tmp_path / "none")
