"""An answer about a fit in plain words: what badges, the drawer, the heat map and “what if” say of it."""

from collections.abc import Mapping, Sequence
from typing import Any

from modelshelf.compat.speed import MOST
from modelshelf.compat.types import Compatibility, Fix, Memory
from modelshelf_dashboard import figures
from modelshelf_dashboard.state_words import confidence_word
from modelshelf_dashboard.texts import N_, _

FINE = 0.9  # a value from here on holds nothing down
_VERDICTS = (
    (85, N_("Runs well")),
    (65, N_("Runs")),
    (40, N_("Runs with limits")),
    (1, N_("Hardly runs")),
    (0, N_("Does not run")),
)
_VALUES = {
    "memory": (N_("Room in memory"), N_("little memory stays free")),
    "speed": (N_("Speed"), N_("it writes slowly")),
    "fidelity": (N_("Precision kept"), N_("its quantisation is coarse")),
    "context": (N_("Context"), N_("it takes in less at once than was asked for")),
    "abilities": (N_("Abilities"), N_("the file does not say how to chat with it")),
}
_DEEDS = {"FILE": N_("Take it"), "PROVIDER": N_("Show"), "UNLOAD": N_("Unload")}


def verdict(score: int | None) -> str:
    """A score in words."""
    if score is None:
        return _("No score")
    return _(next(word for least, word in _VERDICTS if score >= least))


def badge_words() -> dict[str, Any]:
    """What a component with badges needs to say."""
    return {
        "verdicts": [[least, _(word)] for least, word in _VERDICTS],
        "unscored": _("No score"),
        "explain": _("Fit of {what}: {score}, {verdict}"),
        "memory": _("Memory"),
        "close": _("Close"),
        "looking": _("Looking for a better setting"),
    }


def pace(found: Compatibility) -> str:
    """How fast, as a range or as measured; empty where it is not known."""
    if not found.speed or not found.speed[1]:
        return ""
    low, high = found.speed
    if low >= MOST:
        return _("more than {n} tokens/s", n=f"{MOST:,.0f}")
    told = [f"{value:.0f}" if low >= 3 else f"{value:.1f}" for value in (low, min(high, MOST))]
    return _("{n} tokens/s", n=told[0] if told[0] == told[1] else "–".join(told))


def pace_origin(found: Compatibility) -> str:
    """Where the speed comes from."""
    return _("measured here") if found.measured else _("reckoned from the memory's bandwidth")


def sure(found: Compatibility) -> str:
    """How an answer was come by."""
    if any(reason.code == "SERVED_ELSEWHERE" for reason in found.reasons):
        return _("from what the provider says")
    return confidence_word(found.confidence)


def held_down(found: Compatibility) -> str:
    """What holds the score down most; empty where nothing does or nobody knows."""
    if found.score == 0:
        return found.reasons[0].detail if found.reasons else ""
    if not found.values:
        return ""
    name, value = min(found.values.items(), key=lambda pair: pair[1])
    if value >= FINE:
        return _("nothing much")
    what, why = _VALUES.get(name, (name, ""))
    return f"{_(what)}: {_(why)}" if why else _(what)


def values(found: Compatibility) -> list[dict[str, Any]]:
    """The five values of the score, 0 to 100 each."""
    return [
        {"label": _(_VALUES[name][0]) if name in _VALUES else name, "percent": round(100 * value)}
        for name, value in found.values.items()
    ]


def memory(need: Memory | None, budget: int | None) -> list[dict[str, Any]]:
    """The parts of the memory bar; the rest is what stays free."""
    if need is None or not budget:
        return []
    parts = [
        (_("weights"), need.weights, "s4"),
        (_("context"), need.kv + need.recurrent, "s3"),
        (_("work"), need.compute + need.output, "s2"),
        (_("free"), budget - need.total, "track") if need.total <= budget else None,
    ]
    shown = [
        {"label": part[0], "told": figures.memory(part[1]), "share": part[1] / budget, "colour": part[2]}
        for part in parts
        if part
    ]
    lacks = need.total - budget
    return (
        [*shown, {"label": _("missing"), "told": figures.memory(lacks), "share": 0, "colour": "bad"}]
        if lacks > 0
        else shown
    )


