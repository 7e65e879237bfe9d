"""The filters beside an answer of the catalogue: choices with how many models each would leave."""

from collections.abc import Mapping, Sequence
from typing import Any

from modelshelf.catalog.licences import COMMERCIAL
from modelshelf.catalog.query import TASKS
from modelshelf_dashboard.library.rows import FORMATS, LICENCES
from modelshelf_dashboard.texts import N_, _

FACETS = ("task", "license", "format", "library", "source")
CHOICES = 6
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
        counts = dict(facets.get(key, ()))
        names = list(counts)[:CHOICES]
        used = [token.partition(":")[2] for token in tokens if token.startswith(f"{key}:")]
        shown = {str(one["token"]) for one in first}
        names += [name for name in used if name not in names and f"{key}:{name}" not in shown]
        return [*first, *(choice(f"{key}:{name}", words.get(name) or name, counts.get(name)) for name in names)]

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
        _group(_("Size on disk"), "searchFiltering", _one_of(SIZES, "size", tokens), kind="select", key="size"),
        _group(_("Context at least"), "searchFiltering", _one_of(CONTEXTS, "ctx", tokens), kind="select", key="ctx"),
        _group(_("Format"), "modelFormats", valued("format", FORMATS)),
        _group(_("State"), "searchFiltering", asked([(token, _(label)) for token, label in STATES])),
        _group(_("Library"), "searchFiltering", valued("library", {})),
        _group(_("Source"), "sources", sources if len(sources) > 1 else []),
    ]
    return [group for group in found if group["choices"]]


def own_counts(providers: Mapping[str, str]) -> list[str]:
    """The filters whose counts no facet tells."""
    return [*(f"provider:{name}" for name in providers), *(token for token, _label in STATES)]


def _group(title: str, topic: str, choices: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {"title": title, "topic": topic, "choices": choices, **more}


def _task_words(tasks: Mapping[str, int]) -> dict[str, str]:
    plain = {name: name.replace("-", " ").capitalize() for name in tasks}
    return plain | {name: _(text) for name, text in TASK_WORDS.items() if name in tasks}


def _one_of(choices: Sequence[tuple[str, str]], key: str, tokens: Sequence[str]) -> list[dict[str, Any]]:
    """Choices of which one holds at a time; a filter that somebody wrote himself is one of them."""
    known = [token for token, _label in choices]
    own = [(token, token) for token in tokens if token.startswith(f"{key}:") and token not in known]
    return [
        {"token": token, "label": _(label), "count": None, "on": token in tokens} for token, label in [*choices, *own]
    ]
