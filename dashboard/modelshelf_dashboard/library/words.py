"""What Discover says beside its rows: orders, what a wrong word means, and what to do where nothing was found."""

from typing import TYPE_CHECKING, Any

from modelshelf_dashboard.library.asked import Wrong
from modelshelf_dashboard.library.found import Found
from modelshelf_dashboard.texts import N_, _

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf
    from modelshelf_dashboard.session import Navigation

SORTS = (
    ("downloads", N_("most downloaded")),
    ("compatibility", N_("best fit")),
    ("likes", N_("most liked")),
    ("trending", N_("trending")),
    ("modified", N_("changed last")),
    ("created", N_("newest")),
    ("-size", N_("smallest")),
    ("size", N_("largest")),
    ("params", N_("most parameters")),
    ("context", N_("longest context")),
)
KNOWN = (
    "format:gguf",
    "format:safetensors",
    "is:fits",
    "is:installed",
    "is:gated",
    "license:commercial",
    "license:apache-2.0",
    "license:mit",
    "source:samples",
    "size:<8GB",
    "params:<4B",
    "ctx:>=32k",
    "task:chat",
)


def tools(nav: "Navigation", found: Found) -> list[dict[str, Any]]:
    """What stands over the rows at the right: the order of a whole list, which columns, and to keep the search."""
    columns = {"kind": "columns", "key": "columns", "label": _("Columns")}
    if nav.collection == "unseen" and found.rows:
        return [{"kind": "button", "key": "seen", "label": _("I have seen these"), "help": "keptSearches"}, columns]
    if not found.whole or nav.collection:
        return [columns] if found.rows else []
    options = [{"value": value, "label": _(label)} for value, label in SORTS]
    shown: list[dict[str, Any]] = []
    if found.suggestion and found.rows:
        label = _("Did you mean {query}?", query=found.suggestion)
        shown.append({"kind": "button", "key": "take", "label": label, "help": "searchFiltering"})
    if nav.q or nav.filters:
        shown.append({"kind": "button", "key": "keep", "label": _("Keep this search"), "help": "keptSearches"})
    if not found.rows:
        return shown
    order = {"kind": "choice", "key": "sort", "label": _("Order"), "value": nav.sort, "options": options}
    return [*shown, order, columns]


def told_wrong(wrong: Wrong | None, text: str) -> dict[str, Any]:
    """What the box says below itself: the word that makes no sense, marked where it stands."""
    if wrong is None:
        return {}
    marked = wrong.at is not None
    start = wrong.at or 0
    return {
        "text": wrong.text,
        "remedy": wrong.remedy,
        "before": text[:start] if marked else "",
        "word": text[start : start + len(wrong.word)] if marked else "",
        "after": text[start + len(wrong.word) :] if marked else "",
    }


def empty(nav: "Navigation", found: Found, shelf: "Shelf") -> dict[str, Any]:
    """What to say and do where there are no rows."""
    if nav.collection:
        return _EMPTY_COLLECTIONS.get(nav.collection, _nothing_here)()
    if found.suggestion:
        take = {"do": "take", "word": found.suggestion, "kind": "primary", "help": "searchFiltering"}
        return {"text": _("Nothing fits these words."), "remedy": _("Did you mean:"), "action": take}
    if nav.filters:
        clear = {"do": "clear", "word": _("Clear the filters"), "help": "searchFiltering"}
        remedy = _("Take a filter away, or use other words.")
        return {"text": _("Nothing fits these words and filters."), "remedy": remedy, "action": clear}
    remedy = _("Use fewer or other words; bare words are looked for in the name.")
    if shelf.catalog_state.generation:
        return {"text": _("The list has no such model."), "remedy": remedy}
    return {"text": _("No source knows such a model."), "remedy": remedy}


def _no_favourites() -> dict[str, Any]:
    return {"text": _("You have no favourites yet."), "remedy": _("Open a model and press “Keep as favourite”.")}


def _none_recent() -> dict[str, Any]:
    return {"text": _("You have not looked at a model yet."), "remedy": _("Those you open are listed here.")}


def _nothing_here() -> dict[str, Any]:
    return {"text": _("Nothing here at the moment."), "remedy": _("Press the collection again to see all models.")}


def _none_unseen() -> dict[str, Any]:
    text = _("Nothing is new since you last looked.")
    return {"text": text, "remedy": _("What comes from now on is listed here until you have seen it.")}


_EMPTY_COLLECTIONS = {"favourites": _no_favourites, "recent": _none_recent, "unseen": _none_unseen}
