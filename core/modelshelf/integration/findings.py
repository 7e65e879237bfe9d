"""Finds what is at odds: pure functions of what services know, each for one kind of conflict."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from yarl import URL

from modelshelf.catalog.files import format_of
from modelshelf.integration.conflict_types import Conflict, ConflictKind, Deed, conflict_id
from modelshelf.integration.issues import ADVICE, WARNING, WRONG
from modelshelf.library.served import ServedFile
from modelshelf.library.types import InstalledFile, InstalledModel
from modelshelf.network.addresses import is_loopback
from modelshelf.providers.profile_spec import Cause, Profile, ProfileState, ProfileStatus
from modelshelf.providers.rows import BUILTIN
from modelshelf.providers.spec import LoadSettings, ProviderConfig
from modelshelf.registration.types import HELD, Registration

GENERAL = "openai-compatible"  # a kind that speaks to nearly everything: of two the other one knows more
LATEST = ":latest"  # which Ollama reads into a name without a tag
LOST = frozenset({Cause.REMOVED, Cause.MISSING, Cause.RETIRED})


def duplicates(models: Iterable[InstalledModel]) -> list[Conflict]:
    """The same weights in several repositories, each with bytes of its own. Looks at the disk: for threads."""
    known: dict[str, dict[tuple[int, int], tuple[InstalledModel, InstalledFile]]] = defaultdict(dict)
    for model in models:
        for file in model.files:
            if file.sha256 and format_of(file.path) and (inode := _inode(file.blob)):
                known[file.sha256].setdefault(inode, (model, file))
    return [_duplicate(sha, list(found.values())) for sha, found in sorted(known.items()) if len(found) > 1]


def _duplicate(sha256: str, copies: Sequence[tuple[InstalledModel, InstalledFile]]) -> Conflict:
    names = sorted({model.repo for model, _file in copies})
    (_first, keep), *others = copies
    size = keep.size * len(others)
    return Conflict(
        conflict_id(ConflictKind.DUPLICATE, sha256),
        ConflictKind.DUPLICATE,
        ADVICE,
        f"{Path(keep.path).name} lies on the disk {len(copies)} times, in {_listed(names)}.",
        "The bytes are the same, by their SHA-256; every copy takes its room.",
        "All names lead to one copy from then on. Nothing is renamed, and every model stays usable.",
        Deed("link", {"keep": str(keep.blob), "others": [str(file.blob) for _model, file in others]}),
        freed=size,
        about={"model": names[0]},
    )


def two_names(files: Iterable[ServedFile], profiles: Sequence[Profile]) -> list[Conflict]:
    """One model that engines offer under several names, since it lies in several repositories or commits."""
    known: dict[tuple[str | None, ...], list[ServedFile]] = defaultdict(list)
    for item in files:
        if all(file.sha256 for file in item.files):
            known[tuple(file.sha256 for file in item.files)].append(item)
    return [_two_names(found, profiles) for found in known.values() if len(found) > 1]


def _two_names(found: Sequence[ServedFile], profiles: Sequence[Profile]) -> Conflict:
    keep, *others = sorted(found, key=lambda item: (not item.model.pinned, ":" in item.name, len(item.name), item.name))
    pinned = [item.name for item in others if item.model.pinned]
    names = {f"{BUILTIN.id}/{item.name}": f"{BUILTIN.id}/{keep.name}" for item in others}
    using = {profile.name: names[profile.model] for profile in profiles if profile.model in names}
    moved = f" {_listed(sorted(using))} will use {keep.name}." if using else ""
    return Conflict(
        conflict_id(ConflictKind.TWO_NAMES, *sorted(f"{item.name} {item.model.id}" for item in found)),
        ConflictKind.TWO_NAMES,
        ADVICE,
        f"One model is offered as {_listed([keep.name, *(item.name for item in others)])}.",
        f"It is in {_listed([f'{item.model.repo}@{item.model.commit[:7]}' for item in (keep, *others)])}: whoever "
        "chooses one cannot know that the other is the same.",
        f"Both are pinned: unpin {_listed(pinned)} first."
        if pinned
        else f"{keep.name} stays, {_listed([item.name for item in others])} goes into the trash for a week.{moved}",
        None if pinned else Deed("put away", {"models": [_named(item) for item in others], "profiles": using}),
        about={"model": keep.model.repo},
    )


def _named(item: ServedFile) -> dict[str, object]:
    files = [file.path for file in item.files]
    return {"repo": item.model.repo, "commit": item.model.commit, "files": files}


@dataclass(frozen=True, slots=True)
class Asked:
    """How a model is to be loaded, and the most tokens that it was made for."""

    model: str
    settings: LoadSettings
    most: int


def mismatches(asked: Iterable[Asked]) -> list[Conflict]:
    """Models that are to be loaded with more context than they were made for."""
    return [_mismatch(one) for one in asked if (one.settings.context or 0) > one.most > 0]


def _mismatch(one: Asked) -> Conflict:
    return Conflict(
        conflict_id(ConflictKind.MISMATCH, one.model),
        ConflictKind.MISMATCH,
        WARNING,
        f"{one.model} is to be loaded with {one.settings.context:,} tokens of context, but was made for {one.most:,}.",
        "Beyond what it was made for, answers become nonsense, and the memory for it is taken all the same.",
        f"It is loaded with {one.most:,} tokens from then on.",
        Deed("settings", {"model": one.model, "settings": {**one.settings.as_dict(), "context": one.most}}),
        about={"provider": one.model.partition("/")[0]},
    )


@dataclass(frozen=True, slots=True)
class Plain:
    """A copy that a provider serves without the chat template that the model brings; `own` is the built-in engine's."""

    model: str
    own: str


