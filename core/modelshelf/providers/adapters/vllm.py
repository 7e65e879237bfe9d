"""vLLM: one process that serves one model, with LoRA adapters beside it."""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

from modelshelf.errors import NotFound
from modelshelf.network.addresses import is_loopback
from modelshelf.providers.adapters.compatible import CompatibleProvider, Items
from modelshelf.providers.answers import mapping, text
from modelshelf.providers.launch import vllm
from modelshelf.providers.spec import Ability, Health, HealthStatus, ServedModel
from modelshelf.providers.taking import Goods, Taking, Way

_BELOW = re.compile(r"/v1$")
_LAUNCH = "vLLM serves the model that it was started with: `vllm serve PATH --served-model-name NAME`."
_SHORT = 64 << 10


class VllmProvider(CompatibleProvider):
    """A vLLM server, by its address without `/v1`: health and version lie beside the API."""

    kind = "vllm"
    label = "vLLM"
    about = "A vLLM server on this or another machine; it serves the model that it was started with."
    default_url = "http://127.0.0.1:8000"
    fields = ()
    abilities = CompatibleProvider.abilities | {Ability.LOADED}
    reasons: ClassVar[Mapping[Ability, str]] = {
        Ability.LOAD: f"{_LAUNCH} Start another one for another model.",
        Ability.UNLOAD: "vLLM keeps its model until it is stopped; stop it to have its memory back.",
        Ability.PULL: "vLLM fetches a model when it is started: `vllm serve ORG/NAME`.",
        Ability.REGISTER_PATH: f"{_LAUNCH} PATH is the model's folder; it takes none while it runs.",
        Ability.REGISTER_LINK: f"{_LAUNCH} It needs no link: PATH may be anywhere.",
        Ability.REGISTER_UPLOAD: f"{_LAUNCH} It takes no files from others.",
        Ability.DELETE: "vLLM keeps no models of its own; delete the files that it was started with.",
        Ability.ESTIMATE: "vLLM reserves a share of the memory when it is started (--gpu-memory-utilization).",
    }

    def base(self) -> str:
        """The server's root."""
        return _BELOW.sub("", super().base())

    def prefix(self) -> str:
        """Everything of OpenAI's shape lies there."""
        return "v1/"

    @property
    def exposed(self) -> bool:
        """Whether it is reached over a network without encryption."""
        return self.http.url.scheme == "http" and not is_loopback(self.http.url.host or "")

    async def look(self) -> str:
        """Ask for its health, which needs no key, and its models, which do; its version."""
        _, version, _ = await asyncio.gather(
            self.http.text("GET", "health", limit=_SHORT), self._version(), super().look()
        )
        return version

    async def health(self) -> Health:
        """One look; of one that others can reach too, what its key does not guard."""
        found = await super().health()
        if found.status is HealthStatus.WELL and self.exposed:
            warning = "Not encrypted; vLLM's key guards only the routes below /v1."
            return replace(found, detail=warning, remedy="Let nobody else reach its port.")
        return found

    async def taking(self, goods: Goods) -> Taking:
        """By being started with the model's folder: the command that does it."""
        if goods.format != "safetensors":
            return Taking(goods.name, refused=f"vLLM runs safetensors, and this is {goods.format}.")
        return Taking(goods.name, Way.PATH, place=str(goods.folder), command=vllm(goods))

    async def _version(self) -> str:
        try:
            return text(mapping(await self.http.json("GET", "version", limit=_SHORT)).get("version"))
        except NotFound:
            return ""  # older than that route

    def _described(self, items: Items, known: Mapping[str, ServedModel]) -> tuple[ServedModel, ...]:
        """What it lists is in memory; an adapter names the model that it changes as its parent."""
        found = super()._described(items, known)
        return tuple(replace(model, loaded=True, repo=_repo(text(model.extra.get("root")))) for model in found)


def _repo(root: str) -> str | None:
    """A repository's name, where vLLM was started with one and not with a folder."""
    return root if re.fullmatch(r"[\w.-]+/[\w.-]+", root) and not root.startswith((".", "/")) else None
