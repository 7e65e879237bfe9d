"""Import: models on this machine enter the library as downloads do, verified and vetted, and stay where they are."""

import asyncio
import hashlib
import shutil
import uuid
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from modelshelf.access import AccessService, Role, require
from modelshelf.config import ConfigManager
from modelshelf.downloads.cache import RepoCache
from modelshelf.downloads.hashing import Digest, hash_file
from modelshelf.downloads.landing import Arrival, land
from modelshelf.downloads.names import check_names
from modelshelf.downloads.part import disk_errors
from modelshelf.downloads.run import Landed
from modelshelf.errors import Blocked, ChecksumMismatch, DownloadError, ModelshelfError, NeedsReview, Unreachable
from modelshelf.imports.find import find
from modelshelf.imports.links import duplicate, hard_link, lead
from modelshelf.imports.types import FoundFile, FoundModel, How, Imported, ImportedFile
from modelshelf.store.tables import FileRow
from modelshelf.vetting.origin import Origin
from modelshelf.vetting.types import Verdict

if TYPE_CHECKING:
    from modelshelf.library import ModelLibrary
    from modelshelf.vetting import VettingService

SOURCE = "import"
_STATUS: dict[type[ModelshelfError], str] = {Blocked: "blocked", NeedsReview: "review"}


class ImportService:
    """Links models into the library. Nothing is moved or changed where it is."""

    def __init__(
        self, config: ConfigManager, access: AccessService, library: "ModelLibrary", vetting: "VettingService"
    ) -> None:
        self.access = access
        self._config = config
        self._library = library
        self._vetting = vetting
        self.landed: Landed | None = None

    async def run(self, path: Path, repo: str = "") -> AsyncGenerator[Imported, None]:
        """Import every model at a path; `repo` names the one that is there. What became of each, in order.

        Raises:
            RoleRequired: only who owns this machine's files may.
            NotFound, UsageError, FormatError: there is nothing to import.
        """
        await self._allow(str(path))
        for model in await asyncio.to_thread(find, path, repo):
            yield await self.bring(model)

    @require(Role.ADMIN, "library.import")
    async def _allow(self, path: str) -> None:
        """Paths are those of the machine that the server runs on."""

    async def bring(self, model: FoundModel, *, copy: bool = True) -> Imported:
        """Bring one model that was found into the library; whoever calls this has asked who may.

        Without `copy`, what can be neither hard-linked nor cloned is reached by a link that leads there.
        """
        work = self._config.paths.parts / f"import-{uuid.uuid4().hex}"
        try:
            check_names(model.files)
            return await self._bring(model, work, copy)
        except ModelshelfError as error:
            status = _STATUS.get(type(error), "failed")
            return Imported(
                model.repo,
                status,
                model.kind,
                error=error.message,
                remedy=error.remedy,
                exit_code=error.exit_code,
                findings=tuple(error.facts.get("findings", ())),
            )
        finally:
            await asyncio.to_thread(shutil.rmtree, work, True)

    async def _bring(self, model: FoundModel, work: Path, copy: bool) -> Imported:
        cache = RepoCache(self._config.paths.cache, model.repo)
        taken = [
            await asyncio.to_thread(_take, cache, path, file, work / str(number), copy)
            for number, (path, file) in enumerate(model.files.items())
        ]
        arrivals = [arrival for arrival, _ in taken]
        await self._vet(model, cache, arrivals)
        commit = model.commit or _content(arrivals)
        refs = [name for name in model.refs or ("main",) if not cache.ref(name).exists()]
        led = [arrival for arrival, how in taken if how == "symlink" and arrival.part]
        await self._library.lead_out([(await asyncio.to_thread(a.part.readlink), a.sha256) for a in led if a.part])
        snapshot = await asyncio.to_thread(land, cache, commit, arrivals, refs, work)
        await self._library.record([_row(model.repo, commit, arrival) for arrival in arrivals])
        if self.landed is not None:
            await self.landed(model.repo, commit)
        files = tuple(ImportedFile(a.path, a.sha256, a.size, how) for a, how in taken)
        return Imported(
            model.repo, "done", model.kind, commit, snapshot, files, skipped=model.skipped, missing=model.missing
        )

    async def _vet(self, model: FoundModel, cache: RepoCache, arrivals: Sequence[Arrival]) -> None:
        reports = []
        for arrival in arrivals:
            place = arrival.part or cache.blob(arrival.blob)
            report = await self._vetting.scan(
                place, name=arrival.path, sha256=arrival.sha256, origin=Origin("", model.repo, model.commit or "")
            )
            reports.append((arrival, report))
        for verdict, kind, sentence in (
            (Verdict.BLOCK, Blocked, "is unsafe and was not imported; it was left where it is"),
            (Verdict.REVIEW, NeedsReview, "needs a person's decision; nothing was imported"),
        ):
            held = [(arrival, report) for arrival, report in reports if report.verdict is verdict]
            if held:
                more = f" (and {len(held) - 1} more)" if len(held) > 1 else ""
                findings = [{"file": a.path, **found.as_dict()} for a, report in held for found in report.findings]
                raise kind(f"{held[0][0].path}{more} of {model.repo} {sentence}.", findings=findings)


