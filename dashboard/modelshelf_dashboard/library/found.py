"""What a search found, wherever it looked, as Discover shows it."""

from dataclasses import dataclass, field
from typing import Any

from modelshelf.catalog.types import RepoCard
from modelshelf_dashboard.library.asked import Wrong


@dataclass(frozen=True, slots=True)
class Found:
    """Rows in their order: `total` models match, these are from the `offset`-th on.

    `groups` are the filters beside it; None while they stay as they are. `rest` is what else there is to say.
    """

    rows: tuple[RepoCard, ...]
    total: int
    status: str
    offset: int = 0
    groups: list[dict[str, Any]] | None = None
    suggestion: str = ""
    fitting: int | None = None
    """How many models would be left by those alone that fit this machine; None while it is not known."""
    notices: list[dict[str, Any]] = field(default_factory=list)
    wrong: Wrong | None = None
    whole: bool = True
    """Whether these are some rows of a list that goes on, to be looked through page by page."""
    settled: bool = True
    """Whether nobody waits for it: what is typed on is answered first, and judged in full when typing pauses."""
