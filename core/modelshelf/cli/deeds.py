"""What the commands about providers share."""

import sys
from typing import Annotated, Any

import typer

from modelshelf.cli.output import Output
from modelshelf.cli.shared import with_shelf

Id = Annotated[str, typer.Argument(metavar="PROVIDER", help="The provider's id, for example ollama.")]
KeyEnv = Annotated[str, typer.Option(metavar="VARIABLE", help="The environment variable that holds the key.")]
KeyStdin = Annotated[bool, typer.Option("--key-stdin", help="Read the key from standard input.")]


def deed(as_json: bool, target: str, word: str, work: Any) -> None:
    """Do one thing with the shelf and say that it is done."""
    output = Output(as_json)
    with_shelf(work)
    output.document({"id": target, "done": word})
    output.line(f"{target}: {word}.")


def read_key(stdin: bool) -> Any:
    """The key on standard input, if it is to be read from there: a key has no place on a command line."""
    if not stdin:
        return None
    from modelshelf.providers.validation import KEY_LIMIT, clean_key

    return clean_key(sys.stdin.read(KEY_LIMIT + 100))