def _take(cache: RepoCache, path: str, file: FoundFile, target: Path, copy: bool) -> tuple[Arrival, How]:
    """The file with its checksums, ready to land. For threads.

    Raises:
        ChecksumMismatch: it is not what it was.
        Unreachable: it cannot be read. NotEnoughDisk, FolderNotWritable, DownloadError.
    """
    try:
        source = file.place.resolve(strict=True)
        with disk_errors(target):
            target.parent.mkdir(parents=True, exist_ok=True)
        linked = hard_link(source, target)
        digest = hash_file(target if linked else source, git=file.git_sha1 is not None)
        size = (target if linked else source).stat().st_size
    except OSError as error:
        if isinstance(error, ModelshelfError):
            raise
        raise Unreachable(
            f"{file.place} cannot be read: {error.strerror or error}.", remedy="Give yourself permission to read it."
        ) from error
    if not digest.matches(file.sha256, file.git_sha1):
        raise ChecksumMismatch(
            f"{file.place} holds other bytes than when it was fetched; it was left where it is.",
            remedy="Download the model again.",
            expected=file.sha256 or file.git_sha1,
            found=digest.sha256 if file.sha256 else digest.git_sha1,
        )
    name = file.git_sha1 or digest.sha256
    if _has(cache.blob(name), digest, size):
        return Arrival(path, size, name, digest.sha256, None), "there"
    how: How = "hard link" if linked else _second(source, target, digest, copy)
    return Arrival(path, size, name, digest.sha256, target), how


def _second(source: Path, target: Path, digest: Digest, copy: bool) -> How:
    with disk_errors(target):
        how = duplicate(source, target) if copy else lead(source, target)
        if hash_file(target, git=False).sha256 != digest.sha256:
            raise DownloadError(f"{source} was changed while it was imported.", remedy="Try again when it is at rest.")
    return how


def _has(blob: Path, digest: Digest, size: int) -> bool:
    """Whether the library has these bytes, undamaged."""
    with suppress(OSError):
        return blob.stat().st_size == size and hash_file(blob, git=False).sha256 == digest.sha256
    return False


def _content(arrivals: Sequence[Arrival]) -> str:
    lines = "".join(f"{a.path}\0{a.sha256}\n" for a in sorted(arrivals, key=lambda a: a.path))
    return hashlib.sha1(lines.encode(), usedforsecurity=False).hexdigest()


def _row(repo: str, commit: str, arrival: Arrival) -> FileRow:
    return FileRow(repo=repo, commit=commit, path=arrival.path, source=SOURCE, sha256=arrival.sha256, size=arrival.size)
