"""`scan` of files on this machine, without what the other commands load: it must not take longer than what it does.

Only the plain form is taken here: `scan [--each] [--json] PATH…`. Everything else goes the usual way.
"""

import json
import os
import sys
from collections.abc import Sequence

_FLAGS = frozenset({"--each", "--json"})
_EXITS = {"pass": 0, "review": 3, "block": 4}


def taken(arguments: Sequence[str]) -> bool:
    """Whether these arguments are a plain scan of things that are there."""
    if arguments[:1] != ["scan"]:
        return False
    paths = [argument for argument in arguments[1:] if argument not in _FLAGS]
    return bool(paths) and not any(path.startswith("-") for path in paths) and all(map(os.path.lexists, paths))


def scan(arguments: Sequence[str]) -> int:
    """Scan, and print as the usual way does; the exit code is the worst verdict's."""
    from modelshelf.vetting.scanner import scan_path

    each, as_json = "--each" in arguments, "--json" in arguments
    worst, told = 0, False
    ascii_only = (sys.stdout.encoding or "ascii").lower().replace("-", "") != "utf8"
    for path in arguments[1:]:
        for report in scan_path(path, each=each) if path not in _FLAGS else ():
            worst = max(worst, _EXITS[report.verdict.value])
            if not told and report.confined == "":
                told = True
                sys.stderr.write("The scanner is not confined on this system: it could reach the network.\n")
            if as_json:
                sys.stdout.write(json.dumps(report.as_dict(), ensure_ascii=ascii_only) + "\n")
            else:
                lines = [f"        {f.detail} ({f.rule}, {f.where})" for f in report.findings]
                sys.stdout.write("\n".join([f"{report.verdict.value:6}  {report.path}", *lines]) + "\n")
            sys.stdout.flush()
    return worst
