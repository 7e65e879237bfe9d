"""Why a score is what it is: codes that stay, sentences for people, and the figures in them."""

from collections.abc import Iterator, Sequence

from modelshelf.compat.score import Question, Rating, refused
from modelshelf.compat.types import Confidence, Reason
from modelshelf.compat.words import changes, listed, pace, size

TIGHT = 0.1  # of the memory free
NEVER = frozenset(
    {"FORMAT_UNSUPPORTED", "ARCH_UNSUPPORTED", "QUANT_HW_UNSUPPORTED", "FEATURE_MISSING", "LICENCE_POLICY"}
)


def never(stopped: Sequence[Reason]) -> bool:
    """Whether no settings and no memory would help."""
    return any(gate.code in NEVER for gate in stopped)


def gates(question: Question, used: Rating) -> Iterator[Reason]:
    """What makes the score 0, the first the most decisive."""
    if (other := next(_of_its_kind(question), None)) is not None:
        yield other
        return
    yield from _unknown(question)
    if refused(question, used.settings):
        told = f"{question.engine.label} keeps a cache in {question.settings.kv} only with flash attention."
        yield Reason("FLASH_ATTENTION_NEEDED", told, {"kv": question.settings.kv})
    elif not used.fits:
        need, budget = used.estimate.high, used.placement.budget
        yield Reason(
            "MEM_EXCEEDS",
            f"It needs {size(need)} of memory{_even(question, used)}; {size(budget)} are free.",
            {"need": need, "budget": budget, "missing": need - budget},
        )


def barred(question: Question) -> bool:
    """Whether something makes the score 0 whatever memory there is."""
    return any(True for found in (_of_its_kind(question), _unknown(question)) for _ in found)


def _of_its_kind(question: Question) -> Iterator[Reason]:
    """What makes all other questions idle."""
    facts, engine = question.facts, question.engine
    if facts.format not in engine.formats:
        formats = ", ".join(sorted(engine.formats))
        yield Reason(
            "FORMAT_UNSUPPORTED", f"{engine.label} runs {formats} files, not {facts.format}.", {"format": facts.format}
        )
        return
    if facts.role != "model":
        what = "goes beside a model" if facts.role == "projector" else f"goes with {facts.base or 'its base model'}"
        yield Reason(
            "FORMAT_UNSUPPORTED", f"This is no model: it is the {facts.role} that {what}.", {"role": facts.role}
        )
        return
    hardware = engine.runs_on(question.machine, facts.format)
    if hardware.answer is False and hardware.reason is not None:
        yield hardware.reason


def _unknown(question: Question) -> Iterator[Reason]:
    """What the engine does not do, and what is not wanted here."""
    facts, engine = question.facts, question.engine
    if engine.knows(facts) is False:
        yield Reason(
            "ARCH_UNSUPPORTED",
            f"{engine.label} {engine.version} does not know the architecture {facts.architecture}.",
            {"architecture": facts.architecture, "version": engine.version},
        )
    quantised = engine.quantisation(facts.quantisation, question.machine)
    if quantised.answer is False and quantised.reason is not None:
        yield quantised.reason
    yield from _policies(question)
    context = question.settings.context
    if question.required and facts.context and context > facts.context:
        yield Reason(
            "CTX_TOO_LONG",
            f"It was made for {facts.context:,} tokens of context, and {context:,} are asked for.",
            {"context": facts.context, "asked": context},
        )


def _policies(question: Question) -> Iterator[Reason]:
    facts = question.facts
    if missing := sorted(question.needs - facts.abilities):
        yield Reason("FEATURE_MISSING", f"It is not known to do {listed(missing)}.", {"missing": missing})
    licence = (facts.licence or "").lower()
    if licence and licence in question.refused:
        yield Reason(
            "LICENCE_POLICY", f"Models under the licence {facts.licence} are not used here.", {"licence": facts.licence}
        )


def _even(question: Question, used: Rating) -> str:
    """With what the model was tried at last."""
    if not question.required:
        return " even with the smallest settings"
    return f" even with {changes(question.settings, used.settings)}" if used.settings != question.settings else ""