def plain_copies(copies: Iterable[Plain], profiles: Sequence[Profile]) -> list[Conflict]:
    """Models that a provider does not know how to chat with, though their files say how."""
    found = []
    for one in copies:
        using = [item.name for item in profiles if item.model.removesuffix(LATEST) == one.model.removesuffix(LATEST)]
        found.append(_plain(one, dict.fromkeys(using, one.own)))
    return found


def _plain(one: Plain, using: Mapping[str, str]) -> Conflict:
    provider = one.model.partition("/")[0]
    remedy = f"Ask {one.own} instead: the built-in engine goes by the model's own template."
    if using:
        remedy = f"{_listed(sorted(using))} will use {one.own}, which goes by the model's own template."
    return Conflict(
        conflict_id(ConflictKind.MISMATCH, "template", one.model),
        ConflictKind.MISMATCH,
        WARNING if using else ADVICE,
        f"{one.model} answers without its chat template.",
        f"{provider} did not recognise the template that the file brings: it sees questions as plain text.",
        remedy,
        Deed("profile", {"models": dict(using)}) if using else None,
        about={"provider": provider},
    )


def one_address(configs: Iterable[ProviderConfig]) -> list[Conflict]:
    """Two providers that are switched on and lead to the same program on a machine of one's own."""
    known: dict[tuple[str, int], list[ProviderConfig]] = defaultdict(list)
    for config in configs:
        if config.enabled and (place := _place(config.url)):
            known[place].append(config)
    return [_one_address(found) for found in known.values() if len(found) > 1]


def _one_address(found: Sequence[ProviderConfig]) -> Conflict:
    keep, *others = sorted(found, key=lambda config: config.kind == GENERAL)
    return Conflict(
        conflict_id(ConflictKind.ONE_ADDRESS, *sorted(config.id for config in found)),
        ConflictKind.ONE_ADDRESS,
        WARNING,
        f"{_listed([config.name for config in found])} have one address, {URL(keep.url).authority}.",
        "Only one program can answer there: the others show its models once more, or fail.",
        f"{keep.name} stays, {_listed([config.name for config in others])} is switched off.",
        Deed("enable", {"providers": [config.id for config in others], "enabled": False}),
        about={"provider": others[0].id},
    )


def _place(url: str) -> tuple[str, int] | None:
    """Host and port, if it is this machine: what is elsewhere may well have several doors, or accounts."""
    if not url:
        return None
    parsed = URL(url)
    if not parsed.host or not parsed.port or not is_loopback(parsed.host):
        return None
    return "here", parsed.port


