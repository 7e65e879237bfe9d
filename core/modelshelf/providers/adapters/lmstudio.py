"""LM Studio: its own API where this version has it, the older one and OpenAI's form of it where not."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

from modelshelf.errors import NotFound, ProviderError, UsageError, WrongAddress
from modelshelf.providers.adapters.local_server import LocalServer, told_of
from modelshelf.providers.answers import count, mapping, objects, text
from modelshelf.providers.links import file_name
from modelshelf.providers.openai import embeddings, stream_chat
from modelshelf.providers.spec import (
    Ability,
    ChatChunk,
    ChatRequest,
    Embeddings,
    Field,
    KeyUse,
    LoadSettings,
    Progress,
    ServedModel,
)
from modelshelf.providers.taking import Goods, Taking

LOAD_SECONDS = 600.0
POLL_SECONDS = 0.5
FOLDER = "~/.lmstudio/models"
PUBLISHER = "modelshelf"
_HUB = "https://huggingface.co/"
_COMMANDED = (Ability.LOAD, Ability.UNLOAD, Ability.PULL)


class Api(StrEnum):
    """The forms in which versions of LM Studio list their models."""

    V1 = "api/v1/models"
    V0 = "api/v0/models"
    OPENAI = "v1/models"


_LACKS: Mapping[Api, Mapping[Ability, str]] = {
    Api.V1: {},
    Api.V0: dict.fromkeys(_COMMANDED, "This LM Studio is older than 0.4 and cannot be told to load or fetch a model."),
    Api.OPENAI: dict.fromkeys(
        (*_COMMANDED, Ability.LOADED, Ability.DETAIL),
        "This LM Studio is older than 0.3.6 and tells no more than the names of its models.",
    ),
}


class LmStudioProvider(LocalServer):
    """An LM Studio whose server is switched on."""

    kind = "lmstudio"
    label = "LM Studio"
    about = "Models of the LM Studio application, on this or another machine."
    default_url = "http://127.0.0.1:1234"
    fields = (
        Field("models_dir", "Models folder", help="Where LM Studio keeps its models.", default=FOLDER),
    )  # fmt: skip
    key_use = KeyUse.OPTIONAL
    env_names = ("LM_API_TOKEN",)
    load_options = frozenset({"context", "flash_attention", "idle_seconds"})
    abilities = frozenset({
        Ability.LIST, Ability.DETAIL, Ability.HEALTH, Ability.LOADED, Ability.LOAD, Ability.UNLOAD, Ability.PULL,
        Ability.REGISTER_LINK, Ability.CHAT, Ability.EMBED,
    })  # fmt: skip
    reasons: ClassVar[Mapping[Ability, str]] = {
        Ability.DELETE: "LM Studio deletes models in its own window only, under My Models.",
        Ability.ESTIMATE: "LM Studio estimates on its own command line only: lms load --estimate-only.",
        Ability.REGISTER_PATH: "LM Studio serves only what is in its folder of models: link the file there.",
        Ability.REGISTER_UPLOAD: "LM Studio takes no uploads: link the file into its folder of models.",
    }

    async def check_key(self) -> str:
        """List with the key; says so if the server would have answered without one.

        Raises:
            NotSignedIn, NoPermission, Unreachable, ProviderError.
        """
        api, _ = await self._list()
        return "This LM Studio asks for no key." if await self.asks_for_no_key(api) else ""

    async def models(self) -> Sequence[ServedModel]:
        """What it has, and what of it is in memory where this version tells."""
        api, items = await self._list()
        describe = _described if api is Api.V1 else _described_before
        # Off the loop: a hostile list is long.
        return await asyncio.to_thread(lambda: tuple(describe(self.config.id, item) for item in items if _key(item)))

    async def detail(self, model: str) -> Mapping[str, Any]:
        """What LM Studio tells of a model in its list."""
        item = await self._item(model)
        self.require(Ability.DETAIL)
        return item

    async def chat(self, model: str, request: ChatRequest) -> AsyncGenerator[ChatChunk, None]:
        """Stream an answer; closing the generator stops LM Studio's work. It loads the model by itself if need be.

        Raises:
            Unreachable, NotSignedIn, NotFound, ProviderError; also when the answer ends before its end was said.
        """
        asked = replace(request, extra={**await self._prepared(model), **request.extra})
        async with aclosing(stream_chat(self.http, "v1/chat/completions", model, asked)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def embed(self, model: str, texts: Sequence[str]) -> Embeddings:
        """A vector for each text."""
        more = await self._prepared(model)
        return await embeddings(
            self.http, "v1/embeddings", model, texts, self.config.id, more=more, seconds=LOAD_SECONDS
        )

    async def load(self, model: str, settings: LoadSettings | None = None) -> None:
        """Bring a model into memory; one that is loaded with other settings is loaded anew.

        `idle_seconds` is heeded for models that LM Studio loads by itself for a question; what was loaded on purpose
        stays until it is unloaded.
        """
        self.require(Ability.LOAD)
        wanted = await self._wanted(model, settings)
        item = await self._item(model)
        self.require(Ability.LOAD)
        instances = objects(item.get("loaded_instances"))
        if not any(_suits(instance, wanted) for instance in instances):
            await self._unload(instances)
            await self._load(item, wanted)

    async def unload(self, model: str) -> None:
        """Give its memory back, that of every instance."""
        self.require(Ability.UNLOAD)
        item = await self._item(model)
        self.require(Ability.UNLOAD)
        await self._unload(objects(item.get("loaded_instances")))
        self.context.changed(self.config.id)

    async def pull(self, model: str) -> AsyncGenerator[Progress, None]:
        """Have LM Studio fetch a model: a name of its catalogue, or `hf.co/user/repo:QUANT`.

        It has no way to stop a download: closing the generator only stops the following of it.
        """
        await self._list()  # an older version is told by it
        self.require(Ability.PULL)
        job = mapping(await self.http.json("POST", "api/v1/models/download", _source(model)))
        number = quote(text(job.get("job_id")), safe="")
        while (status := text(job.get("status"))) in {"downloading", "paused"} and number:
            yield _progress(job)
            await asyncio.sleep(POLL_SECONDS)
            job = mapping(await self.http.json("GET", f"api/v1/models/download/status/{number}"))
        if status not in {"completed", "already_downloaded"}:
            raise ProviderError(f"{self.name} did not fetch {model}: {status or 'it says nothing of it'}.")
        yield _progress(job)
        self.context.changed(self.config.id)

    async def register(self, file: Path, name: str) -> AsyncGenerator[Progress, None]:
        """Link a GGUF file into LM Studio's folder, as `publisher/model`; a plain name gets a publisher of ours.

        Raises:
            UsageError, NotFound, FolderNotWritable, Unsupported.
        """
        self.require(Ability.REGISTER_LINK)
        publisher, _, model = name.rpartition("/")
        folder = self.folder(FOLDER)
        if folder is None or file.suffix.lower() != ".gguf":
            raise UsageError(f"{file.name} is no GGUF file.", remedy="Choose a model in GGUF format.")
        yield Progress("linking")
        yield told_of(await self.link(file, folder / file_name(publisher or PUBLISHER) / file_name(model)))
        self.context.changed(self.config.id)

    async def taking(self, goods: Goods) -> Taking:
        """By a link in a folder of its own below LM Studio's, as `publisher/model`."""
        await self._list()
        publisher, _, _ = goods.repo.rpartition("/")
        name = goods.given or f"{file_name(publisher or PUBLISHER)}/{file_name(goods.name)}"
        root = self.folder(FOLDER)
        return await self.linking(goods, root, (root or Path()) / name, "", name)

    async def take(self, goods: Goods, taking: Taking) -> AsyncGenerator[Progress, None]:
        """By links; what goes with the model comes first."""
        await self.link_beside(goods, taking)
        async with aclosing(super().take(goods, taking)) as steps:
            async for step in steps:
                yield step

    def name_of(self, file: Path) -> str:
        """LM Studio goes by the two folders above it."""
        return "/".join(file.parts[-3:-1])

    def shows(self, name: str, served: ServedModel) -> bool:
        """LM Studio names a model by its folder, with or without its publisher, in small letters."""
        key, folder = served.name.lower().partition("@")[0], file_name(name).lower()
        wanted = name.lower()
        return key in {wanted, wanted.rpartition("/")[2]} or file_name(key) == folder

    async def _list(self) -> tuple[Api, Sequence[Mapping[str, Any]]]:
        """The models in the newest form that this version has."""
        for api in Api:
            try:
                found = mapping(await self.http.json("GET", api))
            except NotFound:
                continue
            items = found.get("models" if api is Api.V1 else "data")
            if isinstance(items, list):
                self.lack(_LACKS[api])
                return api, objects(items)
            # Versions before 0.4 answer an unknown route with 200 and an error.
            if not text(found.get("error")).startswith("Unexpected endpoint"):
                break
        raise WrongAddress(f"{self.name} answers with no list of models.")

    async def _item(self, model: str) -> Mapping[str, Any]:
        _, items = await self._list()
        for item in items:
            instances = objects(item.get("loaded_instances"))
            if model == _key(item) or model in {text(instance.get("id")) for instance in instances}:
                return item
        raise NotFound(f"{self.name} has no model “{model}”.", remedy="Check its name in the list of models.")

    async def _load(self, item: Mapping[str, Any], wanted: LoadSettings) -> None:
        body = {"model": _key(item), **_how(wanted)}
        await self.http.json("POST", "api/v1/models/load", body, seconds=LOAD_SECONDS)
        self.context.changed(self.config.id)

    async def _unload(self, instances: Sequence[Mapping[str, Any]]) -> None:
        for instance in instances:
            await self.http.json("POST", "api/v1/models/unload", {"instance_id": text(instance.get("id"))})

    async def _wanted(self, model: str, settings: LoadSettings | None = None) -> LoadSettings:
        return (settings or LoadSettings()).over(await self.context.load_settings(self.config.id, model))

    async def _prepared(self, model: str) -> Mapping[str, Any]:
        """What a question carries so that the model is loaded as wanted; loads it where a question cannot say how."""
        wanted = await self._wanted(model)
        if _how(wanted):
            item = await self._item(model)
            # One that is loaded otherwise is left so: somebody else may be using it.
            if Ability.LOAD in self.abilities and not item.get("loaded_instances"):
                await self._load(item, wanted)
        return {"ttl": wanted.idle_seconds} if wanted.idle_seconds else {}


