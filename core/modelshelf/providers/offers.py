"""What providers offered when they were last asked: written by whoever asked, read by every process on the home."""

import asyncio
import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from modelshelf.providers.spec import Ability, Price, Provider, ServedModel
from modelshelf.store import Store
from modelshelf.store.tables import OfferRow

_ABILITIES = frozenset(Ability)


@dataclass(frozen=True, slots=True)
class Listed:
    """The models of a provider as of `at`, and what it could do then; `error` says why there is no newer list."""

    models: Sequence[ServedModel]
    abilities: frozenset[Ability]
    missing: Mapping[Ability, str]
    error: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Offering:
    """What a provider was found to offer; without `models` only why these are not known."""

    abilities: frozenset[Ability] = frozenset()
    missing: Mapping[Ability, str] = field(default_factory=dict)
    models: Sequence[ServedModel] | None = None
    error: str = ""

    @classmethod
    def of(cls, adapter: Provider, models: Sequence[ServedModel]) -> "Offering":
        """What this provider can do now, and these models."""
        return cls(adapter.abilities, dict(adapter.missing), tuple(models))

    def encode(self) -> str | None:
        """As it is kept; None without models."""
        if self.models is None:
            return None
        told = {
            "abilities": sorted(ability.value for ability in self.abilities),
            "missing": {ability.value: why for ability, why in self.missing.items()},
            "models": [_as_dict(model) for model in self.models],
        }
        return json.dumps(told, default=str)


class Offers:
    """The last list of each provider. A list that did not change is neither written nor read again."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, tuple[str, str, Listed]] = {}
        self._kept: dict[str, tuple[Offering, tuple[str, str]]] = {}

    def is_last(self, provider: str, offer: Offering) -> bool:
        """Whether that is what this process kept last of the provider."""
        return provider in self._kept and self._kept[provider][0] == offer

    def keep(self, session: Session, provider: str, offer: Offering, text: str | None) -> bool:
        """Keep an offer, with its `text` where that is known already; whether it is other than before."""
        last = self._kept.get(provider)
        if last and last[0] == offer:
            # Another process may have looked since and seen something else.
            if _mark(session, provider) == last[1]:
                return False
            text = offer.encode()
        changed, mark = _keep(session, provider, text, offer.error)
        self._kept[provider] = offer, mark
        return changed

    async def read(self) -> Mapping[str, Listed]:
        """What is known of every provider that was asked."""
        marks = await self._store.read(_marks)
        for gone in self._known.keys() - marks.keys():
            del self._known[gone]
        stale = [name for name, mark in marks.items() if self._known.get(name, ("", "", None))[:2] != mark]
        for name in stale:
            if row := await self._store.read(_row, name):
                listed = await asyncio.to_thread(_decode, row)
                self._known[name] = (row.digest, row.error, listed)
        return {name: listed for name, (_, _, listed) in self._known.items()}

    async def forget(self, provider: str) -> None:
        """Forget the list of a provider that is removed."""
        self._kept.pop(provider, None)
        await self._store.write(_forget, provider)


def _as_dict(model: ServedModel) -> dict[str, Any]:
    """What differs from an empty model: lists of thousands stay small."""
    told = {item.name: getattr(model, item.name) for item in dataclasses.fields(model)}
    told["price"] = [model.price.input, model.price.output] if model.price else None
    told["retires"] = model.retires.isoformat() if model.retires else None
    told["extra"] = dict(model.extra)
    return {name: value for name, value in told.items() if value not in (None, "", (), {}, False) or name == "loaded"}


def _decode(row: OfferRow) -> Listed:
    found = json.loads(row.models)
    return Listed(
        tuple(_from_dict(item) for item in found.get("models", ())),
        frozenset(Ability(name) for name in found.get("abilities", ()) if name in _ABILITIES),
        {Ability(name): why for name, why in found.get("missing", {}).items() if name in _ABILITIES},
        row.error,
        row.at,
    )


def _from_dict(found: dict[str, Any]) -> ServedModel:
    told = dict(found)
    told["price"] = Price(*found["price"]) if found.get("price") else None
    told["retires"] = date.fromisoformat(found["retires"]) if found.get("retires") else None
    for name in ("abilities", "instances"):
        told[name] = tuple(found.get(name, ()))
    names = {item.name for item in dataclasses.fields(ServedModel)}
    return ServedModel(**{name: value for name, value in told.items() if name in names})


def _keep(session: Session, provider: str, text: str | None, error: str) -> tuple[bool, tuple[str, str]]:
    row = session.get(OfferRow, provider)
    if row is None:
        row = OfferRow(provider=provider, models="{}", digest="", error="")
        session.add(row)
    before = (row.digest, row.error)
    if text is not None:
        digest = hashlib.sha256(text.encode()).hexdigest()
        if digest != row.digest:
            row.models, row.digest = text, digest
        row.at = datetime.now(UTC)
    row.error = error
    after = (row.digest, row.error)
    return before != after, after


def _mark(session: Session, provider: str) -> tuple[str, str] | None:
    row = session.execute(select(OfferRow.digest, OfferRow.error).where(OfferRow.provider == provider)).first()
    return (row.digest, row.error) if row else None


def _marks(session: Session) -> dict[str, tuple[str, str]]:
    rows = session.execute(select(OfferRow.provider, OfferRow.digest, OfferRow.error))
    return {provider: (digest, error) for provider, digest, error in rows}


def _row(session: Session, provider: str) -> OfferRow | None:
    return session.get(OfferRow, provider)


def _forget(session: Session, provider: str) -> None:
    session.execute(delete(OfferRow).where(OfferRow.provider == provider))
