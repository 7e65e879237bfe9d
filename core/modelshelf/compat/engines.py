"""What engines can run, from dated snapshots (`snapshots/*.json`, written by `python -m modelshelf.compat.snapshot`).

Unknown is unknown, never yes: what a snapshot does not name is refused only where the list is complete, which it is of
the built-in engine alone, because another version of the others may run on a person's machine.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import resources
from typing import Any

from modelshelf.compat.machine import Machine
from modelshelf.compat.needs import CODE, Verdict, judge_needs
from modelshelf.compat.types import Reason
from modelshelf.metadata.facts import ModelFacts
from modelshelf.metadata.ggml import FILE_TYPES

BITS = re.compile(r"[-_]?\d+(\.\d+)?[-_]?(bit|bits|bpw)$")
# Weights in a type that every processor reads or that is widened while loading.
PLAIN = frozenset({"bf16", "bfloat16", "f16", "f32", "float16", "float32", "fp16", "fp32"})
# The same method under other names: what model files say, and what engines call it.
ALIASES: Mapping[str, tuple[str, ...]] = {
    "auto-round": ("auto-round", "inc"),
    "autoround": ("auto-round", "inc"),
    "bnb": ("bitsandbytes",),
    "compressed_tensors": ("compressed-tensors",),
    "fp4": ("bitsandbytes",),
    "int8": ("bitsandbytes",),
    "nf4": ("bitsandbytes",),
    "nvfp4": ("nvfp4", "modelopt_fp4", "compressed-tensors"),
}
COMPRESSED = re.compile(r"w\d+a\d+")  # bits of weights and activations, as compressed-tensors' schemes are called
OF_GGUF = frozenset(name.upper() for name in FILE_TYPES.values())


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine as of a version. `complete`: what is not in `architectures` is not supported; else it is unknown.

    architectures: GGUF names, or for the other formats `model_type`s; classes: names as a config.json has them;
    causal: those architectures that write text, where the source tells them apart; by_format: the architectures of a
    format for which the engine has a list of its own; removed: what it supported until a
    version. gpus: it can use graphics cards with memory of their own. family: by whose rule it takes memory (llamacpp,
    vllm, sglang, transformers, mlx), `families` where it differs by format. hardware, format_hardware and needs: what
    it needs itself, for some formats and for each quantisation, see `modelshelf.compat.needs`. built: what is installed
    here can use the cards.
    """

    kind: str
    label: str
    version: str
    date: str
    formats: frozenset[str]
    architectures: frozenset[str]
    quantisations: frozenset[str]
    complete: bool
    gpus: bool
    family: str = "llamacpp"
    families: Mapping[str, str] = field(default_factory=dict)
    classes: frozenset[str] = frozenset()
    causal: frozenset[str] = frozenset()
    by_format: Mapping[str, frozenset[str]] = field(default_factory=dict)
    removed: Mapping[str, str] = field(default_factory=dict)
    hardware: Mapping[str, str | None] = field(default_factory=dict)
    format_hardware: Mapping[str, Mapping[str, str | None]] = field(default_factory=dict)
    needs: Mapping[str, Mapping[str, str | None]] = field(default_factory=dict)
    source: str = ""
    built: bool = True

    def supports(self, architecture: str | None, *others: str) -> bool | None:
        """Whether it runs an architecture, named by any of its names; None: not known."""
        names = [name for name in (architecture, *others) if name]
        if any(name in self.architectures or name in self.classes for name in names):
            return True
        if any(name in self.removed for name in names):
            return False
        return False if self.complete and names else None

    def knows(self, facts: ModelFacts) -> bool | None:
        """Whether it runs a model's architecture in its format, by its name or the classes that its config names."""
        if facts.format in self.by_format:
            return True if facts.architecture in self.by_format[facts.format] else None
        classes = facts.keys.get("architectures")
        named = [name for name in classes if isinstance(name, str)] if isinstance(classes, list | tuple) else []
        return self.supports(facts.architecture, *named)

    def family_for(self, model_format: str) -> str:
        """By whose rule it takes memory for a format."""
        return self.families.get(model_format, self.family)

    def runs_on(self, machine: Machine, model_format: str | None = None) -> Verdict:
        """Whether the engine itself runs on a machine, and with files of a format if one is given."""
        if model_format is not None and model_format in self.format_hardware:
            what = f"{self.label} with {model_format} files"
            return judge_needs(self.format_hardware[model_format], machine, what, within=self.hardware or None)
        return judge_needs(self.hardware, machine, self.label) if self.hardware else Verdict(None)

    def quantisation(self, name: str | None, machine: Machine) -> Verdict:
        """Whether it runs weights of a quantisation on a machine; a no says what is missing."""
        if name is None:
            return Verdict(None)
        if is_plain(name):
            return self.runs_on(machine)
        for method in methods(name):
            if method in self.needs:
                what = f"{name} in {self.label} {self.version}"
                return judge_needs(self.needs[method], machine, what, within=self.hardware or None)
        if name.upper() in self.quantisations:
            return self.runs_on(machine)
        unlisted = f"Whether {self.label} {self.version} reads {name} is not known."
        return Verdict(None, Reason(CODE, unlisted, {"quantisation": name}))


