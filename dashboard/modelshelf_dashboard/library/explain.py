"""A model explained: turns what the services know into what the drawer shows."""

from collections.abc import Sequence
from typing import Any

from modelshelf.catalog.types import RepoAccess, RepoCard, RepoDetail
from modelshelf.compat.types import Compatibility, RankedFile
from modelshelf.providers.spec import Price, ServedModel
from modelshelf_dashboard import figures, fits
from modelshelf_dashboard.library.rows import FORMATS, licence_word
from modelshelf_dashboard.texts import _

HUB_PAGE = "https://huggingface.co/"


def heading(card: RepoCard) -> dict[str, Any]:
    """Title, who and when, and what it can do."""
    updated = _("updated {ago}", ago=figures.ago(card.modified)) if card.modified else ""
    sub = [figures.isolated(card.id.author), licence_word(card.licence), updated]
    chips = [
        *(FORMATS.get(name, name) for name in card.formats),
        _("{n} parameters", n=figures.parameters(card.parameters)) if card.parameters else "",
        _("{n} context", n=figures.tokens(card.context)) if card.context else "",
        card.architecture or "",
        card.task or "",
    ]
    return {
        "title": card.id.name,
        "sub": " · ".join(part for part in sub if part),
        "chips": [{"text": text} for text in chips if text],
    }


def fit(found: Compatibility, provider: str, facts: str = "") -> dict[str, Any]:
    """The score in figures and words, how it was come by, and where the memory goes; `facts` of what runs elsewhere."""
    sentence = found.summary or " ".join(reason.detail for reason in found.reasons)
    speed = fits.pace(found) if found.score else ""
    if speed and "tokens" not in sentence:
        sentence = f"{sentence} {_('About {pace}.', pace=speed)}"
    return {
        "where": _("On this machine · {provider}", provider=provider) if found.memory else provider,
        "score": found.score,
        "verdict": fits.verdict(found.score),
        "how": fits.sure(found),
        "sentence": sentence.strip(),
        "facts": facts,
        "memory": fits.bar(found),
        "quality": found.quality.detail if found.quality else "",
        "values": fits.values(found) if found.score else [],
    }


def elsewhere(served: ServedModel, latency: float | None) -> str:
    """What counts of a model that another machine runs."""
    price = served.price or Price()
    return fits.served_facts(served.context, (price.input, price.output), served.abilities, latency)


def served_heading(served: ServedModel, provider: str) -> dict[str, Any]:
    """Title and marks of a model that a provider serves and that has no files here."""
    chips = [
        {"text": _("no longer advised"), "tone": "warn"} if served.deprecated else None,
        {"text": _("until {day}", day=f"{served.retires:%d %B %Y}"), "tone": "warn"} if served.retires else None,
    ]
    return {
        "title": served.title or served.name,
        "sub": f"{provider} · {served.name}",
        "chips": [c for c in chips if c],
    }


def files(ranked: Sequence[RankedFile], *, offer: bool) -> list[dict[str, Any]]:
    """The files, best for this machine first."""
    shown = []
    for place, one in enumerate(ranked):
        name = one.quantisation or one.files[0].rpartition("/")[2]
        entry: dict[str, Any] = {"title": name, "size": figures.size(one.size), "score": one.compatibility.score}
        if offer and place:
            get = {"do": "get", "word": _("Get"), "label": _("Download {file}", file=name), "help": "downloadProcess"}
            entry["action"] = {**get, "context": {"files": list(one.files)}}
        shown.append({**entry, "best": place == 0 and len(ranked) > 1})
    return shown


def gate(card: RepoCard, *, hub: bool, access: RepoAccess = "unknown") -> dict[str, Any]:
    """What to do about a publisher who wants to be asked, and how far that is."""
    if access == "granted":
        return {"tone": "good", "text": _("The publisher let your account in."), "lines": []}
    lines = {
        "waiting": [_("You asked; the publisher has not answered yet. Look again later.")],
        "refused": [_("The publisher refused your account. Choose another model.")],
    }.get(
        access,
        [
            _("Open the model's page and accept its terms with your account."),
            _("Sign in with a token of that account under LLM Settings, Accounts. Then download it here as any other."),
        ],
    )
    note: dict[str, Any] = {"tone": "warn", "text": _("The publisher wants to be asked first."), "lines": lines}
    if hub:
        note["link"] = {"url": HUB_PAGE + card.repo, "word": _("The model's page on Hugging Face")}
    return note


def total(detail: RepoDetail) -> int:
    """Bytes of all files."""
    return sum(file.size for file in detail.files)