def bar(found: Compatibility) -> list[dict[str, Any]]:
    """The memory bar of an answer; none where memory is not the question."""
    return memory(found.memory, found.budget) if found.score or _too_big(found) else []


def better(found: Compatibility) -> list[Fix]:
    """The changes that bring something, the best first; of equals the one that can be made from here."""
    useful = [one for one in found.fixes if one.score > (found.score or 0)]
    return sorted(useful, key=lambda one: (one.score, bool(one.apply)), reverse=True)


def fix(one: Fix, provider: str) -> dict[str, Any]:
    """A change with its effect and the button that makes it, if one can; it is known again by its sentence."""
    if not one.apply:
        return {"text": one.detail, "score": one.score, "action": None}
    action = {
        "do": "fix",
        "word": _(_DEEDS.get(one.code, N_("Apply"))),
        "label": f"{_(_DEEDS.get(one.code, N_('Apply')))}: {one.detail}",
        "help": "compatibilityFixes",
        "context": {"provider": provider, "fix": one.detail},
    }
    return {"text": one.detail, "score": one.score, "action": action}


def chosen_fix(found: Compatibility | None, context: Mapping[str, Any]) -> Fix | None:
    """The change that a button meant; None if the answer has become another since."""
    wanted = context.get("fix")
    return next((one for one in found.fixes if one.detail == wanted), None) if found else None


def told(found: Compatibility, title: str, *, pending: bool = False, listed: int | None = None) -> dict[str, Any]:
    """What a badge says when it is asked.

    `pending`: better settings are still being looked for. `listed` is the score that the list shows, said where it is
    another one.
    """
    speed = pace(found) if found.score else ""
    rows = [
        {"name": _("Held down by"), "value": held_down(found)},
        {"name": _("Speed"), "value": f"{speed}, {pace_origin(found)}" if speed else ""},
        {"name": _("How sure"), "value": sure(found)},
    ]
    best = better(found)[:1]
    return {
        "title": title,
        "score": found.score,
        "verdict": verdict(found.score),
        "sentence": found.summary if not found.score else "",
        "memory": bar(found),
        "rows": [row for row in rows if row["value"] and not (row["value"] == found.summary and not found.score)],
        "fix": fix(best[0], found.provider) if best else None,
        "note": _note(found.score, listed),
        "pending": pending,
    }


def line(found: Compatibility) -> str:
    """Sentence, memory and speed in one line, for the heat map and its table."""
    need = found.memory.total if found.memory and found.score else None
    room = _("{need} of {budget} memory", need=figures.memory(need), budget=figures.memory(found.budget))
    if not found.score:
        return found.summary
    parts = [verdict(found.score), room if need is not None and found.budget else "", pace(found)]
    return " · ".join(part for part in parts if part)


def served_facts(
    context: int | None, prices: Sequence[float | None], abilities: Sequence[str], wait: float | None
) -> str:
    """What counts where this machine's memory does not: context, price, abilities, and how quickly it answers."""
    cost = ""
    if any(price is not None for price in prices):
        cost = _(
            "${input} in, ${output} out per million tokens",
            input=figures.dollars(prices[0]),
            output=figures.dollars(prices[1]),
        )
    parts = [
        _("{n} context", n=figures.tokens(context)) if context else "",
        cost,
        ", ".join(abilities),
        _("answers in {time}", time=figures.response(wait)) if wait is not None else "",
    ]
    return " · ".join(part for part in parts if part)


def _too_big(found: Compatibility) -> bool:
    return any(reason.code == "MEM_EXCEEDS" for reason in found.reasons)


def _note(score: int | None, listed: int | None) -> str:
    if listed is None or listed == score:
        return ""
    return _("The list says {n}, estimated from sizes.", n=listed)
