"""From a question to an answer that explains itself: gates, score, reasons, fixes and a sentence."""

from collections.abc import Iterator
from dataclasses import replace

from modelshelf.compat.measures import measure
from modelshelf.compat.score import SHORTEST, UNKNOWN_ARCHITECTURE_CAP, Question, Rating, downgrades, rate
from modelshelf.compat.speed import MOST
from modelshelf.compat.types import Compatibility, Confidence, Fix, Reason, Settings

MIB, GIB = 1 << 20, 1 << 30
MOST_FIXES = 4
WORTH = 3  # points a change must bring to be proposed
TIGHT = 0.1  # of the memory free
_ORDER = (Confidence.EXACT, Confidence.HEADER, Confidence.BOUNDED, Confidence.ESTIMATE, Confidence.UNKNOWN)


def judge(
    question: Question, *, model: str, provider: str, confidence: Confidence | None = None, fixes: bool = True
) -> Compatibility:
    """Answer. `confidence` lowers what the header would allow; without `fixes` none are looked for, which is faster."""
    question = replace(_within_model(question), measures=question.measures or measure(question.facts))
    asked, used = rate(question)
    gates = tuple(_gates(question, used))
    unknown = question.engine.supports(question.facts.architecture) is None
    score = 0 if gates else round(used.score)
    if unknown:
        score = min(score, UNKNOWN_ARCHITECTURE_CAP)
    found = tuple(_fixes(question, score)) if fixes and not _never(gates) else ()
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
        speed=used.speed if any(used.speed) else None,
        settings=(used if score else asked).settings,
        reasons=gates if _never(gates) else gates + tuple(_reasons(question, asked, used, unknown=unknown)),
        fixes=found,
        summary=_summary(question, asked, used, gates),
    )


def size(count: int) -> str:
    """Bytes of memory as people read them."""
    return f"{count / GIB:.1f} GiB" if abs(count) >= GIB else f"{count / MIB:.0f} MiB"


def pace(speed: tuple[float, float]) -> str:
    """A range of speed as people say it."""
    if speed[0] >= MOST:
        return f"more than {MOST:.0f} tokens a second"
    low, high = (f"{value:.0f}" if value >= 3 else f"{value:.1f}" for value in speed)
    return f"about {low} tokens a second" if low == high else f"about {low}–{high} tokens a second"


def _never(gates: tuple[Reason, ...]) -> bool:
    """Whether no settings and no memory would help."""
    return any(gate.code in {"FORMAT_UNSUPPORTED", "ARCH_UNSUPPORTED"} for gate in gates)


def _within_model(question: Question) -> Question:
    """A default context longer than the model's own becomes the model's; one that was asked for stays."""
    limit = question.facts.context
    if question.required or not limit or question.settings.context <= limit:
        return question
    return replace(question, settings=replace(question.settings, context=limit))


def _gates(question: Question, used: Rating) -> Iterator[Reason]:
    facts, engine = question.facts, question.engine
    if facts.format not in engine.formats:
        formats = ", ".join(sorted(engine.formats))
        yield Reason(
            "FORMAT_UNSUPPORTED", f"{engine.label} runs {formats} files, not {facts.format}.", {"format": facts.format}
        )
        return
    if engine.supports(facts.architecture) is False:
        yield Reason(
            "ARCH_UNSUPPORTED",
            f"{engine.label} {engine.version} does not know the architecture {facts.architecture}.",
            {"architecture": facts.architecture, "version": engine.version},
        )
    context = question.settings.context
    if question.required and facts.context and context > facts.context:
        yield Reason(
            "CTX_TOO_LONG",
            f"It was made for {facts.context:,} tokens of context, and {context:,} are asked for.",
            {"context": facts.context, "asked": context},
        )
    if not used.fits:
        need, budget = used.estimate.high, used.placement.budget
        yield Reason(
            "MEM_EXCEEDS",
            f"It needs {size(need)} of memory{_even(question, used)}; {size(budget)} are free.",
            {"need": need, "budget": budget, "missing": need - budget},
        )


def _even(question: Question, used: Rating) -> str:
    """With what the model was tried at last."""
    if not question.required:
        return " even with the smallest settings"
    return f" even with {changes(question.settings, used.settings)}" if used.settings != question.settings else ""


