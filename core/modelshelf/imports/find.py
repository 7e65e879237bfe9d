"""What models a path holds: a file, all parts of one, a folder, a Hub cache, LM Studio's folder, llama.cpp's cache."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from urllib.parse import unquote, urlsplit

from modelshelf.catalog.files import format_of, quantisation_of, variants, without_part
from modelshelf.catalog.sources.cards import is_path, is_repo
from modelshelf.catalog.sources.folder import FILE_LIMIT, LOOSE, plain_name, scan
from modelshelf.catalog.sources.said import HEX40, HEX64, mapping, matching
from modelshelf.downloads.choose import choose
from modelshelf.errors import FormatError, NotFound, Unreachable, UsageError
from modelshelf.imports.types import FoundFile, FoundModel
from modelshelf.library.cache import PREFIX, CachedFile, CachedRepo, read_repository, repositories

HUB, STUDIO, LLAMA_CPP, FILES = "Hub cache", "LM Studio", "llama.cpp's cache", "files"
NOTE_LIMIT = 2**20
_STUDIO_FOLDERS = frozenset({".lmstudio", "lm-studio", "lmstudio"})
_MANIFEST = re.compile(r"^manifest=([^=]+)=([^=]+)=[^=]+\.json$")


def find(path: Path, repo: str = "") -> Sequence[FoundModel]:
    """The models at a path; `repo` names the one that is there. For threads.

    Raises:
        NotFound: there is no such file or folder.
        UsageError: it holds no model, or a name was given for several.
        FormatError: a part of the model is missing.
        Unreachable: a folder cannot be read.
    """
    try:
        place = path.expanduser().absolute()
        if not place.exists():
            raise NotFound(f"There is no file or folder {path}.", remedy="Check the path.")
        broken: list[FormatError] = []
        models = _folder(place, broken) if place.is_dir() else _file(place)
        found = [model for model in models if any(map(format_of, model.files))]
        if broken:
            raise broken[0]
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or "it leads nowhere"
        raise Unreachable(f"{path} cannot be read: {reason}.", remedy="Give yourself permission to read it.") from error
    if not found:
        raise UsageError(
            f"{path} holds no model.", remedy="Name a GGUF file, a folder of a model, or a cache of models."
        )
    if not repo:
        return found
    if not is_repo(repo):
        raise UsageError(f"“{repo}” is no name of a model.", remedy="Write it as org/name.")
    if len(found) > 1:
        raise UsageError(
            f"{path} holds {len(found)} models, for which one name is not enough.", remedy="Import them one by one."
        )
    model = found[0]
    return [FoundModel(repo, model.files, model.kind, model.commit, model.refs, model.skipped, model.missing)]


def survey(folder: Path) -> tuple[Sequence[FoundModel], Sequence[str]]:
    """As `find`, of a folder, but what is wrong with one model hides no other: it is told beside. For threads.

    Raises:
        OSError, RuntimeError: the folder cannot be read.
    """
    broken: list[FormatError] = []
    models = [model for model in _folder(folder, broken) if any(map(format_of, model.files))]
    return models, [error.message for error in broken]


def _folder(folder: Path, broken: list[FormatError]) -> Iterable[FoundModel]:
    if folder.name.startswith(PREFIX) and (folder / "snapshots").is_dir():
        return _hub(folder.parent, [folder.name])
    if folder.parent.name == "snapshots" and folder.parent.parent.name.startswith(PREFIX):
        cache = folder.parent.parent
        return [model for model in _hub(cache.parent, [cache.name]) if model.commit == folder.name]
    if repositories(folder):
        return _hub(folder, [entry.name for entry in folder.iterdir()])
    if notes := _Notes.read(folder):
        return _each(folder, notes, broken)
    names = _files(folder)
    if "config.json" in names or {format_of(name) for name in names} - {None, "gguf"}:
        return [_flat(folder)]
    repos = scan(folder)
    if any(not name.startswith(f"{LOOSE}/") for name in repos):
        return [
            as_model(name, {path: FoundFile(place) for path, (place, _, _) in found.files.items()}, STUDIO)
            for name, found in sorted(repos.items())
        ]
    bases = {_base(parts[0]) for parts in variants(names)}
    return [_flat(folder)] if len(bases) <= 1 else _each(folder, None, broken)


def _each(folder: Path, notes: "_Notes | None", broken: list[FormatError]) -> Iterable[FoundModel]:
    """Every model of a folder that holds several; of which parts are missing are told in `broken`."""
    for path in _first_parts(folder):
        try:
            yield _named(path, notes)
        except FormatError as error:
            broken.append(error)


def _file(file: Path) -> Iterable[FoundModel]:
    if format_of(file.name) is None:
        raise UsageError(
            f"{file.name} is no file of a model.", remedy="Name a GGUF or safetensors file, or the folder of a model."
        )
    for above in file.parents:
        if above.parent.name == "snapshots" and above.parent.parent.name.startswith(PREFIX):
            wanted = _siblings(file)
            return [_only(model, above, wanted) for model in _folder(above, [])]
    return [_named(file, _Notes.read(file.parent))]


def _only(model: FoundModel, snapshot: Path, wanted: Sequence[Path]) -> FoundModel:
    names = {file.relative_to(snapshot).as_posix() for file in wanted}
    files = {name: file for name, file in model.files.items() if name in names}
    return FoundModel(model.repo, files, model.kind, model.commit, model.refs)


def _hub(cache: Path, names: Iterable[str]) -> Iterable[FoundModel]:
    known = repositories(cache)
    wanted = {repo: folder for repo, folder in known.items() if folder.name in set(names) and is_repo(repo)}
    for repo, folder in wanted.items():
        yield from _snapshots(read_repository(repo, folder, cache))


def _snapshots(read: CachedRepo) -> Iterable[FoundModel]:
    for snapshot in read.snapshots:
        files = {file.path: _cached(file) for file in snapshot.files}
        missing = tuple(path for path, _ in snapshot.broken)
        yield as_model(read.repo, files, HUB, snapshot.commit, snapshot.refs, missing)


def _cached(file: CachedFile) -> FoundFile:
    """A blob is called by its checksum, if the file is a link to one."""
    name = file.blob.name if file.blob != file.file else ""
    return FoundFile(file.blob, matching(HEX64, name), matching(HEX40, name))


def _flat(folder: Path) -> FoundModel:
    """A folder that is one model."""
    files: dict[str, FoundFile] = {}
    for count, place in enumerate(sorted(folder.rglob("*"))):
        if count >= FILE_LIMIT:
            break
        path = place.relative_to(folder).as_posix()
        inside = place.resolve().is_relative_to(folder.resolve())
        if is_path(path) and inside and place.is_file() and not any(part.startswith(".") for part in path.split("/")):
            files[path] = FoundFile(place)
    return as_model(_studio(folder) or f"{LOOSE}/{plain_name(folder.name)}", files, FILES)


def _named(file: Path, notes: "_Notes | None") -> FoundModel:
    """A file with its other parts, by the name that a note beside it or its folders give."""
    parts = _siblings(file)
    if notes and (known := notes.of(file)):
        repo, _, _ = known
        files = {}
        for part in parts:
            _, path, sha256 = notes.of(part) or (repo, part.name, None)
            files[path] = FoundFile(part, sha256)
        return FoundModel(repo, files, LLAMA_CPP)
    loose = f"{LOOSE}/{plain_name(without_part(file.stem))}"
    kind = LLAMA_CPP if notes else FILES
    return FoundModel(_studio(file.parent) or loose, {part.name: FoundFile(part) for part in parts}, kind)


def _studio(folder: Path) -> str:
    """`org/name`, if the folder lies two below LM Studio's `models`."""
    repo = f"{folder.parent.name}/{folder.name}"
    inside = _STUDIO_FOLDERS & set(folder.parts)
    return repo if inside and folder.parent.parent.name in ("models", "hub") and is_repo(repo) else ""


