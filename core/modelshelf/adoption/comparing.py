"""Which files must be read to know what is the same, and what is known of that."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from modelshelf.adoption.looking import inode_of
from modelshelf.adoption.records import Mark, mark_of
from modelshelf.adoption.types import Copy, Duplicate, Inode, Standing, StoredFile, StoredModel, Survey
from modelshelf.catalog.files import format_of
from modelshelf.library.types import InstalledModel

LIBRARY = "library"


@dataclass(frozen=True, slots=True)
class _Blob:
    """A file of the library; `led` if that is only a link to bytes elsewhere."""

    path: str
    place: Path
    sha256: str | None
    size: int
    links: int
    led: bool


class Known:
    """One view of everything: the stores' files, the library's, and the checksums that were computed."""

    def __init__(self, found: Survey, installed: Sequence[InstalledModel], sums: Mapping[Mark, str]) -> None:
        self._found = found
        self._labels = {store.name: store.label for store in found.stores}
        self._files: dict[Inode, dict[Path, StoredFile]] = {}
        self._users: dict[Inode, dict[str, None]] = {}
        for model in found.models:
            for file in model.files:
                self._files.setdefault(file.inode, {})[file.place] = file
                self._users.setdefault(file.inode, {})[model.store] = None
        self._blobs = _blobs(installed)
        self._sums = {inode: sum_ for inode in (*self._files, *self._blobs) if (sum_ := self._of(inode, sums))}
        self._inodes: dict[str, set[Inode]] = {}
        for inode, sum_ in self._sums.items():
            self._inodes.setdefault(sum_, set()).add(inode)

    def wanted(self) -> Sequence[StoredFile]:
        """The files to read, first those that the library may have too; one name of each, and only where sizes meet."""
        ours = {blob.size for blobs in self._blobs.values() for blob in blobs}
        first = {inode: next(iter(files.values())) for inode, files in self._files.items()}
        often = Counter(file.size for file in first.values())
        todo = [
            file
            for inode, file in first.items()
            if file.size and inode not in self._sums and inode not in self._blobs
            if file.size in ours or often[file.size] > 1
        ]
        return sorted(todo, key=lambda file: (file.size not in ours, file.size, str(file.place)))

    def standings(self) -> Sequence[Standing]:
        """Every stored model and who else has its bytes."""
        waiting = {file.inode for file in self.wanted()}
        return [self._standing(model, waiting) for model in self._found.models]

    def duplicates(self) -> Sequence[Duplicate]:
        """What lies twice, the largest gain first."""
        found = (
            one
            for sum_, inodes in self._inodes.items()
            if len(inodes) > 1 and any(map(self._is_weights, inodes))
            for one in _pairs(sum_, self._size(next(iter(inodes))), [self._copy(inode) for inode in inodes])
        )
        return sorted(found, key=lambda one: (-one.freed, -one.size, one.id))

    def _standing(self, model: StoredModel, waiting: set[Inode]) -> Standing:
        mine = {file.inode for file in model.files}
        label, others = self._labels[model.store], self._others(model, mine)
        if mine <= self._blobs.keys():
            return Standing(model, label, "linked", others)
        same = all(self._alike(inode) & self._blobs.keys() for inode in mine)
        return Standing(model, label, "same" if same else "", others, bool(mine & waiting))

    def _others(self, model: StoredModel, mine: set[Inode]) -> tuple[str, ...]:
        """The labels of the stores in which every file of the model is too."""
        holding = [{store for inode in self._alike(one) for store in self._users.get(inode, ())} for one in mine]
        return tuple(sorted({self._labels[store] for store in set.intersection(*holding) - {model.store}}))

    def _alike(self, inode: Inode) -> set[Inode]:
        """Everything that holds the same bytes, the file itself with it."""
        return self._inodes.get(self._sums.get(inode, ""), set()) | {inode}

    def _of(self, inode: Inode, sums: Mapping[Mark, str]) -> str | None:
        """What was computed here; of the library what it recorded."""
        told = [sums[mark] for file in self._files.get(inode, {}).values() if (mark := mark_of(file)) in sums]
        return next(iter([*told, *(blob.sha256 for blob in self._blobs.get(inode, ()) if blob.sha256)]), None)

    def _is_weights(self, inode: Inode) -> bool:
        """Small texts lie twice everywhere; nobody wants to hear of them."""
        names = [file.path for file in self._files.get(inode, {}).values()]
        return any(map(format_of, [*names, *(blob.path for blob in self._blobs.get(inode, ()))]))

    def _size(self, inode: Inode) -> int:
        files = self._files.get(inode)
        return next(iter(files.values())).size if files else self._blobs[inode][0].size

    def _copy(self, inode: Inode) -> Copy:
        files, blobs = self._files.get(inode, {}), self._blobs.get(inode, ())
        own = [blob.place for blob in blobs if not blob.led]
        labels = [*([LIBRARY] if own else []), *(self._labels[store] for store in self._users.get(inode, ()))]
        links = max([blob.links for blob in blobs] + [file.links for file in files.values()])
        return Copy(inode, tuple(dict.fromkeys([*own, *sorted(files)])), tuple(labels), links, bool(own))


def _blobs(installed: Sequence[InstalledModel]) -> dict[Inode, list[_Blob]]:
    """The library's files by their bytes, each place once."""
    found: dict[Inode, dict[Path, _Blob]] = {}
    for file in (file for model in installed for file in model.files):
        try:
            status, led = file.blob.stat(), file.blob.is_symlink()
        except OSError:
            continue
        blob = _Blob(file.path, file.blob, file.sha256, status.st_size, status.st_nlink, led)
        found.setdefault(inode_of(status), {}).setdefault(file.blob, blob)
    return {inode: list(blobs.values()) for inode, blobs in found.items()}


def _pairs(sha256: str, size: int, copies: Sequence[Copy]) -> Iterable[Duplicate]:
    """One of the copies on each disk stays: the library's, else the one with the most names."""
    stays: dict[int, Copy] = {}
    for copy in sorted(copies, key=lambda one: (not one.library, -len(one.places), str(one.places[:1]))):
        name = f"{sha256[:12]}-{copy.inode[0]:x}-{copy.inode[1]:x}"
        keep = stays.setdefault(copy.inode[0], copy)
        if keep is not copy:
            whole = copy.links <= len(copy.places)
            why = "" if whole else "Another name, in a place that is not known, keeps its bytes on the disk."
            yield Duplicate(name, sha256, size, keep, copy, size if whole else 0, True, why)
        elif copy is not (first := next(iter(stays.values()))):
            why = "The two lie on different disks, where nothing can be shared."
            yield Duplicate(name, sha256, size, first, copy, 0, False, why)
