"""Names from a repository are data: which of them may become files here."""

import re
import unicodedata
from collections.abc import Iterable

from modelshelf.errors import DownloadError

_RESERVED = re.compile(r"^(con|prn|aux|nul|com\d|lpt\d)(\..*)?$", re.IGNORECASE)
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f\\:*?"<>|]')
_LONGEST_PART = 255
_LONGEST_PATH = 1000


def check_names(paths: Iterable[str]) -> None:
    """Raises DownloadError if one of the paths escapes its folder, cannot be a file everywhere, or meets another."""
    seen: dict[str, str] = {}
    for path in paths:
        if reason := _reason(path):
            raise DownloadError(
                f"The repository names a file “{ascii(path)[1:-1][:200]}”, which {reason}.",
                remedy="Choose the files you want by name, or another repository.",
            )
        key = unicodedata.normalize("NFC", path).casefold()
        if key in seen:
            raise DownloadError(
                f"The repository holds both “{seen[key]}” and “{path}”, which are one name on some disks.",
                remedy="Choose one of the two by name.",
            )
        seen[key] = path
    folders = {"/".join(parts[:n]) for key in seen for parts in [key.split("/")] for n in range(1, len(parts))}
    if clash := folders & seen.keys():
        raise DownloadError(
            f"The repository names “{seen[min(clash)]}” both as a file and as a folder.",
            remedy="Choose one of the two by name.",
        )


def _reason(path: str) -> str | None:
    parts = path.split("/")
    if any(part in ("", ".", "..") for part in parts):
        return "leads out of its folder"
    if _FORBIDDEN.search(path) or any(unicodedata.category(c) in ("Cs", "Cf") for c in path):
        return "holds characters that no file name may have"
    if any(_RESERVED.match(part) or part.endswith((".", " ")) for part in parts):
        return "is reserved by some systems"
    if len(path) > _LONGEST_PATH or any(len(part.encode()) > _LONGEST_PART for part in parts):
        return "is too long"
    return None
