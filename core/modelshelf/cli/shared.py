"""Options that several commands share, and the way into the shelf."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf

Json = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
Context = Annotated[int, typer.Option("--ctx", min=1, help="Context length in tokens.")]

# What a short command has no use for: it neither watches providers nor takes over waiting downloads.
QUIET = frozenset({"health", "downloads", "catalog sync", "adoption", "state"})
# And one that fetches: nor does it judge, for which the machine is measured at the start.
FETCHING = frozenset({"health", "catalog sync", "adoption", "state", "compatibility"})


def with_shelf[T](work: "Callable[[Shelf], Awaitable[T]]", *, without: frozenset[str] = QUIET) -> T:
    """Open the shelf, do the work, close it. What keeps a needed service from running is raised as its error."""
    from modelshelf.errors import StoreError
    from modelshelf.shelf import open_shelf

    async def run() -> T:
        async with open_shelf(without=without) as shelf:
            store = shelf.services["store"]
            if store.status == "failed":
                raise store.failure or StoreError(store.error, remedy=store.remedy)
            return await work(shelf)

    return asyncio.run(run())


@contextmanager
def writing_to(place: Path) -> Iterator[None]:
    """Say in a sentence that a place the user named cannot be written to."""
    from modelshelf.errors import FolderNotWritable, ModelshelfError

    try:
        yield
    except ModelshelfError:  # some are OSErrors, too
        raise
    except OSError as error:
        raise FolderNotWritable(f"{place} cannot be written to: {error.strerror}.") from error
