"""What other programs on this machine keep, what of it is the same bytes, and what was done about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Inode = tuple[int, int]
Way = Literal["there", "hard link", "reflink", "symlink", "copy"]


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file in another program's store, as it was when it was looked at.

    `path` is its name in the repository, `place` where it lies, `said` the SHA-256 that the store claims, `git`
    the blob id: they are not believed. Sizes in bytes.
    """

    path: str
    place: Path
    size: int
    inode: Inode
    links: int
    mtime_ns: int
    said: str | None = None
    git: str | None = None


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A model in a store. `id` is `store:name`; `repo`, `commit` and `refs` are what it is called in the library."""

    id: str
    store: str
    name: str
    repo: str
    files: tuple[StoredFile, ...]
    commit: str = ""
    refs: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Its bytes on the disk; a file with two names counts once."""
        return sum({file.inode: file.size for file in self.files}.values())


@dataclass(frozen=True, slots=True)
class Store:
    """A folder of another program: what was found there, and what went wrong, in a sentence, empty if nothing did."""

    name: str
    label: str
    place: Path
    models: int
    size: int
    problem: str = ""

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {name: getattr(self, name) for name in ("name", "label", "models", "size", "problem")} | {
            "place": printable(self.place)
        }


@dataclass(frozen=True, slots=True)
class Survey:
    """Every store that is there, and every model in them."""

    stores: tuple[Store, ...] = ()
    models: tuple[StoredModel, ...] = ()


@dataclass(frozen=True, slots=True)
class Standing:
    """A stored model and who else has its bytes.

    `library` is linked (the library uses these very bytes), same (it has a second copy), or empty. `same_as` are the
    labels of other stores with a copy. `comparing` says that this is not known yet of some file.
    """

    model: StoredModel
    label: str
    library: str = ""
    same_as: tuple[str, ...] = ()
    comparing: bool = False

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        model = self.model
        files = [
            {"path": file.path, "place": str(file.place), "size": file.size, "links": file.links}
            for file in model.files
        ]
        told = {name: getattr(model, name) for name in ("id", "store", "name", "repo", "commit", "size")}
        more = {name: getattr(self, name) for name in ("label", "library", "same_as", "comparing")}
        return told | more | {"files": files}


@dataclass(frozen=True, slots=True)
class Plan:
    """What adopting a model would do: by which way, and the bytes that this takes; `copy` is what a copy would take."""

    model: str
    way: Way
    cost: int
    copy: int

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {name: getattr(self, name) for name in ("model", "way", "cost", "copy")}


@dataclass(frozen=True, slots=True)
class Copy:
    """Bytes on a disk under all the names that are known of them; `holders` are the labels of who has them."""

    inode: Inode
    places: tuple[Path, ...]
    holders: tuple[str, ...]
    links: int
    library: bool = False

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {"places": list(map(str, self.places)), "holders": self.holders, "library": self.library}


@dataclass(frozen=True, slots=True)
class Duplicate:
    """The same bytes twice: `give` can become another name of `keep`, which frees `freed` bytes.

    `why` says why that cannot be, or why it frees nothing; empty if nothing is in its way.
    """

    id: str
    sha256: str
    size: int
    keep: Copy
    give: Copy
    freed: int
    possible: bool = True
    why: str = ""

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        told = {name: getattr(self, name) for name in ("id", "sha256", "size", "freed", "possible", "why")}
        return told | {"keep": self.keep.as_dict(), "give": self.give.as_dict()}


@dataclass(frozen=True, slots=True)
class Given:
    """Files that were made other names of the bytes at `kept`, and the bytes that this freed."""

    places: tuple[Path, ...]
    kept: Path
    freed: int

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {"places": list(map(str, self.places)), "kept": str(self.kept), "freed": self.freed}


@dataclass(frozen=True, slots=True)
class Shared:
    """A file that was given back: it shares its bytes with others, and can be made a file of its own again."""

    place: Path
    size: int

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {"place": str(self.place), "size": self.size}


@dataclass(frozen=True, slots=True)
class Comparing:
    """How far the comparison is: files and bytes that are left to be read; `why` says what it waits for."""

    files: int = 0
    size: int = 0
    done: int = 0
    total: int = 0
    why: str = ""


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """All of it, as a page shows it."""

    stores: Sequence[Store] = ()
    models: Sequence[Standing] = ()
    duplicates: Sequence[Duplicate] = ()
    shared: Sequence[Shared] = ()
    comparing: Comparing = field(default_factory=Comparing)

    @property
    def labels(self) -> Mapping[str, str]:
        """What each store is called."""
        return {store.name: store.label for store in self.stores}


def printable(place: Path) -> str:
    """A path as text, whatever bytes are in it."""
    return str(place).encode("utf-8", "backslashreplace").decode()
