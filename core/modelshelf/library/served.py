"""The names under which engines offer installed files: short, and each for one file only."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from modelshelf.catalog.files import is_whole, quantisation_of, variants
from modelshelf.library.types import InstalledFile, InstalledModel
from modelshelf.vetting.types import Verdict


@dataclass(frozen=True, slots=True)
class ServedFile:
    """A GGUF model that an engine can load: `files` are its parts in order, of which the first is the one to open."""

    name: str
    model: InstalledModel
    files: tuple[InstalledFile, ...]
    quantisation: str | None

    @property
    def size(self) -> int:
        """The bytes of all parts."""
        return sum(file.size for file in self.files)


def served(models: Iterable[InstalledModel]) -> tuple[ServedFile, ...]:
    """Every whole GGUF model, under a name of its own.

    The model of the main branch that was installed first has the plain name (`tiny-llama`); others of that name get
    their quantisation (`tiny-llama:Q8_0`), then their publisher, then their commit and file. The same bytes in several
    commits of a repository are offered once; what vetting blocks is not offered.
    """
    taken: dict[str, ServedFile] = {}
    blobs: set[Path] = set()
    for model, files in sorted(_candidates(models), key=_order):
        if files[0].blob in blobs or model.verdict == Verdict.BLOCK:
            continue
        blobs.add(files[0].blob)
        quantisation = quantisation_of(files[0].path) or (model.quantisation if _single(model) else None)
        name = next(name for name in _names(model, files, quantisation) if name.lower() not in taken)
        taken[name.lower()] = ServedFile(name, model, files, quantisation)
    return tuple(sorted(taken.values(), key=lambda item: item.name.lower()))


def _candidates(models: Iterable[InstalledModel]) -> Iterable[tuple[InstalledModel, tuple[InstalledFile, ...]]]:
    for model in models:
        by_path = {file.path: file for file in model.files}
        for parts in variants(by_path):
            if is_whole(parts):
                yield model, tuple(by_path[path] for path in parts)


def _single(model: InstalledModel) -> bool:
    return len(variants(file.path for file in model.files)) == 1


def _order(candidate: tuple[InstalledModel, Sequence[InstalledFile]]) -> tuple[bool, float, str, str, str]:
    model, files = candidate
    try:
        installed = files[0].blob.stat().st_mtime
    except OSError:
        installed = 0.0
    return "main" not in model.refs, installed, model.repo.lower(), model.commit, files[0].path


def _names(model: InstalledModel, files: Sequence[InstalledFile], quantisation: str | None) -> Iterable[str]:
    plain = model.served_name
    author = model.repo.rpartition("/")[0]
    yield plain
    if quantisation:
        yield f"{plain}:{quantisation}"
        yield f"{plain}:{author}-{quantisation}"
    else:
        yield f"{plain}:{author}"
    yield f"{plain}:{model.commit[:8]}-{quantisation or author}"
    yield f"{plain}:{model.commit[:8]}-{files[0].path}"
    yield f"{plain}:{model.commit}-{author}-{files[0].path}"