def _siblings(file: Path) -> Sequence[Path]:
    """The file, with all other parts if it is a part of a GGUF model.

    Raises:
        FormatError: a part is missing.
    """
    stem = without_part(file.stem)
    if stem == file.stem or format_of(file.name) != "gguf":
        return [file]
    parts = sorted(file.parent.glob(f"*{file.suffix}"))
    found = [part for part in parts if without_part(part.stem) == stem and part.stem != stem]
    count = int(file.stem.rpartition("-of-")[2])
    if len(found) != count:
        raise FormatError(
            f"{stem} has {count} parts, of which {len(found)} are in {file.parent}.",
            remedy="Put all parts into one folder.",
        )
    return found


def _files(folder: Path) -> Sequence[str]:
    """The names of the files in a folder; a link that leads out of it is none."""
    root = folder.resolve()
    return [entry.name for entry in folder.iterdir() if entry.is_file() and entry.resolve().is_relative_to(root)]


def _base(name: str) -> str:
    """What the quantisations of one model have in common."""
    stem, quantisation = without_part(PurePath(name).stem).lower(), (quantisation_of(name) or "").lower()
    return stem.replace(quantisation, "").strip("-._") if quantisation else stem


def _first_parts(folder: Path) -> Sequence[Path]:
    names = [name for name in _files(folder) if format_of(name) == "gguf"]
    grouped = [parts[0] for parts in variants(names)]
    others = set(names) - {name for parts in variants(names) for name in parts}  # projectors
    return [folder / name for name in sorted([*grouped, *others])]


