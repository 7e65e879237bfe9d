import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from huggingface_hub import scan_cache_dir
from sqlalchemy.orm import Session

from modelshelf.access import AccessService, Principal, Role, acting_as
from modelshelf.errors import NotFound, RoleRequired, UsageError
from modelshelf.events import EventBus, LibraryChanged
from modelshelf.library import ModelLibrary
from modelshelf.store import Store
from modelshelf.store.tables import FileRow, JobRow, now
from tests.core.library.conftest import NEW, OLD, install, link

HOLD = """
import sys, filelock
with filelock.FileLock(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def two_commits(cache: Path) -> Path:
    install(cache, "org/m", {"m-Q8_0.gguf": b"x" * 10, "README.md": b"old!"}, OLD, ref="v1")
    install(cache, "org/m", {"m-Q8_0.gguf": b"x" * 10, "m-Q4_K_M.gguf": b"y" * 20, "README.md": b"new"}, NEW)
    return cache / "models--org--m"


async def test_bytes_that_another_commit_uses_stay(library: ModelLibrary, cache: Path, two_commits: Path) -> None:
    plan = await library.removal(f"org/m@{OLD}")
    assert (plan.commits, plan.freed, plan.used_by) == ((OLD,), 4, (f"org/m@{NEW[:8]}",))
    assert await library.remove(f"org/m@{OLD}") == plan
    (repo,) = scan_cache_dir(cache).repos
    assert [revision.commit_hash for revision in repo.revisions] == [NEW]
    assert repo.size_on_disk == 33
    assert not (two_commits / "refs" / "v1").exists()


async def test_a_name_without_commit_means_all(library: ModelLibrary, cache: Path, two_commits: Path) -> None:
    assert (await library.remove("org/m")).freed == 37
    assert not two_commits.exists()
    assert await library.models() == ()
    with pytest.raises(NotFound, match="org/m"):
        await library.remove("org/m")


async def test_one_quantisation_goes_alone(library: ModelLibrary, cache: Path, two_commits: Path) -> None:
    gone = await library.remove(f"org/m@{NEW}/m-Q4_K_M.gguf")
    assert (gone.freed, gone.files) == (20, ("m-Q4_K_M.gguf",))
    assert [file.path for file in (await library.get("org/m")).files] == ["README.md", "m-Q8_0.gguf"]
    assert not scan_cache_dir(cache).warnings
    # With the last weights the commit goes.
    gone = await library.remove(f"org/m@{NEW}/m-Q8_0.gguf")
    assert (gone.files, gone.freed) == ((), 3)
    assert (await library.get("org/m")).commit == OLD


async def test_hard_links_elsewhere_are_counted(library: ModelLibrary, cache: Path, tmp_path: Path) -> None:
    snapshot = install(cache, "org/m", {"m.gguf": b"x" * 10, "config.json": b"{}"})
    (tmp_path / "engine.gguf").hardlink_to((snapshot / "m.gguf").resolve())
    other = cache / "models--org--copy" / "blobs" / "b"
    other.parent.mkdir(parents=True)
    other.hardlink_to((snapshot / "config.json").resolve())
    link(cache / "models--org--copy" / "snapshots" / OLD / "config.json", other)
    plan = await library.removal("org/m")
    assert plan.freed == 0
    assert set(plan.used_by) == {"m.gguf, linked from outside the library", f"org/copy@{OLD[:8]}"}
    await library.remove("org/m")
    assert (tmp_path / "engine.gguf").read_bytes() == b"x" * 10
    assert (await library.get("org/copy")).files


async def test_nothing_outside_the_cache_is_touched(library: ModelLibrary, cache: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious.gguf").write_bytes(b"precious")
    snapshot = install(cache, "org/bad", {"m.gguf": b"x"})
    link(snapshot / "precious.gguf", outside / "precious.gguf")
    (snapshot / "folder").symlink_to(outside)
    (snapshot.parent.parent / "blobs" / "jump").symlink_to(outside / "precious.gguf")
    link(snapshot / "jump.gguf", snapshot.parent.parent / "blobs" / "jump")
    assert (await library.remove("org/bad")).freed == 1
    assert (outside / "precious.gguf").read_bytes() == b"precious"
    (cache / "models--org--linked").symlink_to(outside)
    (outside / "snapshots" / NEW).mkdir(parents=True)
    (outside / "snapshots" / NEW / "m.gguf").write_bytes(b"x")
    with pytest.raises(UsageError, match="another place"):
        await library.remove("org/linked")
    assert (outside / "precious.gguf").exists()


async def test_not_while_a_download_writes(library: ModelLibrary, two_commits: Path, store: Store) -> None:
    job = JobRow(id="j1", source="hf", repo="org/m", status="transferring")

    await store.write(_put, job)
    with pytest.raises(UsageError, match="being downloaded"):
        await library.remove("org/m")
    job = JobRow(id="j1", source="hf", repo="org/m", status="done", ended=now())
    await store.write(_put, job)
    await library.remove("org/m")


async def test_not_while_another_program_writes(library: ModelLibrary, cache: Path, two_commits: Path) -> None:
    lock = cache / ".locks" / "models--org--m" / "blob.lock"
    lock.parent.mkdir(parents=True)
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLD, str(lock), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    assert (await child.stdout.readline()).strip() == b"held"
    with pytest.raises(UsageError, match="Another program"):
        await library.remove("org/m")
    await child.communicate()
    await library.remove("org/m")


async def test_only_an_operator_may_and_it_is_recorded(
    library: ModelLibrary, two_commits: Path, access: AccessService, events: EventBus, store: Store
) -> None:
    with acting_as(Principal("guest", Role.VIEWER)), pytest.raises(RoleRequired):
        await library.remove("org/m")
    assert two_commits.exists()
    await library.record([FileRow(repo="org/m", commit=NEW, path="README.md", sha256="a" * 64, size=3)])
    with events.subscribe() as changes:
        await library.remove("org/m")
        assert await anext(changes) == LibraryChanged(repo="org/m")
    done, allowed, refused = (await access.audit())[:3]
    assert [row["outcome"] for row in (done, allowed, refused)] == ["done", "allowed", "refused"]
    assert {row["target"] for row in (done, allowed, refused)} == {"org/m"}


def _put(session: Session, job: JobRow) -> None:
    session.merge(job)
