"""The version of the rules, and the limits that every scanner keeps."""

from pathlib import PurePath

# A verdict holds for these rules only: raise the number with every change that could alter one.
RULES = "2026.11-4"

MEMORY_BYTES = 1 << 30  # address space of a scan
CPU_SECONDS = 60
WALL_SECONDS = 90

# Starting a process for each of many small files takes longer than scanning them: so many share one.
MOST_TOGETHER = 16
SMALL_BYTES = 1 << 20
MAX_REQUEST = 512 << 10

MAX_DEPTH = 3  # archives in archives
MAX_FINDINGS = 100  # more would only repeat
MAX_IN_MEMORY = 64 << 20  # a compressed member is unpacked up to here


def key(name: str) -> str:
    """What a verdict holds for, beside the bytes: these rules, and a name that ends like this one.

    The ending counts because a file that is not what its name promises is itself a finding.
    """
    return f"{RULES}{PurePath(name).suffix.lower()}"[:32]


def words(text: str) -> frozenset[str]:
    """The words of a text, for lists of names that are long but plain."""
    return frozenset(text.split())
