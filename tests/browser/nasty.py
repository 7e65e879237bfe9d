"""Every component, filled with markup wherever a text can come from outside."""

import pkgutil
from importlib import import_module
from pathlib import Path
from typing import Any

import panel as pn

from modelshelf_dashboard import components
from modelshelf_dashboard.components.notices import Notices
from modelshelf_dashboard.components.piece import Piece

NASTY = "'\"`><img class=hit src=x onerror=\"window.hit=1\">&lt;b class=hit onmouseover='window.hit=1'"
# Not texts: what to do, which control, which state. They are ours.
OURS = frozenset({"do", "kind", "key", "state", "role", "status", "context"})


def nasty(sample: Any) -> Any:
    """The sample with markup in the place of each text."""
    if isinstance(sample, str):
        return NASTY
    if isinstance(sample, list):
        return [nasty(item) for item in sample]
    if isinstance(sample, dict):
        return {name: value if name in OURS else nasty(value) for name, value in sample.items()}
    return sample


ACTION = {"do": "open", "word": "x", "label": "x", "help": "x", "kind": "primary"}
PAIR = {"name": "x", "value": "x", "tone": "x", "dot": "x"}
CHIP = {"text": "x", "tone": "x"}
NOTE = {"text": "x", "remedy": "x", "action": ACTION}
FIELD = {"name": "x", "label": "x", "help": "x", "hint": "x"}
FIELDS = [
    {**FIELD, "kind": "text", "value": "x"},
    {**FIELD, "kind": "secret", "value": "x"},
    {**FIELD, "kind": "number", "value": 1},
    {**FIELD, "kind": "switch", "value": True},
    {**FIELD, "kind": "choice", "value": "x", "options": ["x", "x"]},
    {**FIELD, "kind": "names", "value": ["x"], "more": True},
]
OPTIONS = [{"value": "x", "label": "x", "group": "x"}, {"value": "x", "label": "x"}]
QUESTIONS = [
    {**FIELD, "error": "x", "kind": "text", "value": "x"},
    {**FIELD, "kind": "password", "value": "x"},
    {**FIELD, "kind": "number", "value": 1, "min": "x", "max": "x", "step": "x"},
    {**FIELD, "kind": "checkbox", "value": True},
    {**FIELD, "kind": "select", "value": "x", "options": OPTIONS},
    {**FIELD, "kind": "select", "value": "x", "options": OPTIONS, "free": True},
    {**FIELD, "kind": "list", "value": ["x"], "options": OPTIONS, "add": "x"},
    {**FIELD, "kind": "list", "value": ["x"], "options": OPTIONS, "free": True, "more": True},
    {**FIELD, "kind": "textarea", "value": "x", "file": "x", "save": "x", "more": True},
]
MARK = {"text": "x", "tip": "x"}
MEMORY = [{"label": "x", "told": "x", "share": 1, "colour": "s4"}]
EXPLAINED = {
    "title": "x", "score": 50, "verdict": "x", "sentence": "x", "memory": MEMORY, "rows": [{"name": "x", "value": "x"}],
    "fix": {"text": "x", "score": 60, "action": ACTION}, "note": "x", "actions": [ACTION],
}  # fmt: skip
ROW = {
    "id": "x", "title": "x", "mark": MARK, "sub": "x", "more": "x", "dot": "x", "chips": [CHIP], "actions": [ACTION],
    "cells": {
        "a": {"main": "x", "sub": "x", "tone": "x"}, "b": {"score": 50, "explains": True},
        "c": {"main": "x", "percent": 1, "job": "x", "label": "x"}, "d": {"main": "x", "sub": "x"},
    },
}  # fmt: skip
COLUMNS = [
    {"key": "a", "label": "x", "kind": "text", "width": "10px"},
    {"key": "b", "label": "x", "kind": "fit", "width": "10px"},
    {"key": "c", "label": "x", "kind": "progress", "width": "10px"},
    {"key": "d", "label": "x", "kind": "figure", "width": "10px", "wide": True},
]
TABLE = {"columns": COLUMNS, "rows": [ROW], "status": "x", "label": "x", "heading": "x", "topic": "x", "note": NOTE}
CHOICES = [{"token": "x", "label": "x", "count": 1, "on": True}]
KEPT = {"do": "x", "id": "x", "label": "x", "title": "x", "fresh": "x"}
TOOLS = [
    {"kind": "choice", "key": "x", "label": "x", "value": "x", "options": OPTIONS},
    {"kind": "columns", "key": "x", "label": "x"},
    {"kind": "button", "key": "x", "label": "x", "help": "x"},
]
MODEL = {
    "facts": [{"name": "x", "value": "x"}],
    "commits": {"items": [{"title": "x", "sub": "x", "mark": "x"}], "more": "x", "link": {"url": "x", "word": "x"}},
    "lists": [{"title": "x", "items": [{"id": "x", "title": "x", "sub": "x"}]}],
    "title": "x", "sub": "x", "chips": [CHIP], "pending": True, "actions": [ACTION],
    "fit": {"where": "x", "score": 50, "verdict": "x", "how": "x", "sentence": "x", "facts": "x", "memory": MEMORY,
            "quality": "x", "values": [{"label": "x", "percent": 50}]},
    "fixes": [{"text": "x", "score": 60, "action": ACTION}],
    "providers": [{"title": "x", "sub": "x", "score": None}, {**ROW, "score": 50, "chosen": True}],
    "files": [{"title": "x", "size": "x", "score": 1, "best": True, "action": ACTION}],
    "notes": [{"tone": "x", "text": "x", "lines": ["x"], "link": {"url": "x", "word": "x"}}],
}  # fmt: skip
JOB = {
    "id": "x", "title": "x", "detail": "x", "status": "transferring", "word": "x", "moving": False,
    "done": 1, "total": 0, "rate": 0, "eta": None,
}  # fmt: skip

