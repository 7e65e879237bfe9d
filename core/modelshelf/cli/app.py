"""The `modelshelf` command: its groups, its errors and its exit codes.

0 done, 1 other, 2 wrong usage, 3 needs review, 4 blocked or mismatch, 5 not found, 6 unreachable, 7 no space.
"""

import gc
import logging
import sys
from collections.abc import Sequence
from contextlib import suppress
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Annotated

import typer

from modelshelf import __version__
from modelshelf.cli import (
    account,
    bring,
    bulk,
    catalog,
    conflicts,
    fetch,
    find,
    hooks,
    judge,
    manage,
    profiles,
    queue,
    registration,
    secrets,
    sources,
    stores,
    sync,
    updates,
    use,
    vet,
)
from modelshelf.cli.output import NO_SPACE, Output, exit_code, is_disk_full
from modelshelf.errors import ModelshelfError, NotEnoughDisk, UsageError
from modelshelf.vault import redaction

# What is loaded at the start stays; looking through it for garbage is a tenth of a short command.
COLLECTING = (20_000, 20, 20)

log = logging.getLogger("modelshelf")

app = typer.Typer(
    name="modelshelf",
    help="One shelf for every language model you use: find it, judge it, fetch it, prove it, run it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
PARTS = (
    find, catalog, judge, fetch, vet, bring, stores, bulk, queue, updates, sync, sources, use, registration, profiles,
    account, secrets, conflicts, hooks, manage,
)  # fmt: skip
for module in PARTS:
    module.register(app)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"modelshelf {__version__}")
        raise typer.Exit


@app.callback()
def root(
    _: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    """One shelf for every language model you use: find it, judge it, fetch it, prove it, run it."""


def main() -> None:
    """Run the command and leave with its exit code; a user never meets a traceback."""
    gc.set_threshold(*COLLECTING)
    logging.getLogger().addHandler(logging.NullHandler())
    redaction.install()
    _never_fail_on_a_letter()
    output = Output("--json" in _options(sys.argv))
    try:
        if output.as_json:
            sys.exit(app(standalone_mode=False))
        app()
    except typer.TyperException as error:  # raised only where Typer does not print it as text
        output.error(_misused(error))
        sys.exit(error.exit_code)
    except typer.Abort:
        sys.exit(1)
    except ModelshelfError as error:
        output.error(error)
        sys.exit(exit_code(error))
    except Exception as error:  # noqa: BLE001 - the last door before the user
        if is_disk_full(error):
            place = getattr(error, "filename", None)
            output.error(NotEnoughDisk(f"There is no space left on the disk{f' for {place}' if place else ''}."))
            sys.exit(NO_SPACE)
        _unexpected(error, output)
        sys.exit(1)


def _options(arguments: Sequence[str]) -> Sequence[str]:
    """What stands before `--`: after it everything is text."""
    return arguments[: arguments.index("--")] if "--" in arguments else arguments


def _misused(error: typer.TyperException) -> UsageError:
    """What Typer says of a wrong call, as one of our errors."""
    context: typer.Context | None = getattr(error, "ctx", None)
    command = context.command_path if context else "modelshelf"
    return UsageError(
        f"{error.format_message().rstrip('.')}.",
        remedy=f"Check the spelling; `{command} --help` lists what is allowed.",
    )


def _never_fail_on_a_letter() -> None:
    """A terminal that has no such letter shows a question mark for it."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")


def _unexpected(error: Exception, output: Output) -> None:
    where = _log_file()
    log.error("unexpected", exc_info=error)
    output.error(
        ModelshelfError(
            redaction.redact(f"Something went wrong that should not: {type(error).__name__}: {error}."),
            remedy=f"The details are in {where}. `modelshelf doctor` may say what is wrong.",
        )
    )


def _log_file() -> Path | str:
    from modelshelf.config import ConfigManager

    with suppress(ModelshelfError, OSError):
        folder = ConfigManager().paths.logs
        folder.mkdir(parents=True, exist_ok=True)
        handler = RotatingFileHandler(folder / "modelshelf.log", maxBytes=2_000_000, backupCount=3, encoding="utf-8")
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
        logging.getLogger().addHandler(handler)
        return folder / "modelshelf.log"
    return "the log"
