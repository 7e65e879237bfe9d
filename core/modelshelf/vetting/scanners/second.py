"""A second opinion on pickles: picklescan's list of dangerous names. It can only make a verdict worse."""

import io
from collections.abc import Iterator

from modelshelf.vetting.spec import Content, Desk
from modelshelf.vetting.types import Finding

MOST = 32 << 20


class SecondOpinion:
    """Asks picklescan about the first 32 MiB of what is known to be a pickle."""

    formats = frozenset({"pickle"})
    modules = ("picklescan.scanner",)

    def scan(self, content: Content, desk: Desk) -> Iterator[Finding]:
        """Find names that picklescan calls dangerous."""
        from picklescan.scanner import SafetyLevel, scan_pickle_bytes

        result = scan_pickle_bytes(io.BytesIO(content.read(0, MOST)), content.name)
        for found in result.globals:
            if found.safety == SafetyLevel.Dangerous:
                yield Finding("PICKLESCAN", content.name, f"picklescan calls {found.module}.{found.name} dangerous.")
