"""From a question to an answer that explains itself: gates, score, reasons, fixes and a sentence."""

from dataclasses import replace

from modelshelf.compat.fidelity import fidelity
from modelshelf.compat.fixes import fixes as find_fixes
from modelshelf.compat.measures import measure
from modelshelf.compat.reasons import doubts, gates, never, reasons, summary
from modelshelf.compat.score import UNKNOWN_ARCHITECTURE_CAP, Question, Rating, rate
from modelshelf.compat.types import Compatibility, Confidence, Quality
from modelshelf.metadata.facts import ModelFacts

_ORDER = (Confidence.EXACT, Confidence.HEADER, Confidence.BOUNDED, Confidence.ESTIMATE, Confidence.UNKNOWN)


def judge(
    question: Question, *, model: str, provider: str, confidence: Confidence | None = None, fixes: bool = True
) -> Compatibility:
    """Answer. `confidence` lowers what the header would allow; without `fixes` none are looked for, which is faster."""
    question = replace(_within_model(question), measures=question.measures or measure(question.facts))
    asked, used = rate(question)
    stopped = tuple(gates(question, used))
    score = 0 if stopped else _points(question, used)
    found = find_fixes(question, score, _points) if fixes and not never(stopped) else ()
    sure = used.estimate.confidence
    if confidence is not None:
        sure = max(sure, confidence, key=_ORDER.index)
    return Compatibility(
        model=model,
        provider=provider,
        score=score,
        available=True,
        confidence=sure,
        memory=(used if score else asked).estimate.memory,
        budget=used.placement.budget,
        speed=used.speed if any(used.speed) and not never(stopped) else None,
        settings=(used if score else asked).settings,
        reasons=stopped if never(stopped) else stopped + tuple(reasons(question, asked, used)),
        fixes=found,
        summary=summary(question, asked, used, stopped),
        values=used.values if score else {},
        measured=bool(question.pace and question.pace.exact),
        quality=quality(question.facts),
    )


def quality(facts: ModelFacts) -> Quality:
    """How large a model is, and how much of it its quantisation leaves; whatever it runs on."""
    kept = fidelity(facts.quantisation) if facts.quantisation else None
    parts = []
    if facts.parameters:
        parts.append(f"{_count(facts.parameters)} parameters")
        if facts.active and facts.active < 0.9 * facts.parameters:
            parts[0] += f", of which a token uses {_count(facts.active)}"
    if kept is not None:
        told = "all of it" if kept == 1 else f"about {kept:.0%} of it"
        parts.append(f"{facts.quantisation} keeps {told}")
    return Quality(facts.parameters, facts.active, kept, "; ".join(parts) + "." if parts else "")


def _count(number: int) -> str:
    for size_, name in ((1e12, "trillion"), (1e9, "billion"), (1e6, "million")):
        if number >= size_:
            return f"{number / size_:.3g} {name}"
    return f"{number:,}"


def _points(question: Question, rating: Rating) -> int:
    """The score of a rating; what nobody vouches for never gets more than half."""
    return min(round(rating.score), UNKNOWN_ARCHITECTURE_CAP if doubts(question) else 100)


def _within_model(question: Question) -> Question:
    """A default context longer than the model's own becomes the model's; one that was asked for stays."""
    limit = question.facts.context
    if question.required or not limit or question.settings.context <= limit:
        return question
    return replace(question, settings=replace(question.settings, context=limit))
