"""Regular expressions that can take for ever: an unbounded repeat within an unbounded repeat."""

import re
from dataclasses import dataclass, field

_PIECE = re.compile(
    r"\\[pP]\{[^}]*\}|\\.|\[(?:\\.|[^\]\\])*\]|\(\?(?:[=!>:]|<[=!]|P?<\w+>|[a-zA-Z-]*[:)])|[()|*+?]|\{\d*,?\d*\}|.",
    re.DOTALL,
)
MAX_PIECES = 20_000


@dataclass(slots=True)
class _Group:
    """An open group: does it repeat without bound, what does each alternative begin with, does it never go back?"""

    atomic: bool = False
    repeats: bool = False
    starts: list[str] = field(default_factory=lambda: [""])

    def begin(self, piece: str) -> None:
        if not self.starts[-1]:
            self.starts[-1] = piece

    def ambiguous(self) -> bool:
        """Whether repeating it could match the same text in several ways."""
        if self.atomic:
            return False
        wide = any(start == "." or start.startswith(("[^", "\\w", "\\S", "\\W", "\\D")) for start in self.starts)
        alike = len(self.starts) > 1 and (wide or len(set(self.starts)) < len(self.starts))
        return self.repeats or alike


def is_catastrophic(pattern: str) -> bool:
    """Whether a backtracking engine may need exponential time on some text."""
    pieces = _PIECE.findall(pattern)
    if len(pieces) > MAX_PIECES:
        return True
    open_groups, closed = [_Group()], None
    for piece, following in zip(pieces, [*pieces[1:], ""], strict=False):
        if piece.startswith("(") and not piece.endswith(")"):
            open_groups.append(_Group(atomic=piece == "(?>"))
            closed = None
        elif piece == ")" and len(open_groups) > 1:
            closed = open_groups.pop()
            # What repeats inside a group repeats inside those around it.
            open_groups[-1].repeats |= closed.repeats and not closed.atomic
            open_groups[-1].begin("".join(closed.starts))
        elif piece == "|":
            open_groups[-1].starts.append("")
            closed = None
        elif _unbounded(piece):
            possessive = following == "+"
            if closed is not None and not possessive and closed.ambiguous():
                return True
            open_groups[-1].repeats |= not possessive
            closed = None
        elif piece not in ("?", "{"):
            open_groups[-1].begin(piece)
            closed = None
    return False


def _unbounded(piece: str) -> bool:
    if piece in ("*", "+"):
        return True
    if not piece.startswith("{") or len(piece) < 3:
        return False
    low, comma, high = piece[1:-1].partition(",")
    return bool(comma and (low or high)) and (not high or int(high) > 1000)
