"""The filters beside an answer of the catalogue: choices with how many models each would leave."""

from collections.abc import Mapping, Sequence
from typing import Any

from modelshelf.catalog.licences import COMMERCIAL
from modelshelf.catalog.query import TASKS, token_of
from modelshelf_dashboard.library.rows import FORMATS, LICENCES
from modelshelf_dashboard.texts import N_, _

FACETS = ("task", "license", "format", "library", "source", "ability")
CHOICES = 6
FITS = "is:fits"
STATES = (("is:recommended", N_("Recommended")), ("is:installed", N_("Installed")), ("is:gated", N_("Gated")))
SIZES = (
    ("size:<2GB", N_("up to 2 GB")),
    ("size:<4GB", N_("up to 4 GB")),
    ("size:<8GB", N_("up to 8 GB")),
    ("size:<16GB", N_("up to 16 GB")),
    ("size:<40GB", N_("up to 40 GB")),
)
CONTEXTS = (
    ("ctx:>=8k", N_("8 k tokens")),
    ("ctx:>=32k", N_("32 k tokens")),
    ("ctx:>=128k", N_("128 k tokens")),
    ("ctx:>=1M", N_("1 M tokens")),
)
PARAMETERS = (
    ("params:<1B", N_("up to 1 B")),
    ("params:1B..4B", N_("1 B to 4 B")),
    ("params:4B..9B", N_("4 B to 9 B")),
    ("params:9B..30B", N_("9 B to 30 B")),
    ("params:>=30B", N_("30 B and more")),
)
CHANGED = (
    ("updated:<7d", N_("7 days")),
    ("updated:<30d", N_("30 days")),
    ("updated:<1y", N_("a year")),
)
QUANTS = ("Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0", "IQ4_XS", "BF16")
ABILITIES = {
    "chat": N_("Chat"),
    "embed": N_("Embeddings"),
    "rerank": N_("Ranking"),
    "vision": N_("Images"),
    "audio": N_("Sound"),
}
SELECTS = (("size", SIZES), ("params", PARAMETERS), ("ctx", CONTEXTS), ("updated", CHANGED))
TASK_WORDS = {
    "task:chat": N_("Chat"),
    "task:embedding": N_("Embeddings"),
    "text-generation": N_("Text generation"),
    "image-text-to-text": N_("Images and text"),
    "feature-extraction": N_("Features of text"),
    "sentence-similarity": N_("Likeness of sentences"),
    "automatic-speech-recognition": N_("Speech to text"),
    "text-to-speech": N_("Text to speech"),
    "text-to-image": N_("Text to image"),
}

type Counts = Sequence[tuple[str, int]]