def _reasons(question: Question, asked: Rating, used: Rating, *, unknown: bool) -> Iterator[Reason]:
    facts = question.facts
    if unknown:
        named = f"the architecture {facts.architecture}" if facts.architecture else "an architecture it does not name"
        yield Reason(
            "UNKNOWN_ARCH",
            f"Whether {question.engine.label} runs {named} is not known.",
            {"architecture": facts.architecture},
        )
    if used.fits:
        yield _room(used)
    if used is not asked and used.fits:
        yield Reason(
            "DOWNGRADED",
            f"As asked it needs {size(asked.estimate.high)}; it fits with {changes(question.settings, used.settings)}.",
            {"need": asked.estimate.high, "budget": asked.placement.budget},
        )
    if any(used.speed) and used.fits:
        low, high = used.speed
        origin = "measured" if question.machine.memory_bandwidth else "assumed"
        yield Reason(
            "SPEED_ESTIMATED",
            f"It should write {pace(used.speed)} (from the memory's {origin} bandwidth).",
            {"low": round(low, 1), "high": round(high, 1), "bandwidth": origin},
        )
    if 0 < used.placement.share < 1:
        share = round(100 * used.placement.share)
        yield Reason("PARTIAL_OFFLOAD", f"{share} % of it fits on the graphics card.", {"percent": share})
    if used.values["fidelity"] < 0.8 and facts.quantisation:
        yield Reason(
            "QUANT_LOSSY",
            f"{facts.quantisation} is a coarse quantisation: answers suffer.",
            {"quantisation": facts.quantisation, "fidelity": used.values["fidelity"]},
        )
    if facts.chat_template is None and facts.format == "gguf" and used.estimate.confidence != Confidence.ESTIMATE:
        yield Reason("NO_CHAT_TEMPLATE", "The file does not say how a chat is written for it.")
    if used.estimate.confidence is Confidence.BOUNDED:
        yield Reason(
            "MEMORY_BOUNDED",
            f"Its memory was never measured here: between {size(used.estimate.low)} and {size(used.estimate.high)}.",
            {"low": used.estimate.low, "high": used.estimate.high},
        )


def _room(used: Rating) -> Reason:
    spare, budget = used.spare, used.placement.budget
    figures = {"need": used.estimate.memory.total, "budget": budget, "spare": spare}
    if spare < TIGHT * budget:
        return Reason("TIGHT", f"It fits, but with only {size(spare)} to spare.", figures)
    return Reason("FITS", f"It fits with {size(spare)} to spare.", figures)


def changes(before: Settings, after: Settings) -> str:
    """What differs, in words: `context 2,048 and a q8_0 cache`."""
    parts = []
    if after.context != before.context:
        parts.append(f"{after.context:,} tokens of context")
    if after.kv != before.kv:
        parts.append(f"a {after.kv} cache")
    if after.slots != before.slots:
        parts.append("one conversation at a time" if after.slots == 1 else f"{after.slots} conversations")
    return " and ".join(parts) or "the same settings"


def _fixes(question: Question, score: int) -> Iterator[Fix]:
    """The smallest changes that bring something, each with the score it would give."""
    limit, settings = question.facts.context, question.settings
    options: list[tuple[str, Settings]] = []
    if limit and settings.context > limit:
        options.append(("CONTEXT", replace(settings, context=limit)))
    options.extend(_single(question))
    seen: set[str] = set()
    tried: set[Settings] = set()
    count = 0
    for code, changed in options:
        if code in seen or changed in tried or count == MOST_FIXES:
            continue
        tried.add(changed)
        asked, _ = rate(replace(question, settings=changed))
        unknown = question.engine.supports(question.facts.architecture) is None
        reached = min(round(asked.score), UNKNOWN_ARCHITECTURE_CAP if unknown else 100)
        if not asked.fits or reached < score + WORTH or _too_long(question, changed):
            continue
        seen.add(code)
        count += 1
        yield Fix(code, f"Use {changes(settings, changed)}.", reached, _applied(settings, changed))


def _single(question: Question) -> Iterator[tuple[str, Settings]]:
    """Each change alone, smallest first; then all of them together."""
    settings = question.settings
    if settings.kv in {"f16", "f32", "bf16"} and settings.flash_attention:
        yield "KV_TYPE", replace(settings, kv="q8_0")
    if settings.slots > 1:
        yield "SLOTS", replace(settings, slots=1)
    context = settings.context
    while context > SHORTEST:
        context = max(context // 2, SHORTEST)
        yield "CONTEXT", replace(settings, context=context)
    for changed in downgrades(replace(question, required=False)):
        yield "SMALLER", changed


def _too_long(question: Question, changed: Settings) -> bool:
    limit = question.facts.context
    return bool(question.required and limit and changed.context > limit)


def _applied(before: Settings, after: Settings) -> dict[str, object]:
    names = ("context", "kv", "slots")
    return {name: getattr(after, name) for name in names if getattr(after, name) != getattr(before, name)}


def _summary(question: Question, asked: Rating, used: Rating, gates: tuple[Reason, ...]) -> str:
    if gates:
        return gates[0].detail
    room = _room(used).detail.removesuffix(".")
    if used is not asked:
        room += f", with {changes(question.settings, used.settings)}"
    return f"{room}; {pace(used.speed)}." if any(used.speed) else f"{room}."
