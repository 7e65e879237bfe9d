"""Sections of ours in the presets file of a llama.cpp router; everything else in it stays as it is, to the letter."""

import os
import re
from pathlib import Path

from modelshelf.errors import FolderNotWritable, UsageError

MARK = "; added by Modelshelf"
_SECTION = re.compile(r"^\s*\[(?P<name>[^\]]*)\]\s*$")
_MOST = 4 << 20


def with_section(text: str, name: str, model: Path) -> str:
    """The text with a section that has the router serve a file under a name.

    Raises:
        UsageError: somebody else's section has that name.
    """
    cleaned = without_section(text, name)
    if name in sections(cleaned):
        raise UsageError(f"The presets have a model “{name}” already.", remedy="Choose another name for one of them.")
    front = cleaned if not cleaned or cleaned.endswith("\n") else f"{cleaned}\n"
    return f"{front}{MARK}\n[{name}]\nmodel = {model}\n"


def without_section(text: str, name: str) -> str:
    """The text without our section of that name; without one, the text as it is."""
    lines = text.splitlines(keepends=True)
    for place, line in enumerate(lines[:-1]):
        match = _SECTION.match(lines[place + 1])
        if line.strip() == MARK and match and match["name"] == name:
            end = place + 2
            while end < len(lines) and not _SECTION.match(lines[end]) and lines[end].strip() != MARK:
                end += 1
            return "".join(lines[:place] + lines[end:])
    return text


def sections(text: str) -> frozenset[str]:
    """The names of all sections."""
    return frozenset(match["name"] for line in text.splitlines() if (match := _SECTION.match(line)))


def change(file: Path, name: str, model: Path | None) -> None:
    """Write our section into a presets file, or take it out; the file appears whole or stays as it was. Blocking.

    Raises:
        UsageError: as `with_section`, or the file is no such file.
        FolderNotWritable: it cannot be written.
    """
    try:
        text = _read(file)
        after = without_section(text, name) if model is None else with_section(text, name, model)
        if after != text:
            growing = file.with_name(f".{file.name}.modelshelf")
            growing.write_text(after, "utf-8", newline="")
            os.replace(growing, file)  # noqa: PTH105 - one step on every system
    except OSError as error:
        raise FolderNotWritable(f"{file} cannot be changed: {error.strerror or error}.") from error


def _read(file: Path) -> str:
    if not file.exists():
        return ""
    if file.stat().st_size > _MOST:
        raise UsageError(f"{file} is too large for a presets file.", remedy="Name the file of --models-preset.")
    try:
        with file.open(encoding="utf-8", newline="") as handle:
            return handle.read()
    except UnicodeDecodeError:
        raise UsageError(f"{file} is no presets file.", remedy="Name the file of --models-preset.") from None
