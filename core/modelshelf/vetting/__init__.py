"""Nothing unsafe becomes usable: scanners for every format in a confined process, checksums, quarantine."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from modelshelf.vetting.types import Finding, ScanReport, Verdict, worst

__all__ = [
    "Digests",
    "Finding",
    "Held",
    "Quarantine",
    "ScanReport",
    "SecurityScanner",
    "ValidationService",
    "Verdict",
    "VettingService",
    "scan_path",
    "worst",
]

if TYPE_CHECKING:
    from modelshelf.vetting.checksums import Digests, ValidationService
    from modelshelf.vetting.quarantine import Held, Quarantine
    from modelshelf.vetting.scanner import SecurityScanner, scan_path
    from modelshelf.vetting.service import VettingService

_LAZY = {
    "Digests": "checksums",
    "Held": "quarantine",
    "Quarantine": "quarantine",
    "SecurityScanner": "scanner",
    "ValidationService": "checksums",
    "VettingService": "service",
    "scan_path": "scanner",
}


def __getattr__(name: str) -> Any:
    # Loaded on first use: scanning a file from the command line must not wait for the database's modules.
    if name in _LAZY:
        return getattr(import_module(f"modelshelf.vetting.{_LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
