"""Files become models, named and chosen as an import would."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from modelshelf.adoption.looking import Look
from modelshelf.adoption.types import StoredModel
from modelshelf.catalog.files import format_of, is_whole, variants
from modelshelf.catalog.sources.cards import is_repo
from modelshelf.catalog.sources.folder import LOOSE, group, plain_name
from modelshelf.imports.find import as_model
from modelshelf.imports.types import FoundFile, FoundModel

Walked = tuple[str, Path, os.stat_result]


def by_folders(look: Look, store: str, walked: Iterable[Walked]) -> Iterable[StoredModel]:
    """`org/name/…` as LM Studio keeps them, loose GGUF files, and folders that are one model."""
    files = list(walked)
    repos = group(files)
    taken = {place for repo in repos.values() for place, _, _ in repo.files.values()}
    found = {name: {path: place for path, (place, _, _) in repo.files.items()} for name, repo in repos.items()}
    for path, place, _ in files:
        folder = PurePosixPath(path).parent
        if place not in taken and len(folder.parts) <= 1:
            name = f"{LOOSE}/{plain_name(folder.name or look.root.name)}"
            if is_repo(name):
                found.setdefault(name, {})[PurePosixPath(path).name] = place
    for name, places in sorted(found.items()):
        yield from model_of(look, store, name, name, places)


def model_of(
    look: Look, store: str, name: str, repo: str, places: Mapping[str, Path], said: Mapping[str, str] | None = None
) -> Iterable[StoredModel]:
    """The model of these files, by their paths in the repository; none if nothing in it can be used."""
    lame = {path for parts in variants(places) if not is_whole(parts) for path in parts}
    if lame:
        look.notes.add(places[min(lame)], "is a model of which parts are missing")
    known = said or {}
    whole = {path: FoundFile(place, known.get(path)) for path, place in places.items() if path not in lame}
    if any(map(format_of, whole)):
        yield from stored(look, store, as_model(repo, whole, store), name)


def stored(look: Look, store: str, found: FoundModel, name: str = "") -> Iterable[StoredModel]:
    """What was found, with the state of its files; none if one of them is of no use."""
    files = [look.stored(path, file.place, file.sha256, file.git_sha1) for path, file in found.files.items()]
    good = tuple(file for file in files if file is not None)
    if good and len(good) == len(files) and any(format_of(file.path) for file in good):
        name = name or found.repo
        yield StoredModel(f"{store}:{name}", store, name, found.repo, good, found.commit, found.refs)
