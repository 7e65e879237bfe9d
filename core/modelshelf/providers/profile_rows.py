"""The rows of profiles: short transactions, called through the store. After each, every purpose has one default."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from modelshelf.errors import NotFound, UsageError
from modelshelf.providers.answers import mapping
from modelshelf.providers.nearest import NOTHING, Traits
from modelshelf.providers.profile_checks import parameters, same
from modelshelf.providers.profile_spec import PARAMETERS, Profile, known_names
from modelshelf.store.tables import ProfileRow


@dataclass(frozen=True, slots=True)
class Kept:
    """A profile, and what is remembered of its model."""

    profile: Profile
    traits: Traits = NOTHING


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did, by names: `kept` differ from the text and were left as they are."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    same: tuple[str, ...] = ()


@dataclass(slots=True)
class _Report:
    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    same: list[str] = field(default_factory=list)


def every(session: Session) -> tuple[Kept, ...]:
    """All profiles in their order."""
    return tuple(_kept(row) for row in _rows(session))


def put(session: Session, kept: Kept, new: bool) -> Profile:
    """Create a profile, or change the one of its name; `new` refuses to change.

    Raises:
        UsageError: it is to be new, and there is one of that name.
    """
    row = _find(session, kept.profile.name)
    if row is not None and new:
        raise _taken(row.name)
    return _put(session, row, kept)


def drop(session: Session, name: str) -> str:
    """Remove a profile; its name as it was written.

    Raises:
        NotFound.
    """
    row = _need(session, name)
    session.delete(row)
    _settle(session)
    return row.name


def rename(session: Session, name: str, to: str) -> Profile:
    """Give a profile another name.

    Raises:
        NotFound: there is no such profile.
        UsageError: another has that name.
    """
    row = _need(session, name)
    other = _find(session, to)
    if other is not None and other is not row:
        raise _taken(other.name)
    row.name = to
    session.flush()
    return _kept(row).profile


def make_default(session: Session, name: str) -> Profile:
    """Make a profile the one of its purpose.

    Raises:
        NotFound.
    """
    row = _need(session, name)
    _settle(session, row)
    return _kept(row).profile


def merge(session: Session, found: Sequence[Kept], overwrite: bool) -> Imported:
    """Add what is new; what is known and differs is changed if `overwrite`, else left."""
    report = _Report()
    for item in found:
        profile, row = item.profile, _find(session, item.profile.name)
        before = _kept(row).profile if row is not None else None
        if before is None:
            report.added.append(_put(session, None, item).name)
        elif replace(profile, name=before.name, default=before.default or profile.default) == before:
            report.same.append(before.name)
        elif overwrite:
            report.changed.append(_put(session, row, item).name)
        else:
            report.kept.append(before.name)
    return Imported(*(tuple(getattr(report, name)) for name in ("added", "changed", "kept", "same")))


def unknown(name: str, known: Sequence[Profile]) -> NotFound:
    """The error for a profile that does not exist."""
    return NotFound(f"There is no profile “{name}”.", remedy=known_names(known))


def _put(session: Session, row: ProfileRow | None, kept: Kept) -> Profile:
    profile = kept.profile
    if row is None:
        last = session.scalar(select(func.max(ProfileRow.position))) or 0
        row = ProfileRow(name=profile.name, default=False, position=last + 1)
        session.add(row)
    if row.model != profile.model or kept.traits != NOTHING:
        row.parameters = {"model": kept.traits.as_dict()}
    row.purpose, row.model, row.system = profile.purpose, profile.model, profile.system
    row.parameters = {**(row.parameters or {}), "ask": profile.parameters.as_dict()}
    row.fallbacks = list(profile.fallbacks)
    session.flush()
    _settle(session, row if profile.default else None)
    return _kept(row).profile


def _settle(session: Session, wanted: ProfileRow | None = None) -> None:
    """Leave one default for each purpose: the wanted one, else the one there is, else the first."""
    session.flush()
    rows = _rows(session)
    for purpose in {row.purpose for row in rows}:
        alike = [row for row in rows if row.purpose == purpose]
        first = wanted if wanted in alike else next((row for row in alike if row.default), alike[0])
        for row in alike:
            row.default = row is first
    session.flush()


def _rows(session: Session) -> Sequence[ProfileRow]:
    return session.scalars(select(ProfileRow).order_by(ProfileRow.position, ProfileRow.created)).all()


def _find(session: Session, name: str) -> ProfileRow | None:
    return next((row for row in _rows(session) if same(row.name, name)), None)


def _need(session: Session, name: str) -> ProfileRow:
    row = _find(session, name)
    if row is None:
        raise unknown(name, [kept.profile for kept in every(session)])
    return row


def _taken(name: str) -> UsageError:
    return UsageError(f"There is a profile “{name}” already.", remedy="Choose another name.", field="name")


def _kept(row: ProfileRow) -> Kept:
    # What a newer version asks beside is not for us.
    asked = {name: value for name, value in mapping(row.parameters.get("ask")).items() if name in PARAMETERS}
    profile = Profile(
        row.name, row.model, row.purpose, parameters(asked), row.system, tuple(row.fallbacks), row.default
    )
    return Kept(profile, Traits.read(mapping(row.parameters.get("model"))))
