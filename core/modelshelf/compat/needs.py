"""Whether a machine has what an engine or a quantisation needs.

Needs are a mapping from a kind of hardware (cpu, nvidia, amd, intel, apple) to what it must be: "" any; `7.5` an NVIDIA
card of that compute capability or a newer one; `7.5?` the same, but of older cards it is not known; `gfx942 gfx11` an
AMD card whose name begins so, of others it is not known; None: not known. A kind that is not there does not run it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from modelshelf.compat.machine import Gpu, Machine
from modelshelf.compat.types import Reason

MAKERS = ("amd", "intel", "nvidia")
CODE = "QUANT_HW_UNSUPPORTED"
NAMES: Mapping[str, str] = {
    "amd": "an AMD card",
    "apple": "an Apple chip",
    "cpu": "a processor",
    "intel": "an Intel card",
    "nvidia": "an NVIDIA card",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """Yes, no or not known (None); `reason` says why where it is not a yes."""

    answer: bool | None
    reason: Reason | None = None

    def __bool__(self) -> bool:
        """A verdict has three answers: ask for `answer`."""
        raise TypeError("a verdict is no yes or no; read its `answer`")


YES = Verdict(answer=True)


def judge_needs(
    needs: Mapping[str, str | None], machine: Machine, what: str, within: Mapping[str, str | None] | None = None
) -> Verdict:
    """Whether the machine can do it; `what` begins the sentence, `within` is what the engine itself needs.

    The cards are asked; the processor only where the engine can surely use none of them, because it does not use both.
    """
    engine = needs if within is None else within
    answers = [_both(needs, engine, gpu.vendor, gpu.compute) for gpu in machine.gpus]
    asked = [_enough(engine, gpu.vendor, gpu.compute) for gpu in machine.gpus]
    perhaps = (answer is None and not gpu.unified for gpu, answer in zip(machine.gpus, asked, strict=True))
    if True not in asked and not any(perhaps):
        answers.append(_both(needs, engine, "cpu", None))
    if True in answers:
        return YES
    found = ", ".join(sorted({_shown(gpu) for gpu in machine.gpus})) or "no graphics card"
    figures = {"needs": dict(needs), "found": found}
    if None in answers:
        return Verdict(None, Reason(CODE, f"Whether {what} runs on this machine ({found}) is not known.", figures))
    return Verdict(False, Reason(CODE, f"{what} needs {wanted(needs)}; this machine has {found}.", figures))


def _both(
    needs: Mapping[str, str | None], engine: Mapping[str, str | None], kind: str, compute: str | None
) -> bool | None:
    answers = (_enough(needs, kind, compute), _enough(engine, kind, compute))
    return False if False in answers else None if None in answers else True


def wanted(needs: Mapping[str, str | None]) -> str:
    """In words: `an NVIDIA card of compute capability 8.0 or newer or an Apple chip`."""
    known = {kind: need for kind, need in sorted(needs.items()) if need is not None}
    return " or ".join(_phrase(kind, need) for kind, need in known.items()) or "hardware that nobody named"


def _phrase(kind: str, need: str) -> str:
    name, least = NAMES.get(kind, kind), need.rstrip("?")
    if not least:
        return name
    return f"{name} of compute capability {least} or newer" if kind == "nvidia" else f"{name} ({least})"


def _shown(gpu: Gpu) -> str:
    return f"{gpu.name} ({gpu.compute})" if gpu.compute else gpu.name


def _enough(needs: Mapping[str, str | None], kind: str, compute: str | None) -> bool | None:
    if not kind:
        # A card whose maker nobody told may be any of those that sell cards.
        return True if all(needs.get(maker) == "" for maker in MAKERS) else None
    if kind not in needs:
        return False
    need = needs[kind]
    if not need:
        return None if need is None else True
    if kind == "nvidia":
        have, least = version(compute), version(need.rstrip("?"))
        if have is None or least is None:
            return None
        return True if have >= least else (None if need.endswith("?") else False)
    return True if compute and compute.startswith(tuple(need.split())) else None


def version(text: str | None) -> tuple[int, ...] | None:
    """`8.9` as numbers; None if it is no version."""
    parts = (text or "").split(".")
    return tuple(int(part) for part in parts) if all(part.isascii() and part.isdigit() for part in parts) else None