def doubts(question: Question) -> Sequence[Reason]:
    """What nobody vouches for: unknown is never yes."""
    facts, engine = question.facts, question.engine
    found = []
    if engine.knows(facts) is None:
        named = f"the architecture {facts.architecture}" if facts.architecture else "an architecture it does not name"
        told = f"Whether {engine.label} runs {named} is not known."
        found.append(Reason("UNKNOWN_ARCH", told, {"architecture": facts.architecture}))
    # The types of GGUF are the engine's own: what a file's name makes of them says nothing.
    quantised = engine.quantisation(facts.quantisation, question.machine)
    if facts.format != "gguf" and quantised.answer is None and quantised.reason is not None:
        found.append(Reason("QUANT_UNKNOWN", quantised.reason.detail, quantised.reason.figures))
    return found


def reasons(question: Question, asked: Rating, used: Rating) -> Iterator[Reason]:
    """What speaks for and against, beside the gates."""
    facts = question.facts
    yield from doubts(question)
    if used.fits:
        yield _room(used)
    if used is not asked and used.fits:
        yield Reason(
            "DOWNGRADED",
            f"As asked it needs {size(asked.estimate.high)}; it fits with {changes(question.settings, used.settings)}.",
            {"need": asked.estimate.high, "budget": asked.placement.budget},
        )
    if any(used.speed) and used.fits:
        yield _speed(question, used)
    if used.placement.told or 0 < used.placement.share < 1:
        yield _offload(used)
    if not question.engine.built:
        told = (
            f"{question.engine.label} needs a build for these graphics cards; the one that is installed here has none."
        )
        yield Reason("ENGINE_BUILD", told, {"cards": [gpu.name for gpu in question.machine.gpus]})
    if used.values["fidelity"] < 0.8 and facts.quantisation:
        yield Reason(
            "QUANT_LOSSY",
            f"{facts.quantisation} is a coarse quantisation: answers suffer.",
            {"quantisation": facts.quantisation, "fidelity": used.values["fidelity"]},
        )
    embeds = "embed" in facts.abilities
    if (
        facts.chat_template is None
        and not embeds
        and facts.format == "gguf"
        and used.estimate.confidence != Confidence.ESTIMATE
    ):
        yield Reason("NO_CHAT_TEMPLATE", "The file does not say how a chat is written for it.")
    if used.estimate.confidence is Confidence.BOUNDED:
        yield Reason(
            "MEMORY_BOUNDED",
            f"Its memory was never measured here: between {size(used.estimate.low)} and {size(used.estimate.high)}.",
            {"low": used.estimate.low, "high": used.estimate.high},
        )


def _speed(question: Question, used: Rating) -> Reason:
    low, high = used.speed
    figures: dict[str, object] = {"low": round(low, 1), "high": round(high, 1)}
    if question.pace is not None and question.pace.exact:
        return Reason("SPEED_MEASURED", f"It writes {pace(used.speed)}, as measured on this machine.", figures)
    if question.pace is not None:
        told = "from what other models did on this machine"
        return Reason(
            "SPEED_ESTIMATED", f"It should write {pace(used.speed)} ({told}).", figures | {"bandwidth": "calibrated"}
        )
    origin = "measured" if question.machine.memory_bandwidth else "assumed"
    told = f"from the memory's {origin} bandwidth"
    return Reason("SPEED_ESTIMATED", f"It should write {pace(used.speed)} ({told}).", figures | {"bandwidth": origin})


def _offload(used: Rating) -> Reason:
    place = used.placement
    share = round(100 * place.share)
    told = f", {place.layers} of {place.of} layers" if place.of else ""
    figures = {"percent": share, "layers": place.layers, "of": place.of, "told": place.told}
    if place.told:
        sentence = f"The graphics card has no room for {place.told} layers: {place.layers} of {place.of} fit."
        return Reason("PARTIAL_OFFLOAD", sentence, figures)
    return Reason("PARTIAL_OFFLOAD", f"{share} % of it{told}, fits on the graphics card.", figures)


def _room(used: Rating) -> Reason:
    spare, budget = used.spare, used.placement.budget
    figures = {"need": used.estimate.memory.total, "budget": budget, "spare": spare}
    if spare < TIGHT * budget:
        return Reason("TIGHT", f"It fits, but with only {size(spare)} to spare.", figures)
    return Reason("FITS", f"It fits with {size(spare)} to spare.", figures)


def summary(question: Question, asked: Rating, used: Rating, stopped: Sequence[Reason]) -> str:
    """The answer in a sentence."""
    if stopped:
        return stopped[0].detail
    room = _room(used).detail.removesuffix(".")
    if used is not asked:
        room += f", with {changes(question.settings, used.settings)}"
    return f"{room}; {pace(used.speed)}." if any(used.speed) else f"{room}."
