"""Looks at every store of this machine, once each, and says who holds given bytes."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from modelshelf.adoption.around import Around
from modelshelf.adoption.looking import Look, Notes
from modelshelf.adoption.reader import StoreReader
from modelshelf.adoption.readers import READERS
from modelshelf.adoption.types import Inode, Store, StoredModel, Survey


def survey(around: Around, readers: Sequence[StoreReader] = READERS) -> Survey:
    """Every store that is there and the models in it. For threads; what is wrong there is told, not raised."""
    stores: list[Store] = []
    models: dict[str, StoredModel] = {}
    seen: set[Path] = {_real(around.cache)}
    files: set[Path] = set()
    for reader in readers:
        for place in reader.places(around):
            named = reader.name == "folder"
            if (real := _real(place)) in seen or not (named or _is_folder(place)):
                continue
            seen.add(real)
            store, found = _look(reader, place, around)
            fresh = [model for model in found if not {file.place for file in model.files} <= files]
            files.update(file.place for model in found for file in model.files)
            for model in fresh:
                _put(models, model)
            if fresh or store.problem or named:
                stores.append(store)
    return Survey(tuple(stores), tuple(models.values()))


def holders(found: Survey, inodes: Collection[Inode]) -> Mapping[Inode, Mapping[Path, str]]:
    """Where stores hold these bytes, each place with the store's label."""
    labels = {store.name: store.label for store in found.stores}
    held: dict[Inode, dict[Path, str]] = {}
    for model in found.models:
        for file in model.files:
            if file.inode in inodes:
                held.setdefault(file.inode, {}).setdefault(file.place, labels[model.store])
    return held


def _look(reader: StoreReader, place: Path, around: Around) -> tuple[Store, list[StoredModel]]:
    notes = Notes(place)
    found: list[StoredModel] = []
    if _is_folder(place):
        found = list(reader.read(Look(place, notes, _real(around.cache))))
    else:
        notes.add(place, "is not a folder that can be opened")
    size = sum({file.inode: file.size for model in found for file in model.files}.values())
    return Store(reader.name, reader.label, place, len(found), size, notes.told()), found


def _put(models: dict[str, StoredModel], model: StoredModel) -> None:
    """Under its id, which gets a number if another model has it."""
    id_, number = model.id, 1
    while id_ in models:
        number += 1
        id_ = f"{model.id}#{number}"
    models[id_] = replace(model, id=id_)


def _real(place: Path) -> Path:
    try:
        return place.resolve()
    except (OSError, RuntimeError, ValueError):
        return place


def _is_folder(place: Path) -> bool:
    try:
        return place.is_dir()
    except (OSError, ValueError):
        return False