def groups(
    facets: Mapping[str, Counts],
    tokens: Sequence[str],
    *,
    labels: Mapping[str, str],
    providers: Mapping[str, str],
    counted: Mapping[str, int],
) -> list[dict[str, Any]]:
    """The groups of filters in their order.

    Args:
        facets: what the answer counted, by key.
        tokens: the filters in use.
        labels: what sources are called.
        providers: what the person's own providers are called.
        counted: how many models filters of their own would leave, so far as that is known by now.
    """

    def choice(token: str, label: str, count: int | None) -> dict[str, Any]:
        return {"token": token, "label": label, "count": count, "on": token in tokens}

    def asked(pairs: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
        return [choice(token, label, counted.get(token)) for token, label in pairs]

    def valued(key: str, words: Mapping[str, str], first: Sequence[dict[str, Any]] = ()) -> list[dict[str, Any]]:
        counts = {name.lower(): count for name, count in facets.get(key, ()) if '"' not in name}
        shown = {str(one["token"]) for one in first}
        used = [token.partition(":")[2].strip('"') for token in tokens if token.startswith(f"{key}:")]
        used = [name for name in used if f"{key}:{name}" not in shown]
        chosen = {name.lower(): name for name in used}  # a token stays as it was written
        names = [chosen.pop(name.lower(), name) for name, _count in facets.get(key, ())[:CHOICES] if '"' not in name]
        none = 0 if key in facets else None
        return [
            *first,
            *(
                choice(token_of(key, name), words.get(name) or name, counts.get(name.lower(), none))
                for name in [*names, *chosen.values()]
            ),
        ]

    tasks, licences = dict(facets.get("task", ())), dict(facets.get("license", ()))
    kinds = [
        choice(token, _(TASK_WORDS[token]), sum(tasks.get(name, 0) for name in TASKS[token.partition(":")[2]]))
        for token in ("task:chat", "task:embedding")
    ]
    commercial = sum(count for name, count in licences.items() if name.lower() in COMMERCIAL)
    free = choice("license:commercial", _("Commercial use"), commercial)
    sources = valued("source", labels)
    found = [
        _group(_("Runs on"), "compatibilityScore", asked([(f"provider:{k}", v) for k, v in providers.items()])),
        _group(_("Task"), "searchFiltering", valued("task", _task_words(tasks), kinds)),
        _group(_("Licence"), "licences", valued("license", LICENCES, [free])),
        *selects(tokens, counted),
        _group(_("Format"), "modelFormats", valued("format", FORMATS)),
        _group(_("Quantisation"), "modelFormats", _quants(tokens, counted)),
        _group(_("What it can do"), "searchFiltering", valued("ability", _abilities())),
        _group(_("State"), "searchFiltering", asked([(token, _(label)) for token, label in STATES])),
        _group(_("Library"), "searchFiltering", valued("library", {})),
        _group(_("Source"), "sources", sources if len(sources) > 1 else []),
    ]
    return [group for group in found if group["choices"]]


def own_counts(providers: Mapping[str, str]) -> list[str]:
    """The filters whose counts no facet tells, those that are looked at first first."""
    measured = (token for _key, choices in SELECTS for token, _label in choices)
    states = (token for token, _label in STATES)
    return [FITS, *(f"provider:{name}" for name in providers), *states, *measured, *(f"quant:{one}" for one in QUANTS)]


def selects(tokens: Sequence[str], counted: Mapping[str, int]) -> list[dict[str, Any]]:
    """The groups of which one choice holds at a time, with how many models each would leave."""
    titles = {
        "size": _("Size on disk"),
        "params": _("Parameters"),
        "ctx": _("Context at least"),
        "updated": _("Changed within"),
    }
    return [
        _group(titles[key], "searchFiltering", _one_of(choices, key, tokens, counted), kind="select", key=key)
        for key, choices in SELECTS
    ]


def _quants(tokens: Sequence[str], counted: Mapping[str, int]) -> list[dict[str, Any]]:
    usual = [f"quant:{name}" for name in QUANTS]
    known = {token.lower() for token in usual}
    own = [token for token in tokens if token.startswith("quant:") and token.lower() not in known]
    chosen = {token.lower() for token in tokens}
    return [
        {
            "token": next((one for one in tokens if one.lower() == token.lower()), token),
            "label": token.partition(":")[2],
            "count": counted.get(token),
            "on": token.lower() in chosen,
        }
        for token in [*usual, *own]
    ]


def _abilities() -> dict[str, str]:
    return {name: _(text) for name, text in ABILITIES.items()}


def _group(title: str, topic: str, choices: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {"title": title, "topic": topic, "choices": choices, **more}


def _task_words(tasks: Mapping[str, int]) -> dict[str, str]:
    plain = {name: name.replace("-", " ").capitalize() for name in tasks}
    return plain | {name: _(text) for name, text in TASK_WORDS.items() if name in tasks}


def _one_of(
    choices: Sequence[tuple[str, str]], key: str, tokens: Sequence[str], counted: Mapping[str, int]
) -> list[dict[str, Any]]:
    """Choices of which one holds at a time; a filter that somebody wrote himself is one of them."""
    known = [token for token, _label in choices]
    own = [(token, token) for token in tokens if token.startswith(f"{key}:") and token not in known]
    return [
        {"token": token, "label": _(label), "count": counted.get(token), "on": token in tokens}
        for token, label in [*choices, *own]
    ]