@dataclass(frozen=True, slots=True)
class Left:
    """Files that nothing uses: what they are, where, and how large."""

    what: str
    name: str
    paths: tuple[Path, ...]
    size: int


def orphans(left: Iterable[Left]) -> list[Conflict]:
    """What is left on the disk."""
    return [_orphan(one) for one in left]


def _orphan(one: Left) -> Conflict:
    return Conflict(
        conflict_id(ConflictKind.ORPHAN, one.what, one.name),
        ConflictKind.ORPHAN,
        ADVICE,
        f"{_files(one)} of {one.name} {'is' if len(one.paths) == 1 else 'are'} used by nothing.",
        "It was left by a download that is over, or by another program; nothing will use it again.",
        "It goes into the trash for a week, then for good.",
        Deed("trash", {"paths": [str(path) for path in one.paths]}),
        freed=one.size,
    )


def _files(one: Left) -> str:
    count = len(one.paths)
    return f"{count} {one.what if count == 1 else one.what.replace('file', 'files', 1)}"


def lost_registrations(made: Iterable[Registration], models: Iterable[InstalledModel]) -> list[Conflict]:
    """Models that a provider was given and that are not in the library any more."""
    here = {(model.repo, model.commit) for model in models}
    listed = [item for item in made if item.status in HELD and item.wish != "undo" and item.provider != BUILTIN.id]
    return [_lost_registration(item) for item in listed if (item.repo, item.commit) not in here]


def _lost_registration(item: Registration) -> Conflict:
    return Conflict(
        conflict_id(ConflictKind.ORPHAN, "registration", item.id),
        ConflictKind.ORPHAN,
        WARNING,
        f"{item.provider} was given {item.name or item.repo}, which is not in the library any more.",
        "It still lists the model, and may fail when somebody asks it.",
        f"{item.provider} forgets it. Download {item.repo} again to have it back.",
        Deed("unregister", {"registration": item.id}),
        undoable=False,
        about={"provider": item.provider},
    )


def low_disk(folder: Path, free: int, least: int, trash: int) -> list[Conflict]:
    """Too little room where models are kept; `trash` are the bytes that emptying the trash would free."""
    if free >= least:
        return []
    text = f"Only {_size(free)} are free where models are kept."
    why = "A download that finds no room waits until there is some."
    if not trash:
        remedy = "Choose what to remove under Installed; the largest models free most."
        return [Conflict(conflict_id(ConflictKind.LOW_DISK), ConflictKind.LOW_DISK, WARNING, text, why, remedy)]
    remedy = f"The trash is emptied: what is in it cannot be put back any more. This frees {_size(trash)}."
    return [
        Conflict(
            conflict_id(ConflictKind.LOW_DISK), ConflictKind.LOW_DISK, WARNING, text, why, remedy,
            Deed("empty trash"), undoable=False, freed=trash, about={"folder": str(folder)},
        )
    ]  # fmt: skip


def lost_models(states: Iterable[ProfileState], profiles: Mapping[str, Profile]) -> list[Conflict]:
    """Profiles whose model is gone for good."""
    return [_lost(state, profiles[state.name]) for state in states if state.cause in LOST and state.name in profiles]


def _lost(state: ProfileState, profile: Profile) -> Conflict:
    broken = state.status is ProfileStatus.BROKEN
    best = state.nearest[0] if state.nearest else ""
    deed = Deed("profile", {"models": {profile.name: best}}) if best else None
    return Conflict(
        conflict_id(ConflictKind.PROFILE, profile.name, profile.model),
        ConflictKind.PROFILE,
        WRONG if broken else WARNING,
        f"The profile “{profile.name}” has lost its model.",
        state.problem + ("" if broken else f" {state.uses} answers instead."),
        f"{best}, the nearest that is there, takes its place." if best else "Download it again, or choose another.",
        deed,
        about={"profile": profile.name, "model": profile.model},
    )


def _inode(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _listed(names: Sequence[str]) -> str:
    """Names as in a sentence."""
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]


def _size(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.1f} MB"
