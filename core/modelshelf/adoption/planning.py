"""By which way a stored model would enter the library here, and as what."""

import uuid
from contextlib import suppress
from pathlib import Path

from modelshelf.adoption.types import StoredModel, Way
from modelshelf.errors import ModelshelfError
from modelshelf.imports.links import clone, hard_link
from modelshelf.imports.types import FoundFile, FoundModel


def found_model(model: StoredModel) -> FoundModel:
    """A stored model as an import takes it. A commit of the Hub is kept, anything else is named by its content."""
    files = {file.path: FoundFile(file.place, file.said, file.git) for file in model.files}
    return FoundModel(model.repo, files, model.store, model.commit, model.refs)


def way_of(model: StoredModel, work: Path) -> Way:
    """The cheapest way for the file that is hardest to share, tried out below `work`. For threads."""
    ways = [_way(file.place, work) for file in model.files]
    order: tuple[Way, ...] = ("symlink", "reflink", "hard link")
    return next(way for way in order if way in ways)


def _way(place: Path, work: Path) -> Way:
    trial = work / f"trial-{uuid.uuid4().hex}"
    with suppress(OSError, ModelshelfError):
        work.mkdir(parents=True, exist_ok=True)
        try:
            if hard_link(place, trial):
                return "hard link"
            if clone(place, trial):
                return "reflink"
        finally:
            trial.unlink(missing_ok=True)
    return "symlink"
