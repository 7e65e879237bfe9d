"""How much memory the control groups (v1 and v2) leave this process: containers and batch systems limit by these."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

NO_LIMIT = 1 << 60  # v1 writes a number near 2^63 where v2 writes `max`


@dataclass(frozen=True, slots=True)
class GroupMemory:
    """Bytes of the tightest group: its limit, and what is left of it."""

    limit: int
    available: int
    origin: str


@dataclass(frozen=True, slots=True)
class _Version:
    limit: str
    used: str
    inactive: str


_V1 = _Version("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
_V2 = _Version("memory.max", "memory.current", "inactive_file")


def group_memory(root: Path = Path("/")) -> GroupMemory | None:
    """The group that leaves least, of those this process is in; None if none limits it.

    `root` is the file system's root. What the kernel can drop at once (inactive file pages) counts as left.
    """
    found = [memory for folder, version in _groups(root) if (memory := _read(folder, version, root))]
    return min(found, key=lambda memory: memory.available, default=None)


def _groups(root: Path) -> Iterator[tuple[Path, _Version]]:
    """Every folder that may describe a group of ours, with its ancestors, whose limits hold too."""
    mount = root / "sys/fs/cgroup"
    for line in _text(root / "proc/self/cgroup").splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            for base in (mount, mount / "unified"):
                yield from ((folder, _V2) for folder in _upwards(base, path))
        elif "memory" in controllers.split(","):
            yield from ((folder, _V1) for folder in _upwards(mount / "memory", path))


def _upwards(base: Path, path: str) -> Iterator[Path]:
    # In a container the path is often the host's and not visible here: then only the base exists.
    inner = PurePosixPath(path.lstrip("/"))
    if ".." in inner.parts:
        inner = PurePosixPath()
    for part in (inner, *inner.parents) if inner.parts else (inner,):
        yield base / part


def _read(folder: Path, version: _Version, root: Path) -> GroupMemory | None:
    limit = _number(_text(folder / version.limit))
    if limit is None or limit >= NO_LIMIT:
        return None
    used = _number(_text(folder / version.used)) or 0
    inactive = 0
    for line in _text(folder / "memory.stat").splitlines():
        name, _, value = line.partition(" ")
        if name == version.inactive:
            inactive = _number(value) or 0
    left = limit - used + min(inactive, used)
    return GroupMemory(limit, max(left, 0), f"/{(folder / version.limit).relative_to(root).as_posix()}")


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _number(text: str) -> int | None:
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() else None
