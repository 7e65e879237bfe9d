"""The command line. Modules load what they need when a command runs, so that `--help` answers at once."""

import sys

from modelshelf.cli import quick

__all__ = ["main"]


def main() -> None:
    """Run the command and leave with its exit code; a user never meets a traceback."""
    if quick.taken(sys.argv[1:]):
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="replace")  # a terminal without such a letter shows a question mark
        sys.exit(quick.scan(sys.argv[1:]))
    from modelshelf.cli.app import main as usual

    usual()