def _described(provider: str, item: Mapping[str, Any]) -> ServedModel:
    instances = objects(item.get("loaded_instances"))
    config = mapping(instances[0].get("config")) if instances else {}
    most = count(item.get("max_context_length"))
    told = mapping(item.get("capabilities"))
    able = {"tools": "trained_for_tool_use", "vision": "vision", "reasoning": "reasoning"}
    abilities = ("chat", *(word for word, name in able.items() if told.get(name)))
    return ServedModel(
        provider,
        _key(item),
        size=count(item.get("size_bytes")),
        context=count(config.get("context_length")) or most,
        quantisation=text(mapping(item.get("quantization")).get("name")) or None,
        architecture=text(item.get("architecture")) or None,
        loaded=bool(instances),
        abilities=("embed",) if item.get("type") == "embedding" else abilities,
        title=text(item.get("display_name")),
        instances=tuple(text(instance.get("id")) for instance in instances),
        extra={name: value for name in ("publisher", "format", "params_string") if (value := text(item.get(name)))}
        | ({"max_context": most} if most else {}),
    )


def _described_before(provider: str, item: Mapping[str, Any]) -> ServedModel:
    """As the older API and OpenAI's form tell of a model."""
    kind, state = text(item.get("type")), text(item.get("state"))
    embeds = kind == "embeddings" or (not kind and _key(item).startswith("text-embedding"))
    return ServedModel(
        provider,
        _key(item),
        context=count(item.get("loaded_context_length")) or count(item.get("max_context_length")),
        quantisation=text(item.get("quantization")) or None,
        architecture=text(item.get("arch")) or None,
        loaded=state == "loaded" if state else None,
        abilities=("embed",) if embeds else ("chat", "vision") if kind == "vlm" else ("chat",),
        extra={name: value for name in ("publisher", "compatibility_type") if (value := text(item.get(name)))},
    )


def _key(item: Mapping[str, Any]) -> str:
    return text(item.get("key") or item.get("id"))


def _how(settings: LoadSettings) -> dict[str, Any]:
    """Load settings in LM Studio's words."""
    told = {"context_length": settings.context, "flash_attention": settings.flash_attention}
    return {name: value for name, value in told.items() if value is not None}


def _suits(instance: Mapping[str, Any], wanted: LoadSettings) -> bool:
    config = mapping(instance.get("config"))
    return all(config.get(name) == value for name, value in _how(wanted).items())


def _source(model: str) -> dict[str, str]:
    """The body of a download: links to the Hub may name a quantisation."""
    for start in (_HUB, "huggingface.co/", "hf.co/"):
        if model.startswith(start):
            repo, _, quantisation = model.removeprefix(start).partition(":")
            return {"model": _HUB + repo, **({"quantization": quantisation} if quantisation else {})}
    return {"model": model}


def _progress(job: Mapping[str, Any]) -> Progress:
    return Progress(
        text(job.get("status")), count(job.get("downloaded_bytes")) or 0, count(job.get("total_size_bytes"))
    )
