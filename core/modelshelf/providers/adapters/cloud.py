"""Cloud services with OpenAI's routes: one adapter, a kind for each service that is known by name."""

import re
from collections.abc import Mapping
from contextlib import aclosing
from typing import Any, ClassVar, cast

from yarl import URL

from modelshelf.errors import NoCredit, NotFound, UsageError, WrongAddress
from modelshelf.providers.adapters.compatible import CompatibleProvider
from modelshelf.providers.addresses import clean_url
from modelshelf.providers.answers import mapping, number, objects, text
from modelshelf.providers.cloud_services import VARIABLE, CloudService
from modelshelf.providers.http import Endpoint
from modelshelf.providers.spec import MODELS_FIELD, Ability, Field, KeyUse, ProviderFactory, ServedModel

_VALUE = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$")
_CURRENCIES = {"USD": "US dollars", "CNY": "yuan", "EUR": "euros"}


class CloudProvider(CompatibleProvider):
    """A service; `service` is what is known of it, replaced when newer facts come."""

    service: ClassVar[CloudService]

    def base(self) -> str:
        """The address that was configured, or the service's with what the account fills in.

        Raises:
            UsageError: something that belongs into it was not given.
        """
        usual = self.config.url in {"", self.service.fixed_url}
        return clean_url(VARIABLE.sub(self._filled, self.service.url)) if usual else super().base()

    def prefix(self) -> str | None:
        """Nothing at the service itself: its address is known."""
        return "" if self._at_home() else super().prefix()

    async def known(self) -> Mapping[str, ServedModel]:
        """What models.dev tells of its models."""
        return {name: model.served(self.config.id) for name, model in self.service.models.items()}

    async def look(self) -> str:
        """Ask the route that needs the key where the service has one; the list of models otherwise.

        Another host is not asked: it may limit how often, and says nothing of this one.
        """
        proof = self.service.proof
        if not proof or "://" in proof or await self._proven() is None:
            return await super().look()
        return ""

    async def check_key(self) -> str:
        """Ask the route that needs the key, and tell what is left; without such a route, the list of models."""
        found = await self._proven() if self.service.proof else None
        return await super().check_key() if found is None else self._told(found)

    async def _first(self, *, signed: bool = True) -> Any:
        if not self.service.listed:
            raise NotFound(f"{self.name} has no list of its models.", remedy="Choose among those that are known.")
        return await super()._first(signed=signed)

    async def _proven(self) -> Mapping[str, Any] | None:
        """What the route answers that needs the key; None if it is not there, or not at this address."""
        proof = self.service.proof
        there = "://" in proof
        if there and not self._at_home():
            return None
        try:
            found = await (self._ask_there(proof) if there else self.http.json("GET", proof))
        except NotFound:
            return None
        if not isinstance(found, dict):
            raise WrongAddress(f"{self.name} answers {proof} with something else than expected.")
        return found

    async def _ask_there(self, address: str) -> Any:
        """The answer of the service's other host."""
        config = self.context.config
        seconds = config.config.providers.timeout_seconds
        endpoint = Endpoint(self.name, address, seconds=seconds, settings=config, sign=self.sign)
        async with aclosing(endpoint):
            return await endpoint.json("GET", "")

    def _at_home(self) -> bool:
        fixed = self.service.fixed_url
        return self.config.url in {"", fixed} or bool(fixed and URL(self.config.url).origin() == URL(fixed).origin())

    def _told(self, found: Mapping[str, Any]) -> str:
        """What an answer about a key says, in a sentence.

        Raises:
            NoCredit: nothing is left.
        """
        if name := text(found.get("name")):
            return f"The key is {name}'s."
        if found.get("is_available") is False:
            raise NoCredit(f"The account behind the key of {self.name} has no credit left.")
        for balance in objects(found.get("balance_infos")):
            if total := text(balance.get("total_balance")):
                currency = text(balance.get("currency"))
                return f"{total} {_CURRENCIES.get(currency, currency)} are left."
        return _left(mapping(found.get("data")))

    def _filled(self, match: re.Match[str]) -> str:
        variable = match.group(1)
        given = text(self.config.settings.get(variable)) or self.context.config.environ.get(variable, "")
        value = given.strip().removeprefix("https://").rstrip("/")
        if not _VALUE.match(value):
            raise UsageError(f"{self.name} needs its {_label(variable)}.", remedy=f"Set it, or set {variable}.")
        return value


def factory_of(service: CloudService) -> ProviderFactory:
    """The kind of a service, named by its id."""
    abilities = CloudProvider.abilities - (frozenset() if service.embeds else {Ability.EMBED})
    many = len(service.models)
    return cast(
        "ProviderFactory",
        type(
            "CloudProvider",
            (CloudProvider,),
            {
                "__doc__": f"{service.label} as models.dev describes it.",
                "service": service,
                "kind": service.id,
                "label": service.label,
                "about": f"A service with OpenAI's routes; {many:,} model{'' if many == 1 else 's'} known.",
                "default_url": service.fixed_url,
                "abilities": abilities,
                "fields": (*(_field(variable) for variable in service.variables), MODELS_FIELD),
                "key_use": KeyUse.OPTIONAL if service.local else KeyUse.REQUIRED,
                "env_names": service.env_names,
            },
        ),
    )


def _left(key: Mapping[str, Any]) -> str:
    """What OpenRouter tells of a key."""
    left, used = number(key.get("limit_remaining")), number(key.get("usage"))
    if left is not None and left <= 0:
        raise NoCredit("The limit that was set for this key is used up.", remedy="Raise it at the provider.")
    if left is not None:
        return f"{left:,.2f} US dollars are left of the key's limit."
    return f"{used:,.2f} US dollars were used, and the key has no limit." if used is not None else ""


def _field(variable: str) -> Field:
    help_ = f"A part of the service's address; without it the environment variable {variable} is used."
    return Field(variable, _label(variable), help=help_)


def _label(variable: str) -> str:
    """CLOUDFLARE_ACCOUNT_ID as a person says it."""
    words = variable.lower().split("_")
    return " ".join("ID" if word == "id" else word for word in words[1:] or words)