SECTION = {
    "id": "x", "title": "x", "count": "x", "more": "x", "actions": [ACTION],
    "rows": [{
        "id": "x", "title": "x", "sub": "x", "tags": ["x"], "moving": True, "track": True, "word": "x", "tone": "x",
        "note": "x", "done": 1, "total": 2, "rate": 1, "eta": 1, "actions": [ACTION], "more": [ACTION], "open": True,
        "lines": ["x"], "left": "x",
        "files": [{"path": "x", "size": 2, "done": 1, "word": "x", "tone": "x", "note": "x", "action": ACTION}],
    }],
}  # fmt: skip

SHIELD = {"kind": "blocked", "word": "x", "tip": "x"}
FINDING = {"title": "x", "rule": "x", "where": "x", "could": "x", "todo": "x", "tone": "x"}
VERDICT = {
    "id": "x", "title": "x", "sub": "x", "shield": SHIELD, "lead": "x", "left": "x", "actions": [ACTION],
    "notes": [{"tone": "x", "text": "x", "lines": ["x"]}], "facts": [{"name": "x", "value": "x", "code": True}],
    "files": [{"path": "x", "shield": SHIELD, "note": "x", "findings": [FINDING]}],
}  # fmt: skip

# By component, one or more ways to fill it; none: it shows no text from outside.
SAMPLES: dict[str, list[dict[str, Any]]] = {
    "Beside": [
        {
            "models": [{"id": "x", "title": "x", "sub": "x", "actions": [ACTION]}],
            "facts": [{"label": "x", "values": [{"main": "x", "score": 50}]}, {"label": "x", "values": [None]}],
        }
    ],
    "Cards": [{"cards": [{"id": "x", "title": "x", "sub": "x", "pairs": [PAIR], "text": "x", "actions": [ACTION]}]}],
    "Chat": [
        {"title": "x", "subtitle": "x", "turns": [{"role": "assistant", "text": "x", "note": "x", "tone": "x"}]},
        {"title": "x", "subtitle": "x", "live": "x", "busy": True, "waiting": "x"},
        {"others": [{"value": "x", "label": "x"}] * 2, "beside": "x"},
    ],
    "Checklist": [
        {
            "shown": {
                "title": "x", "text": "x", "tone": "bad", "told": "x", "busy": True, "share": 50, "help": "x",
                "actions": [ACTION], "options": [{"id": "x", "label": "x", "on": True, "why": "x"}],
                "groups": [
                    {
                        "title": "x",
                        "rows": [
                            {"tone": "x", "word": "x", "name": "x", "figure": "x", "text": "x", "remedy": "x",
                             "action": ACTION},
                        ],
                    }
                ],
            }
        }
    ],
    "Checkup": [
        {
            "shown": {
                "text": "x", "sub": "x", "tone": "x", "done": 1, "total": 2, "told": "x", "actions": [ACTION],
                "troubles": [{"id": "x", "title": "x", "word": "x", "text": "x", "tone": "x"}], "left": "x",
            }
        }
    ],
    "Dialog": [
        {
            "question": {
                "id": "x", "title": "x", "lines": ["x"], "word": "x", "help": "x", "error": "x", "busy": "x",
                "note": {"tone": "x", "text": "x"}, "actions": [ACTION], "fields": QUESTIONS,
            }
        },
        {"question": {"id": "x", "title": "x", "lines": ["x"]}},
    ],
    "Dock": [{"jobs": [JOB, JOB]}],
    "Drawer": [
        {"shown": MODEL, "state": "ready"},
        {"shown": {"title": "x"}, "state": "loading"},
        {"shown": {"title": "x"}, "note": NOTE, "state": "error"},
    ],
    "Filters": [
        {
            "machine": "x",
            "groups": [
                {"title": "x", "topic": "x", "choices": CHOICES},
                {"title": "x", "topic": "x", "kind": "select", "key": "x", "choices": CHOICES},
            ],
            "kept": [{"title": "x", "items": [{**KEPT, "removable": True, "on": True, "count": "x"}]}],
            "foot": {"text": "x", "actions": [ACTION]},
        }
    ],
    "Greeter": [],
    "HeatMap": [
        {
            "rows": [{"id": "x", "title": "x", "sub": "x"}], "columns": [{"id": "x", "title": "x"}], "ramp": ["x"],
            "status": "x", "cells": {NASTY: {NASTY: {"score": 50, "told": "x"}}}, "state": "ready",
            "choices": [
                {"name": "x", "label": "x", "kind": "select", "value": "x", "options": OPTIONS},
                {"name": "x", "label": "x", "kind": "many", "value": ["x"], "options": OPTIONS},
            ],
        },
        {"state": "empty", "note": NOTE},
    ],
    "HelpPanel": [{"topics": [{"key": "a", "title": "x", "text": "x"}], "keys": [{"keys": ["x"], "text": "x"}]}],
    "News": [
        {
            "items": [
                {"id": "x", "tone": "x", "dot": "x", "title": "x", "word": "x", "text": "x", "action": ACTION}
            ],
            "left": "x", "inline": True,
        },
        {"items": [], "inline": True},
    ],
    "Notices": [{"items": [{"id": "x", "tone": "x", "text": "x", "remedy": "x", "action": ACTION}]}],
    "Overlay": [{"word": "x", "title": "x"}],
    "ProviderForm": [
        {"open": True, "kinds": [{"kind": "x", "label": "x", "about": "x", "group": "x", "url": "x"}]},
        {
            "open": True, "form": {"title": "x", "about": "x", "fields": FIELDS, "back": True},
            "verdict": {"tone": "x", "text": "x", "remedy": "x", "insist": True},
        },
        {"open": True, "form": {"title": "x", "about": "x", "fields": FIELDS}, "busy": "x"},
    ],
    "Queue": [{"sections": [SECTION], "state": "ready", "label": "x"}, {"state": "error", "note": NOTE}],
    "Router": [{"title": "x", "events": []}],
    "Search": [
        {"text": "x", "tokens": ["x"], "label": "x", "topic": "x", "sheet": True},
        {
            "known": ["x"], "action": ACTION, "proposals": ["x"],
            "wrong": {"text": "x", "remedy": "x", "before": "x", "word": "x", "after": "x"},
        },
    ],
    "Shell": [],
    "Table": [
        {**TABLE, "state": "ready", "tools": TOOLS, "pages": {"offset": 50, "size": 50, "total": 200}},
        {**TABLE, "state": "stale", "chosen": "x"},
        {**TABLE, "rows": [], "state": "error"},
    ],
    "Tabs": [{"value": "a", "label": "x", "views": [{"key": "a", "label": "x", "topic": "x", "count": 3}]}],
    "TopBar": [{"providers": {"tone": "x", "text": "x"}, "active": 1, "person": {"name": "x", "role": "x"}}],
    "Verdict": [
        {"shown": VERDICT, "state": "ready"},
        {"shown": VERDICT, "state": "stale", "note": NOTE, "busy": "x"},
        {"shown": {"title": "x"}, "state": "error", "note": NOTE},
    ],
    "WhatIf": [
        {
            "offer": {
                "contexts": [512, 1024], "kvs": ["x"], "slots_most": 2, "machines": OPTIONS, "context": 512, "kv": "x",
                "slots": 1, "machine": "x",
            },
            "answer": {**EXPLAINED, "before": 40, "use": {**ACTION, "off": True, "why": "x"}}, "folded": False,
            "title": "x",
        }
    ],
}  # fmt: skip

# The last one shows that all before it are drawn.
APP = f"""
import sys

sys.path.insert(0, {str(Path(__file__).parents[2])!r})

from tests.browser.nasty import page

page().servable()
"""


def answering(piece: Piece) -> Piece:
    """A component whose badges are answered when they are asked."""

    def heard(message: dict[str, Any]) -> None:
        if message["do"] == "explain":
            piece.tell(explained={**nasty(EXPLAINED), "id": message["id"]})

    piece.listen(heard)
    return piece


def page() -> pn.Column:
    """All components."""
    for module in pkgutil.iter_modules(components.__path__):
        import_module(f"{components.__name__}.{module.name}")
    kinds = {kind.__name__: kind for kind in Piece.__subclasses__()}
    shown = [
        answering(kinds[name](**nasty(sample), css_classes=[f"piece-{name}"]))
        for name, samples in SAMPLES.items()
        for sample in samples
    ]
    last = Notices(items=[{"id": "last", "tone": "good", "text": NASTY}], css_classes=["piece-last"])
    return pn.Column(*shown, last)
