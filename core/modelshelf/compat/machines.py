"""Machines that are only thought of, said in words: "24 GB card", "2x RTX 3090, 128 GB RAM", "Mac 32 GB", a kept one.

Where nothing is said a machine has 32 GiB of memory (twice that of its cards, if these have more) and eight cores.
What is free is what an idle system leaves: of a card half a gibibyte less than it has. Gigabytes of memory are read as
gibibytes, because that is what sellers of memory mean.
"""

import re
from dataclasses import dataclass, replace
from pathlib import Path

from modelshelf.compat.cards import GIB, Card, find_card, plain, well_known
from modelshelf.compat.hardware import usual_idle
from modelshelf.compat.machine import Gpu, Machine
from modelshelf.compat.vendors.apple import BANDWIDTH, wired_limit
from modelshelf.errors import UsageError

FOLDER = "machines"  # below the home, for machines that a person keeps
USUAL_RAM, CORES = 32, 8
RESERVE = GIB // 2  # of a card: the driver's own and what a process needs to use it
MOST_CARDS, LONGEST = 64, 200
LARGEST = 1 << 20  # GiB
SPOKEN = ("8 GB card", "12 GB card", "16 GB card", "24 GB card", "2x 24 GB card", "80 GB card")
PLAIN_MACHINES = ("16 GB laptop", "32 GB RAM", "64 GB RAM", "Mac 16 GB", "Mac 32 GB", "M4 Max 64 GB")

_NUMBER = r"(\d{1,7}(?:\.\d{1,3})?)"
_COUNT = re.compile(r"^(\d{1,3}) ?(?:x|×|\*) ?")
_SIZE = re.compile(rf"\b{_NUMBER} ?(?:gb|gib|g)\b")
_CARD = re.compile(rf"^{_NUMBER} ?(?:gb|gib|g) (?:of )?(?:(?:graphics|video) )?(?:cards?|gpus?|vram|memory card)$")
_MAIN = "ram|memory|laptop|notebook|desktop|computer|pc|server|machine"
_RAM = re.compile(rf"^{_NUMBER} ?(?:gb|gib|g)(?: (?:of )?(?:main )?(?:{_MAIN}))?$")
_APPLE = re.compile(r"^(?:apple )?(?:mac(?:book)?(?: (?:mini|studio|pro|air))?)?[ ,]*(m\d(?: (?:pro|max|ultra))?)?$")


@dataclass(slots=True)
class _Parts:
    """What was said so far; memory in GiB."""

    cards: list[Gpu]
    names: list[str]
    ram: float | None = None
    chip: str | None = None


def find_named_machine(text: str, folder: Path | None = None) -> Machine:
    """The machine that somebody means: one that is kept in the folder, a JSON file's, or one in words.

    Raises:
        UsageError: the words say no machine; the remedy lists what can be said.
    """
    said = text.strip()
    if not said or len(said) > LONGEST or re.search(r"(?:^|[\s,;+])-\s*\d", said):
        raise _unknown(said[:LONGEST], folder)
    if folder is not None and (kept := _kept(said, folder)):
        return kept
    path = _path(said)
    if path.suffix.lower() == ".json":
        return Machine.from_json(path)
    parts = _Parts([], [])
    for words in re.split(r",|;|\+(?! ?\d{3})|\band\b|\bwith\b", said, flags=re.IGNORECASE):
        if words.strip() and not _read(words, parts):
            raise _unknown(said, folder)
    return _made(parts, said, folder)


def _path(said: str) -> Path:
    try:
        return Path(said).expanduser()
    except RuntimeError:  # the home of an account that there is not
        return Path(said)


def named_machines(folder: Path | None = None) -> tuple[str, ...]:
    """What a menu can offer: the machines that are kept, then sizes, then cards by name."""
    kept = [_title(path) for path in _files(folder)] if folder is not None else []
    cards = dict.fromkeys(card.name for card in well_known())
    return (*kept, *SPOKEN, *PLAIN_MACHINES, *cards)