def as_model(
    repo: str,
    files: Mapping[str, FoundFile],
    kind: str,
    commit: str = "",
    refs: Sequence[str] = (),
    missing: Sequence[str] = (),
) -> FoundModel:
    """A model with the files that its format needs, as a download has them; of GGUF all that are there."""
    ggufs = [path for path in files if format_of(path) == "gguf"]
    wanted = ggufs or (choose(tuple(files)) if files else [])
    kept = {path: files[path] for path in sorted(wanted)}
    return FoundModel(repo, kept, kind, commit, tuple(refs), tuple(sorted(set(files) - set(kept))), tuple(missing))


@dataclass(frozen=True, slots=True)
class _Notes:
    """What llama.cpp wrote beside the files that it fetched: where each is from, and its checksum."""

    files: Mapping[str, tuple[str, str, str | None]]

    def of(self, file: Path) -> tuple[str, str, str | None] | None:
        """The repository, the path in it and the SHA-256 of a file, if they are known."""
        return self.files.get(file.name)

    @classmethod
    def read(cls, folder: Path) -> "_Notes | None":
        """The notes of a folder; None if there are none."""
        found: dict[str, tuple[str, str, str | None]] = {}
        notes = 0
        for entry in folder.glob("*.json"):
            said = _json(entry)
            if entry.name.endswith(".gguf.json"):
                notes += 1
                if known := _from_url(mapping(said).get("url")):
                    found.setdefault(entry.name.removesuffix(".json"), (*known, None))
            elif match := _MANIFEST.match(entry.name):
                notes += 1
                found |= _from_manifest(f"{match[1]}/{match[2]}", mapping(said))
        return cls(found) if notes else None


def _from_url(url: object) -> tuple[str, str] | None:
    """`org/name` and the path, out of the address at a hub."""
    if not isinstance(url, str):
        return None
    try:
        parts = unquote(urlsplit(url).path).strip("/").split("/")
    except ValueError:
        return None
    repo, path = "/".join(parts[:2]), "/".join(parts[4:])
    return (repo, path) if parts[2:3] == ["resolve"] and is_repo(repo) and is_path(path) else None


def _from_manifest(repo: str, said: Mapping[str, object]) -> dict[str, tuple[str, str, str | None]]:
    found: dict[str, tuple[str, str, str | None]] = {}
    for key in ("ggufFile", "mmprojFile"):
        file = mapping(said.get(key))
        path = file.get("rfilename")
        if isinstance(path, str) and is_path(path) and is_repo(repo):
            name = f"{repo}_{path}".replace("/", "_")
            found[name] = (repo, path, matching(HEX64, mapping(file.get("lfs")).get("sha256")))
    return found


def _json(file: Path) -> object:
    try:
        return json.loads(file.read_text("utf-8")) if file.stat().st_size <= NOTE_LIMIT else None
    except (OSError, ValueError, RecursionError):
        return None