def is_plain(name: str) -> bool:
    """Whether the weights are not quantised."""
    return name.lower() in PLAIN


def methods(name: str) -> tuple[str, ...]:
    """The names under which engines may list a quantisation: `GPTQ-4bit` is `gptq`, `NF4` is `bitsandbytes`."""
    plain = BITS.sub("", name.strip().lower()) or name.lower()
    if COMPRESSED.fullmatch(plain):
        return (name, "compressed-tensors")
    return (name, *ALIASES.get(plain, (plain,)), *(("gguf",) if name.upper() in OF_GGUF else ()))


@cache
def engines() -> Mapping[str, Engine]:
    """The engines that run files on this machine, by the provider's kind."""
    folder = resources.files("modelshelf.compat") / "snapshots"
    kinds = sorted(item.name.removesuffix(".json") for item in folder.iterdir() if item.name.endswith(".json"))
    return {kind: loaded for kind in kinds if (loaded := engine(kind))}


@cache
def engine(kind: str) -> Engine | None:
    """The engine behind a kind of provider; None for cloud services and others that run nothing here."""
    if not re.fullmatch(r"[a-z0-9-]{1,40}", kind):
        return None
    file = resources.files("modelshelf.compat") / "snapshots" / f"{kind}.json"
    return _engine(kind, json.loads(file.read_text(encoding="utf-8"))) if file.is_file() else None


def on_thought_of(runs: Engine, machine: Machine) -> Engine:
    """The engine as it would be installed on a machine that is only thought of: with a build for its cards."""
    return replace(runs, gpus=True, built=False) if machine.gpus and not runs.gpus else runs


def on_this(runs: Engine, machine: Machine) -> Engine:
    """The engine as it is installed here; `machine` has the cards that its own list of devices names."""
    return replace(runs, gpus=True) if machine.gpus and not runs.gpus else runs


def _engine(kind: str, entry: Mapping[str, Any]) -> Engine:
    listed = entry["quantisations"]
    return Engine(
        kind=kind,
        label=entry["label"],
        version=entry["version"],
        date=entry["date"],
        formats=frozenset(entry["formats"]),
        architectures=frozenset(entry["architectures"]),
        quantisations=frozenset(listed),
        complete=entry["complete"],
        gpus=entry["gpus"],
        family=entry["family"],
        families=entry.get("families", {}),
        classes=frozenset(entry["classes"]),
        causal=frozenset(entry["causal"]),
        by_format={name: frozenset(listed) for name, listed in entry.get("by_format", {}).items()},
        removed=entry["removed"],
        hardware=entry["hardware"],
        format_hardware=entry.get("format_hardware", {}),
        needs=listed if isinstance(listed, dict) else {},
        source=entry["source"],
    )
