"""OpenAI itself: its list tells names only, so that all else comes from what is known of its models."""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import replace

from modelshelf.errors import UsageError
from modelshelf.providers import cloud_data
from modelshelf.providers.adapters.compatible import CompatibleProvider, Items
from modelshelf.providers.answers import text
from modelshelf.providers.spec import MODELS_FIELD, Field, KeyUse, ServedModel

_ID = re.compile(r"^[A-Za-z0-9_.-]{1,100}$")
_DATED = re.compile(r"-(\d{4}-\d{2}-\d{2}|\d{4})$")
# Served by other routes than chat completions, though their names look like a chat model's.
_OTHER_ROUTE = (
    ("complete", re.compile(r"^(davinci|babbage|gpt-3\.5-turbo-instruct)")),
    ("realtime", re.compile(r"realtime")),
    ("responses", re.compile(r"^(codex-|computer-use)|-pro(-\d|$)|deep-research|-codex")),
)
_HEADERS = {"organization": "OpenAI-Organization", "project": "OpenAI-Project"}


class OpenAIProvider(CompatibleProvider):
    """OpenAI's own service."""

    kind = "openai"
    label = "OpenAI"
    about = "GPT and the other models of OpenAI; billed by the token."
    default_url = "https://api.openai.com/v1"
    fields = (
        Field("organization", "Organisation", help="Its id (org-…), if the key belongs to several."),
        Field("project", "Project", help="Its id (proj_…), if the key belongs to several."),
        MODELS_FIELD,
    )
    key_use = KeyUse.REQUIRED
    env_names = ("OPENAI_API_KEY",)

    def headers(self) -> Mapping[str, str]:
        """Organisation and project.

        Raises:
            UsageError: one of them is no id.
        """
        given = {name: text(self.config.settings.get(key)).strip() for key, name in _HEADERS.items()}
        if wrong := next((name for name, value in given.items() if value and not _ID.match(value)), None):
            raise UsageError(f"That is no id for {wrong}.", remedy="Copy it from OpenAI's settings.")
        return {name: value for name, value in given.items() if value}

    async def known(self) -> Mapping[str, ServedModel]:
        """What models.dev tells of OpenAI's models."""
        services = await asyncio.to_thread(cloud_data.load, self.context.config.home)
        service = services.get("openai")
        return {name: model.served(self.config.id) for name, model in service.models.items()} if service else {}

    def _described(self, items: Items, known: Mapping[str, ServedModel]) -> tuple[ServedModel, ...]:
        """A dated name is the same model as the name without its date."""
        plain = {name: found for name in items if (found := known.get(_DATED.sub("", name)))}
        return tuple(map(_by_route, super()._described(items, {**plain, **known})))


def _by_route(model: ServedModel) -> ServedModel:
    other = next((ability for ability, pattern in _OTHER_ROUTE if pattern.search(model.name)), None)
    if other is None or "chat" not in model.abilities:
        return model
    rest = tuple(ability for ability in model.abilities if ability != "chat")
    return replace(model, abilities=(other, *rest))
