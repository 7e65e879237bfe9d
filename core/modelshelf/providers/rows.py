"""The registry's rows: short transactions, called through the store."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import delete as sql_delete
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from modelshelf.errors import NotFound, UsageError
from modelshelf.providers.spec import ProviderConfig
from modelshelf.store.tables import HealthRow, ModelSettingRow, OfferRow, ProviderKeyRow, ProviderRow

BUILTIN = ProviderConfig("builtin", "builtin", "Built-in engine")
# A provider that was found by itself and removed by a person leaves its row, so that it is not found again.
_REMOVED = "removed"


def every(session: Session) -> tuple[ProviderConfig, ...]:
    """The providers in their order, the built-in engine first whether it has a row or not."""
    rows = session.scalars(select(ProviderRow).order_by(ProviderRow.position, ProviderRow.created)).all()
    found = [_config(row) for row in rows if not row.settings.get(_REMOVED)]
    builtin = next((item for item in found if item.id == BUILTIN.id), BUILTIN)
    return builtin, *(item for item in found if item.id != BUILTIN.id)


def insert(session: Session, config: ProviderConfig, key: ProviderKeyRow | None = None) -> None:
    """Add a provider at the end, and with it the entry of its key.

    Raises:
        UsageError: the id is taken.
    """
    row = session.get(ProviderRow, config.id)
    if row is not None and row.settings.get(_REMOVED):
        session.delete(row)
        session.flush()
        row = None
    if row is not None or config.id == BUILTIN.id:
        raise UsageError(f"There is a provider “{config.id}” already.", remedy="Choose another name.")
    last = session.scalar(select(func.max(ProviderRow.position))) or 0
    session.add(_row(config, last + 1))
    if key is not None:
        session.add(key)


def insert_found(session: Session, config: ProviderConfig) -> bool:
    """Add a provider that was found by itself, unless it is known or a person removed it."""
    rows = session.scalars(select(ProviderRow)).all()
    if any(row.id == config.id or row.url == config.url for row in rows):
        return False
    session.add(_row(config, max((row.position for row in rows), default=0) + 1))
    return True


def update(session: Session, provider: str, changes: Mapping[str, Any]) -> ProviderConfig:
    """Change some fields of a provider.

    Raises:
        NotFound: there is no such provider.
    """
    row = session.get(ProviderRow, provider)
    if row is None and provider == BUILTIN.id:
        row = _row(BUILTIN, 0)
        session.add(row)
    if row is None or row.settings.get(_REMOVED):
        raise unknown(provider, every(session))
    for name, value in changes.items():
        setattr(row, name, value)
    session.flush()
    return _config(row)


def delete(session: Session, provider: str) -> None:
    """Remove a provider.

    Raises:
        NotFound: there is no such provider.
    """
    row = session.get(ProviderRow, provider)
    if row is None or row.settings.get(_REMOVED):
        raise unknown(provider, every(session))
    for table in (ModelSettingRow, HealthRow, OfferRow):
        # Whoever gets this name next has nothing to do with it.
        session.execute(sql_delete(table).where(table.provider == provider))
    if row.settings.get("found"):
        row.settings = {**row.settings, _REMOVED: True}
    else:
        session.delete(row)


def reorder(session: Session, providers: Sequence[str]) -> None:
    """Put these first.

    Raises:
        NotFound: one of them does not exist.
    """
    known = every(session)
    for name in providers:
        if name not in {item.id for item in known}:
            raise unknown(name, known)
    wanted = [*providers, *(item.id for item in known if item.id not in providers)]
    for row in session.scalars(select(ProviderRow)):
        if row.id in wanted:
            row.position = 1 + wanted.index(row.id)


def merge(session: Session, configs: Sequence[ProviderConfig]) -> Sequence[str]:
    """Add what is new and change what is known; the ids of what is new."""
    added = []
    for config in configs:
        row = session.get(ProviderRow, config.id)
        if (row is not None and not row.settings.get(_REMOVED)) or config.id == BUILTIN.id:
            changes = {"name": config.name, "url": config.url, "enabled": config.enabled}
            update(session, config.id, changes | {"settings": dict(config.settings)})
        else:
            insert(session, config)
            update(session, config.id, {"enabled": config.enabled})
            added.append(config.id)
        session.flush()
    return added


def load_settings(session: Session, provider: str, model: str) -> Mapping[str, Any]:
    """What was settled for a model."""
    row = session.get(ModelSettingRow, (provider, model))
    return dict(row.settings) if row else {}


def set_load_settings(session: Session, provider: str, model: str, settings: Mapping[str, Any]) -> None:
    """Settle how a model is to be loaded."""
    session.merge(ModelSettingRow(provider=provider, model=model, settings=dict(settings)))


def unknown(provider: str, known: Sequence[ProviderConfig]) -> NotFound:
    """The error for a provider that does not exist."""
    return NotFound(
        f"There is no provider “{provider}”.", remedy="Known: " + ", ".join(item.id for item in known) + "."
    )


def _config(row: ProviderRow) -> ProviderConfig:
    return ProviderConfig(row.id, row.kind, row.name, row.url, row.enabled, dict(row.settings))


def _row(config: ProviderConfig, position: int) -> ProviderRow:
    return ProviderRow(
        id=config.id,
        kind=config.kind,
        name=config.name,
        url=config.url,
        enabled=config.enabled,
        settings=dict(config.settings),
        position=position,
    )
