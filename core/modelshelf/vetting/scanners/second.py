"""Second opinions on pickles, by other scanners' lists of dangerous names. They can only make a verdict worse."""

import io
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec

from modelshelf.vetting.spec import Content, Desk
from modelshelf.vetting.types import Finding

MOST = 32 << 20
_DANGEROUS = frozenset({"DANGEROUS_CALL", "DANGEROUS_GLOBAL"})


class SecondOpinion:
    """Asks picklescan, and modelaudit-picklescan where it is installed, about what is known to be a pickle."""

    formats = frozenset({"pickle"})
    modules = ("picklescan.scanner",)

    def scan(self, content: Content, desk: Desk) -> Iterator[Finding]:
        """Find names that they call dangerous, in the first 32 MiB."""
        data = content.read(0, MOST)
        yield from _picklescan(data, content.name)
        if find_spec("modelaudit_picklescan") is not None:
            yield from _modelaudit(data, content.name)


def _picklescan(data: bytes, name: str) -> Iterator[Finding]:
    from picklescan.scanner import SafetyLevel, scan_pickle_bytes

    try:
        result = scan_pickle_bytes(io.BytesIO(data), name)
    except ValueError as error:
        yield Finding("PICKLESCAN", name, f"picklescan cannot make sense of it: {str(error)[:160]}.")
        return
    for found in result.globals:
        if found.safety == SafetyLevel.Dangerous:
            yield Finding("PICKLESCAN", name, f"picklescan calls {found.module}.{found.name} dangerous.")


def _modelaudit(data: bytes, name: str) -> Iterator[Finding]:
    """Only what it calls dangerous counts: its milder remarks are on whatever is not on its own list."""
    report = import_module("modelaudit_picklescan").scan_bytes(data, source=name)
    for found in report.findings:
        if found.severity.value == "critical" and found.rule_code in _DANGEROUS:
            yield Finding("MODELAUDIT", name, f"modelaudit: {str(found.message)[:160]}")
