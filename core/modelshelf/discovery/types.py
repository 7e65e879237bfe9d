"""What helps to find models."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from modelshelf.catalog.columns.mapped import Row
    from modelshelf.catalog.columns.pages import Page


@dataclass(frozen=True, slots=True)
class SavedSearch:
    """A query under a name. `fresh` models of its answer came into being since it was last looked at."""

    name: str
    query: str
    sort: str
    looked: datetime
    fresh: int = 0


@dataclass(frozen=True, slots=True)
class Unseen:
    """What came into being `since` a person last looked, a page of it, the newest first."""

    since: datetime
    page: "Page"


@dataclass(frozen=True, slots=True)
class Relatives:
    """What goes together with a model, the most downloaded first.

    `base`: what it was made of; where the catalogue does not have it, its name alone is in `named`. `derived`: what was
    made of it, by the kind (finetune, quantized, adapter, merge); `counts` says how many there are of each. `formats`:
    the same model by its format, as others or its maker offer it.
    """

    base: tuple["Row", ...] = ()
    named: tuple[str, ...] = ()
    derived: Mapping[str, tuple["Row", ...]] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    formats: Mapping[str, tuple["Row", ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Drift:
    """An installed commit beside what the catalogue knows: status is newest | newer | gone | unknown.

    `newer`: the source has another commit by now, `commit`. `gone`: a source that was listed whole has it no more.
    """

    repo: str
    installed: str
    status: str
    source: str = ""
    commit: str = ""
