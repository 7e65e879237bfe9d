"""The whole: does every part work with the others, and what is wrong where not."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from modelshelf.integration.check import Check
from modelshelf.integration.status import IntegrationService, IntegrationStatus
from modelshelf.integration.steps import Advice, Report, Step

if TYPE_CHECKING:
    from modelshelf.integration.doctor import diagnose
    from modelshelf.integration.selftest import IntegrationTest
    from modelshelf.integration.support import support_bundle

__all__ = [
    "Advice",
    "Check",
    "IntegrationService",
    "IntegrationStatus",
    "IntegrationTest",
    "Report",
    "Step",
    "diagnose",
    "support_bundle",
]

_LAZY = {
    "IntegrationTest": "modelshelf.integration.selftest",
    "diagnose": "modelshelf.integration.doctor",
    "support_bundle": "modelshelf.integration.support",
}


def __getattr__(name: str) -> Any:
    # Loaded on first use: no command but the doctor and the self-test needs what they look at.
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
