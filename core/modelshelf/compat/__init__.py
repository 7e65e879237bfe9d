"""Does a model run here, how well, why, and what to change. Everything is loaded on first use."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from modelshelf.compat.types import Compatibility, Confidence, Fix, Memory, RankedFile, Reason, Settings

if TYPE_CHECKING:
    from modelshelf.compat.fit import fit_file
    from modelshelf.compat.hardware import find_machine
    from modelshelf.compat.machine import Gpu, Machine
    from modelshelf.compat.memory import Estimate, estimate
    from modelshelf.compat.service import CompatibilityService

__all__ = [
    "Compatibility",
    "CompatibilityService",
    "Confidence",
    "Estimate",
    "Fix",
    "Gpu",
    "Machine",
    "Memory",
    "RankedFile",
    "Reason",
    "Settings",
    "estimate",
    "find_machine",
    "fit_file",
]

_WHERE = {
    "CompatibilityService": "service",
    "Estimate": "memory",
    "Gpu": "machine",
    "Machine": "machine",
    "estimate": "memory",
    "find_machine": "hardware",
    "fit_file": "fit",
}


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(import_module(f"modelshelf.compat.{_WHERE[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
