"""A model explained: turns what the services know into what the drawer shows."""

from collections.abc import Sequence
from typing import Any

from modelshelf.catalog.types import RepoAccess, RepoCard, RepoDetail
from modelshelf.compat.types import Compatibility, Memory, RankedFile
from modelshelf.config import EngineConfig
from modelshelf_dashboard import figures
from modelshelf_dashboard.library.rows import FORMATS, licence_word
from modelshelf_dashboard.state_words import confidence_word
from modelshelf_dashboard.texts import _

SETTABLE = frozenset(EngineConfig.model_fields)
HUB_PAGE = "https://huggingface.co/"


def heading(card: RepoCard) -> dict[str, Any]:
    """Title, who and when, and what it can do."""
    updated = _("updated {ago}", ago=figures.ago(card.modified)) if card.modified else ""
    sub = [card.id.author, licence_word(card.licence), updated]
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


def fit(found: Compatibility) -> dict[str, Any]:
    """The score, how it was come by, a sentence, and where the memory goes."""
    sentence = found.summary or " ".join(reason.detail for reason in found.reasons)
    runs = bool(found.score)
    if runs and found.speed:
        low, high = found.speed
        pace = f"{low:.0f}–{high:.0f}" if high < 1000 else _("more than {n}", n=f"{low:,.0f}")
        sentence = f"{sentence} {_('About {pace} tokens/s.', pace=pace)}" if "tokens" not in sentence else sentence
    return {
        "score": found.score,
        "how": confidence_word(found.confidence),
        "sentence": sentence.strip(),
        "memory": memory(found.memory, found.budget) if runs or _too_big(found) else [],
    }


def _too_big(found: Compatibility) -> bool:
    return any(reason.code == "MEM_EXCEEDS" for reason in found.reasons)


def memory(need: Memory | None, budget: int | None) -> list[dict[str, Any]]:
    """The parts of the memory bar; the rest is what stays free."""
    if need is None or not budget:
        return []
    parts = [
        (_("weights"), need.weights, "s4"),
        (_("context"), need.kv + need.recurrent, "s3"),
        (_("work"), need.compute + need.output, "s2"),
        (_("free"), max(0, budget - need.total), "track"),
    ]
    return [
        {"label": label, "told": figures.memory(count), "share": count / budget, "colour": colour}
        for label, count, colour in parts
    ]


def fix(found: Compatibility) -> dict[str, Any] | None:
    """The proposal that helps most of those that can be applied, with its effect."""
    better = [
        one for one in found.fixes if one.score > (found.score or 0) and one.apply and SETTABLE.issuperset(one.apply)
    ]
    if not better:
        return None
    best = max(better, key=lambda one: one.score)
    effect = _("Its fit becomes {n}. The built-in engine then loads every model so.", n=best.score)
    apply = {"do": "apply", "word": _("Apply"), "help": "memory", "context": {"settings": dict(best.apply)}}
    return {"text": best.detail, "effect": effect, "action": apply}


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
