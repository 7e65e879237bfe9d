"""The command line. Modules load what they need when a command runs, so that `--help` answers at once."""

from modelshelf.cli.app import main

__all__ = ["main"]
