"""Adds or changes a provider: pick a kind, fill in, test, save. What is typed as a key never stays in a parameter."""

from typing import Any

import param

from modelshelf_dashboard.components.piece import Piece, script, style
from modelshelf_dashboard.texts import _


class ProviderForm(Piece):
    """Tells `{do: choose, kind, url}`, `{do: test | ping | save | insist, values}`, `{do: back}` and `{do: dismissed}`.

    `values` maps the names of fields to what is in them.
    """

    kinds = param.List(default=[], item_type=dict, doc="`{kind, label, about, group, url}`, as they are to be shown")
    form = param.Dict(
        default={},
        doc="`{title, about, fields, back}`; fields: `{name, label, kind, value, help, options, more}`; empty: choose",
    )
    open = param.Boolean(default=False, doc="whether it is shown")
    verdict = param.Dict(default={}, doc="`{tone, text, remedy, ping, insist}`: what the test said")
    busy = param.String(default="", doc="what is being waited for, empty when nothing is")

    _esm = script("provider_form")
    _stylesheets = style("provider_form")

    def __init__(self, **params: Any) -> None:
        words = {
            "add": _("Add a provider"),
            "find": _("Find a kind or a cloud service"),
            "none": _("Nothing here has such a name. An OpenAI-compatible server takes any address."),
            "cancel": _("Cancel"),
            "back": _("Back"),
            "test": _("Test"),
            "save": _("Save"),
            "ping": _("Prove it: ask a model for one token"),
            "insist": _("Save it all the same"),
            "more": _("More settings"),
            "loading": _("Loading"),
        }
        super().__init__(words=words, **params)