def slug(name: str) -> str:
    """The name of the file that keeps a machine: `my JupyterHub flavour` is in `my-jupyterhub-flavour.json`."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.suffix == ".json" and path.is_file())
    except OSError:
        return []


def _title(path: Path) -> str:
    try:
        return Machine.from_json(path).name
    except UsageError:
        return path.stem


def _kept(said: str, folder: Path) -> Machine | None:
    files, wanted = _files(folder), slug(said.removesuffix(".json"))
    for path in files:
        if path.stem == wanted:
            return Machine.from_json(path)
    found = (path for path in files if _title(path).casefold() == said.casefold())
    return next((Machine.from_json(path) for path in found), None)


def _read(words: str, parts: _Parts) -> bool:
    """Take in one part of what was said; False if it says nothing that is known."""
    said = words.replace("×", "x").strip().lower()
    counted = _COUNT.match(said)
    count = int(counted[1]) if counted else 1
    said = plain(said[counted.end() :] if counted else said)
    if not 1 <= count <= MOST_CARDS:
        return False
    if sized := _CARD.match(said):
        return _add(parts, count, _plain_card(float(sized[1])), f"{sized[1]} GB card")
    if card := find_card(re.sub(r" (?:cards?|gpus?)$", "", said)):
        return _shared(parts, card) if card.unified else _add(parts, count, _known(card), _title_of(card))
    return count == 1 and (_apple(said, parts) or _main(said, parts))


def _add(parts: _Parts, count: int, gpu: Gpu, name: str) -> bool:
    if not 0 < gpu.memory_total <= LARGEST * GIB or len(parts.cards) + count > MOST_CARDS:
        return False
    parts.cards += [gpu] * count
    parts.names.append(f"{count} x {name}" if count > 1 else name)
    return True


def _plain_card(memory: float) -> Gpu:
    """A card of which only the memory is known."""
    total = round(memory * GIB)
    free = max(total - RESERVE, 0)
    return Gpu(f"{memory:g} GB card", "", total, free, origin="description", memory_idle=free)


def _known(card: Card) -> Gpu:
    gpu = _plain_card(card.memory)
    return replace(gpu, name=card.name, vendor=card.vendor, bandwidth=card.bandwidth, compute=card.compute)


def _title_of(card: Card) -> str:
    several = sum(other.name == card.name for other in well_known()) > 1
    return f"{card.name} {card.memory} GB" if several else card.name


def _shared(parts: _Parts, card: Card) -> bool:
    if parts.cards:
        return False
    parts.ram = parts.ram or card.memory
    parts.names.append(card.name)
    parts.cards.append(replace(_known(card), unified=True))
    return True


def _apple(said: str, parts: _Parts) -> bool:
    match = _APPLE.match(_SIZE.sub(" ", said).strip())
    if match is None or not (match[1] or said.split()[:1] in (["mac"], ["macbook"]) or "mac" in said.split()):
        return False
    chip = match[1] and " ".join(word.capitalize() for word in match[1].split())
    sized = _SIZE.search(said)
    if parts.chip is not None or (sized and not _memory(parts, sized[1])):
        return False
    parts.chip = chip or ""
    parts.names.append(chip or "Mac")
    return True


def _main(said: str, parts: _Parts) -> bool:
    match = _RAM.match(said)
    if match is None or not _memory(parts, match[1]):
        return False
    if not parts.names and re.search(r"laptop|notebook|desktop|server", said):
        parts.names.append(said.split()[-1])
    return True


def _memory(parts: _Parts, number: str) -> bool:
    if parts.ram is not None or not 0 < float(number) <= LARGEST:
        return False
    parts.ram = float(number)
    return True


def _made(parts: _Parts, said: str, folder: Path | None) -> Machine:
    if parts.chip is not None and parts.cards:
        raise _unknown(said, folder)
    own = sum(gpu.memory_total for gpu in parts.cards if not gpu.unified) / GIB
    total = round((parts.ram or max(USUAL_RAM, 2 * own)) * GIB)
    idle = usual_idle(total)
    gpus = tuple(_sharing(gpu, total, idle) if gpu.unified else gpu for gpu in parts.cards)
    if parts.chip is not None:
        gpus = (_chip(parts.chip, total, idle),)
    names = [*parts.names]
    if parts.ram is not None:
        names.append(f"{parts.ram:g} GB" if parts.names else f"{parts.ram:g} GB RAM")
    rates = [gpu.bandwidth for gpu in gpus if gpu.unified and gpu.bandwidth]
    return Machine(
        name=", ".join(names) or said,
        cpu="",
        cores=CORES,
        ram_total=total,
        ram_available=idle,
        gpus=gpus,
        memory_bandwidth=max(rates, default=None),
        origins=dict.fromkeys(("ram_total", "ram_available", "ram_idle", "gpus"), "description"),
        ram_idle=idle,
    )


def _sharing(gpu: Gpu, total: int, idle: int) -> Gpu:
    return replace(gpu, memory_total=total, memory_free=idle, memory_idle=idle)


def _chip(chip: str, total: int, idle: int) -> Gpu:
    limit = wired_limit(total)
    name = f"Apple {chip}".strip() if chip else "Apple chip"
    return Gpu(name, "apple", limit, min(limit, idle), BANDWIDTH.get(chip), True, "description", min(limit, idle))


def _unknown(said: str, folder: Path | None) -> UsageError:
    kept = [_title(path) for path in _files(folder)] if folder is not None else []
    names = f" Kept here: {', '.join(kept)}." if kept else ""
    return UsageError(
        f"{said or 'nothing'} says no machine that is known.",
        remedy="Say something like 24 GB card, 2x 24 GB card, RTX 4090, RTX 3060 12 GB with 64 GB RAM, 16 GB laptop, "
        f"64 GB RAM, Mac 32 GB or M4 Max 64 GB, or give a JSON file that describes it.{names}",
    )
