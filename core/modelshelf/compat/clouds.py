"""Models that run elsewhere: judged by what their provider says of them and by what was measured, not by memory."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from math import exp, log

from modelshelf.compat.fidelity import fidelity
from modelshelf.compat.score import LOWEST, NO_TEMPLATE, WEIGHTS, share_of, speed_value
from modelshelf.compat.types import Compatibility, Confidence, Reason, Settings
from modelshelf.compat.words import listed
from modelshelf.providers.spec import Health, HealthStatus, ServedModel

SOON = timedelta(days=60)  # before a model retires people want to know
QUICK_MS, SLOW_MS = 500.0, 5000.0  # of the answer to a look


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What is asked of a served model. `label` names its provider; `rate` is its measured speed in tokens a second."""

    served: ServedModel
    label: str
    settings: Settings
    required: bool = False
    needs: frozenset[str] = frozenset()
    wants: frozenset[str] = frozenset()
    health: Health | None = None
    rate: float | None = None
    today: date = field(default_factory=lambda: datetime.now(UTC).date())


def judge_served(asked: Elsewhere, *, model: str, provider: str) -> Compatibility:
    """Score what another machine serves. Memory is its own affair: the other four values share the weights.

    A value of which nothing is known takes no part.
    """
    stopped = tuple(_gates(asked))
    values = _values(asked)
    score = 0 if stopped else round(_mean(values))
    found = (*stopped, *_reasons(asked))
    refused = asked.health is not None and asked.health.status is HealthStatus.REFUSED
    return Compatibility(
        model=model,
        provider=provider,
        score=score,
        available=not refused,
        confidence=Confidence.ESTIMATE,
        speed=(asked.rate, asked.rate) if asked.rate else None,
        settings=asked.settings,
        reasons=found,
        summary=" ".join(reason.detail for reason in found[:2]),
        values=values if score else {},
        measured=asked.rate is not None,
    )


def _gates(asked: Elsewhere) -> Iterator[Reason]:
    served = asked.served
    if served.retires and served.retires <= asked.today:
        told = f"{asked.label} retired it on {served.retires:%d %B %Y}."
        yield Reason("MODEL_RETIRED", told, {"retires": served.retires.isoformat()})
    if served.abilities and (missing := sorted(asked.needs - frozenset(served.abilities))):
        yield Reason("FEATURE_MISSING", f"It is not known to do {listed(missing)}.", {"missing": missing})
    context = asked.settings.context
    if asked.required and served.context and context > served.context:
        told = f"{asked.label} gives it {served.context:,} tokens of context, and {context:,} are asked for."
        yield Reason("CTX_TOO_LONG", told, {"context": served.context, "asked": context})


def _values(asked: Elsewhere) -> Mapping[str, float]:
    served, health = asked.served, asked.health
    found: dict[str, float] = {}
    if asked.rate:
        found["speed"] = speed_value((asked.rate, asked.rate))
    elif health is not None and health.latency_ms is not None:
        found["speed"] = _latency(health.latency_ms)
    if served.quantisation:
        found["fidelity"] = fidelity(served.quantisation)
    if served.context:
        found["context"] = share_of(min(asked.settings.context, served.context), asked.settings.context)
    if asked.wants and served.abilities:
        part = len(asked.wants & frozenset(served.abilities)) / len(asked.wants)
        found["abilities"] = NO_TEMPLATE + (1 - NO_TEMPLATE) * part
    return found


def _latency(milliseconds: float) -> float:
    """1 below half a second, falling by the logarithm to 0.3 at five seconds."""
    if milliseconds <= QUICK_MS:
        return 1.0
    return max(0.3, 1 - 0.7 * log(milliseconds / QUICK_MS) / log(SLOW_MS / QUICK_MS))


def _mean(values: Mapping[str, float]) -> float:
    weight = sum(WEIGHTS[name] for name in values)
    if not weight:
        return 100.0
    return 100 * exp(sum(WEIGHTS[name] * log(max(value, LOWEST)) for name, value in values.items()) / weight)


def _reasons(asked: Elsewhere) -> Iterator[Reason]:
    served, health = asked.served, asked.health
    yield Reason("SERVED_ELSEWHERE", f"{asked.label} serves it; this machine's memory does not matter.")
    if health is not None and health.status is HealthStatus.REFUSED:
        yield Reason("KEY_NO_ACCESS", f"{asked.label} refuses your key: {health.detail}", {"remedy": health.remedy})
    elif health is not None and health.status is HealthStatus.DOWN:
        yield Reason("PROVIDER_DOWN", f"{asked.label} does not answer now: {health.detail}", {"remedy": health.remedy})
    if served.retires and asked.today < served.retires <= asked.today + SOON:
        told = f"{asked.label} retires it on {served.retires:%d %B %Y}."
        yield Reason("RETIRES_SOON", told, {"retires": served.retires.isoformat()})
    elif served.deprecated:
        yield Reason("DEPRECATED", f"{asked.label} advises against starting with it.")
    if served.context:
        yield Reason("CONTEXT", f"It takes in {served.context:,} tokens.", {"context": served.context})
    if served.abilities:
        yield Reason("ABILITIES", f"It does {listed(sorted(served.abilities))}.", {"abilities": [*served.abilities]})
    if served.price and served.price.input is not None and served.price.output is not None:
        price = {"input": served.price.input, "output": served.price.output}
        told = f"A million tokens cost {served.price.input:g} US dollars to read and {served.price.output:g} to write."
        yield Reason("PRICE", told, price)
    if asked.rate:
        told = f"It wrote {asked.rate:.0f} tokens a second when it was last asked from here."
        yield Reason("SPEED_MEASURED", told, {"rate": round(asked.rate, 1)})
    if health is not None and health.latency_ms is not None:
        told = f"{asked.label} answered within {health.latency_ms:.0f} ms."
        yield Reason("LATENCY", told, {"milliseconds": round(health.latency_ms, 1)})
