"""llama.cpp's own server: with one model it was started with, or as a router that holds several."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from modelshelf.catalog.files import quantisation_of
from modelshelf.errors import (
    ModelshelfError,
    NotFound,
    ProviderError,
    TimedOut,
    Unsupported,
    UsageError,
    WrongAddress,
)
from modelshelf.providers.adapters.llamacpp_pull import Following
from modelshelf.providers.adapters.local_server import LocalServer, told_of
from modelshelf.providers.answers import count, mapping, objects, text, texts
from modelshelf.providers.launch import llama_server
from modelshelf.providers.links import file_name, home_path
from modelshelf.providers.openai import embeddings, stream_chat
from modelshelf.providers.presets import change
from modelshelf.providers.spec import (
    Ability,
    ChatChunk,
    ChatRequest,
    Embeddings,
    Field,
    Health,
    HealthStatus,
    KeyUse,
    LoadSettings,
    Progress,
    ServedModel,
)
from modelshelf.providers.taking import Goods, Taking, Way

LOAD_SECONDS = 600.0
POLL_SECONDS = 0.25
_RUNNING = frozenset({"loaded", "sleeping"})
_UNDER_WAY = frozenset({"loading", "downloading"})
_OF_ROUTERS = dict.fromkeys(
    (Ability.LOAD, Ability.UNLOAD, Ability.PULL, Ability.DELETE, Ability.REGISTER_LINK),
    "This llama-server has the one model it was started with; started without -m it holds several.",
)
_NO_FOLDER = {
    Ability.REGISTER_LINK: "Name the folder that llama-server was given with --models-dir in this provider's settings."
}


class LlamaCppProvider(LocalServer):
    """A llama-server, in either mode."""

    kind = "llamacpp"
    label = "llama.cpp server"
    about = "llama-server, with one model or as a router of several, on this or another machine."
    default_url = "http://127.0.0.1:8080"
    fields = (
        Field("models_dir", "Models folder", help="What a router was given with --models-dir: files are linked there."),
        Field(
            "models_preset", "Presets file", help="What a router was given with --models-preset, if it has no folder."
        ),
    )
    key_use = KeyUse.OPTIONAL
    env_names = ("LLAMA_API_KEY",)
    abilities = frozenset({
        Ability.LIST, Ability.DETAIL, Ability.HEALTH, Ability.LOADED, Ability.LOAD, Ability.UNLOAD, Ability.PULL,
        Ability.REGISTER_LINK, Ability.DELETE, Ability.CHAT, Ability.EMBED,
    })  # fmt: skip
    reasons: ClassVar[Mapping[Ability, str]] = {
        Ability.ESTIMATE: "llama-server tells no estimate; Modelshelf's own is in the model's details.",
        Ability.REGISTER_PATH: "A router serves what is in its folder of models: link the file there.",
        Ability.REGISTER_UPLOAD: "llama-server takes no uploads; a router serves what is linked into its folder.",
    }

    _names: frozenset[str] = frozenset()

    async def look(self) -> str:
        """Ask what it is, by a route that needs the key; its build."""
        return text((await self._props()).get("build_info"))

    async def health(self) -> Health:
        """As any; one that loads its model is slow, not down."""
        found = await super().health()
        return replace(found, status=HealthStatus.SLOW) if found.detail == self._loading().message else found

    async def check_key(self) -> str:
        """Ask with the key; says so if the server would have answered without one.

        Raises:
            NotSignedIn, Unreachable, ProviderError.
        """
        await self._props()
        return "This llama-server asks for no key." if await self.asks_for_no_key("props") else ""

    async def models(self) -> Sequence[ServedModel]:
        """Its model, or what the router knows of and which of that is in memory."""
        props, items = await asyncio.gather(self._props(), self._items())
        # Off the loop: a hostile list is long.
        return await asyncio.to_thread(lambda: tuple(self._describe(item, props) for item in items))

    async def detail(self, model: str) -> Mapping[str, Any]:
        """What it tells of a model: its entry in the list, and while it runs its `props`."""
        item = await self._item(model)
        if _status(item) not in {"", *_RUNNING}:
            return item
        # Without this a router would load the model for the question.
        return {**item, "props": await self._props({"model": text(item.get("id")), "autoload": "false"})}

    async def chat(self, model: str, request: ChatRequest) -> AsyncGenerator[ChatChunk, None]:
        """Stream an answer; closing the generator stops the work. A router loads the model first if need be.

        Raises:
            Unreachable, NotSignedIn, NotFound, ProviderError; also when the answer ends before its end was said.
        """
        await self._know(model)
        with self._explained(model):
            async with aclosing(stream_chat(self.http, "v1/chat/completions", model, request)) as chunks:
                async for chunk in chunks:
                    yield chunk

    async def embed(self, model: str, texts: Sequence[str]) -> Embeddings:
        """A vector for each text.

        Raises:
            Unsupported: it was not started for embeddings, or the model has none.
        """
        await self._know(model)
        with self._explained(model):
            return await embeddings(self.http, "v1/embeddings", model, texts, self.config.id, seconds=LOAD_SECONDS)

    async def load(self, model: str, settings: LoadSettings | None = None) -> None:
        """Have a router load a model and wait until it has; how is a matter of the router's own preset.

        Raises:
            Unsupported, NotFound, ProviderError, TimedOut.
        """
        item = await self._commanded(model, Ability.LOAD)
        if _status(item) not in _RUNNING | _UNDER_WAY:
            await self.http.json("POST", "models/load", {"model": model})
        item = await self._wait(model, lambda status: status not in _UNDER_WAY)
        self.context.changed(self.config.id)
        if _status(item) not in _RUNNING:
            code = count(mapping(item.get("status")).get("exit_code"))
            ended = f": its process ended with status {code}." if code is not None else "."
            raise ProviderError(f"{self.name} could not load {model}{ended}", remedy="Look into the router's own log.")

    async def unload(self, model: str) -> None:
        """Have a router give a model's memory back, and wait until it has."""
        item = await self._commanded(model, Ability.UNLOAD)
        if _status(item) in _RUNNING | _UNDER_WAY:
            await self.http.json("POST", "models/unload", {"model": model})
            await self._wait(model, lambda status: status not in _RUNNING | _UNDER_WAY)
        self.context.changed(self.config.id)

    async def pull(self, model: str) -> AsyncGenerator[Progress, None]:
        """Have a router fetch `user/repo:QUANT` from the Hub; closing the generator stops that."""
        await self._props()
        self.require(Ability.PULL)
        async with Following(self.http, model) as following:
            await self.http.json("POST", "models", {"model": model}, seconds=LOAD_SECONDS)
            try:
                async with aclosing(following.steps()) as steps:
                    async for step in steps:
                        yield step
            finally:
                if not following.ended:
                    with suppress(ModelshelfError):
                        await self.http.json("POST", "models/unload", {"model": model})
        self.context.changed(self.config.id)

    async def register(self, file: Path, name: str) -> AsyncGenerator[Progress, None]:
        """Link a GGUF file into a router's folder, to be served under a name; parts get a folder of that name.

        Raises:
            UsageError, NotFound, FolderNotWritable, Unsupported.
        """
        await self._props()
        self.require(Ability.REGISTER_LINK)
        folder, stem = self.folder(), file_name(name.rpartition("/")[2])
        if folder is None or file.suffix.lower() != ".gguf":
            raise UsageError(f"{file.name} is no GGUF file.", remedy="Choose a model in GGUF format.")
        yield Progress("linking")
        yield await self._link_in(file, folder / stem if "-of-" in file.stem else folder, stem)

    async def _link_in(self, file: Path, folder: Path, stem: str) -> Progress:
        """Link a model into a folder and have the router see it."""
        linked = await self.link(file, folder, stem)
        if stem not in {text(item.get("id")) for item in await self._items(reload=True)}:
            raise ProviderError(
                f"{self.name} does not see {stem} in {folder}.", remedy="Name the folder of its --models-dir."
            )
        self.context.changed(self.config.id)
        return told_of(linked)

    async def taking(self, goods: Goods) -> Taking:
        """By a link in a router's folder; one with a single model is started anew for another."""
        router = (await self._props()).get("role") == "router"
        if not router and goods.format == "gguf":
            return Taking(goods.name, Way.PATH, place=str(goods.first), command=llama_server(goods))
        stem, root = file_name((goods.given or goods.name).replace(":", "-")), self.folder()
        if root is None and (presets := self._presets()) is not None and goods.format == "gguf":
            return Taking(stem, Way.PATH, place=str(presets))
        own = len(goods.files) > 1 or goods.beside  # what is more than one file gets a folder of its own
        folder = (root or Path()) / stem if own else root or Path()
        return await self.linking(goods, root, folder, stem, stem)

    async def take(self, goods: Goods, taking: Taking) -> AsyncGenerator[Progress, None]:
        """By a link, or by a section of its presets file."""
        presets = self._presets()
        if taking.links or presets is None:
            await self.link_beside(goods, taking)
            yield await self._link_in(goods.first, Path(taking.place), taking.name)
            return
        await asyncio.to_thread(change, presets, taking.name, goods.first)
        await self._items(reload=True)
        yield Progress(taking.way.value)
        self.context.changed(self.config.id)

    def _presets(self) -> Path | None:
        """Its presets file, where the settings name one."""
        told = self.config.settings.get("models_preset")
        return home_path(told, self.context.config.environ) if isinstance(told, str) and told.strip() else None

    def name_of(self, file: Path) -> str:
        """A router calls a model by its file, parts by their folder."""
        return file.parent.name if "-of-" in file.stem else file.stem

    def shows(self, name: str, served: ServedModel) -> bool:
        """By its name; a server with one model calls it by its file where it has no alias."""
        return name.lower() in {served.name.lower(), Path(served.name).stem.lower()}

    async def let_go(self, name: str) -> None:
        """Have a router read its folder anew, without our section in its presets."""
        if (presets := self._presets()) is not None:
            await asyncio.to_thread(change, presets, name, None)
        await self._items(reload=True)
        self.context.changed(self.config.id)

    async def delete(self, model: str) -> None:
        """Have a router delete a model that it fetched itself.

        Raises:
            UsageError: it is not in the router's own cache.
        """
        item = await self._commanded(model, Ability.DELETE)
        if item.get("can_remove") is False:
            raise UsageError(f"{model} is not in the router's own cache.", remedy="Delete its file in the folder.")
        await self.http.json("DELETE", "models", query={"model": model}, seconds=LOAD_SECONDS)
        self.context.changed(self.config.id)

    async def _props(self, query: Mapping[str, str] | None = None) -> Mapping[str, Any]:
        with self._explained():
            try:
                found = mapping(await self.http.json("GET", "props", query=query))
            except NotFound:
                found = {}
        router = found.get("role") == "router"
        if not router and not isinstance(found.get("default_generation_settings"), dict):
            raise WrongAddress(f"{self.name} does not answer as llama-server does.")
        if query is None:
            self.lack(({} if self.folder() or self._presets() else _NO_FOLDER) if router else _OF_ROUTERS)
        return found

    async def _items(self, *, reload: bool = False) -> Sequence[Mapping[str, Any]]:
        with self._explained():
            found = mapping(await self.http.json("GET", "models", query={"reload": 1} if reload else None))
        if not isinstance(found.get("data"), list):
            raise WrongAddress(f"{self.name} answers with no list of models.")
        items = [item for item in objects(found["data"]) if text(item.get("id"))]
        self._names = frozenset(name for item in items for name in _names(item))
        return items

    async def _item(self, model: str) -> Mapping[str, Any]:
        for item in await self._items():
            if model in _names(item):
                return item
        raise self._unknown(model)

    async def _know(self, model: str) -> None:
        """Refuse a name that it has not: a server with one model would answer by that, whatever the name."""
        if model not in self._names:
            await self._item(model)

    async def _commanded(self, model: str, ability: Ability) -> Mapping[str, Any]:
        self.require(ability)
        await self._props()
        item = await self._item(model)
        self.require(ability)
        return item

    async def _wait(self, model: str, until: Callable[[str], bool]) -> Mapping[str, Any]:
        try:
            async with asyncio.timeout(LOAD_SECONDS):
                while True:
                    item = await self._item(model)
                    if until(_status(item)):
                        return item
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError as error:
            raise TimedOut(f"{self.name} is still not done with {model} after {LOAD_SECONDS:.0f} s.") from error

    @contextmanager
    def _explained(self, model: str = "") -> Iterator[None]:
        """Say in plain words what a refusal means here."""
        try:
            yield
        except ProviderError as error:
            status, said = error.facts.get("status"), error.message.partition(": ")[2]
            if status == 503 and error.facts.get("kind") == "unavailable_error":
                raise self._loading() from error
            if status == 501 or (status == 400 and said.startswith("Pooling type")):
                raise Unsupported(
                    f"{self.name} does not do that: {said}",
                    remedy="Start llama-server with --embeddings --pooling mean.",
                ) from error
            if status == 400 and model and said.endswith("not found."):
                raise self._unknown(model) from error
            raise

    def _loading(self) -> ProviderError:
        return ProviderError(f"{self.name} is still loading its model.", remedy="Wait until it has, then ask again.")

    def _unknown(self, model: str) -> NotFound:
        return NotFound(f"{self.name} has no model “{model}”.", remedy="Check its name in the list of models.")

    def _describe(self, item: Mapping[str, Any], props: Mapping[str, Any]) -> ServedModel:
        name, status, meta = text(item.get("id")), _status(item), mapping(item.get("meta"))
        of_slot = count(mapping(props.get("default_generation_settings")).get("n_ctx"))
        repo, _, _ = name.partition(":")
        takes = texts(mapping(item.get("architecture")).get("input_modalities"))
        trained = count(meta.get("n_ctx_train"))
        return ServedModel(
            self.config.id,
            name,
            size=count(meta.get("size")),
            context=of_slot or count(meta.get("n_ctx")) or trained,
            quantisation=text(meta.get("ftype")) or quantisation_of(text(item.get("path")) or name.replace(":", "-")),
            repo=repo if repo.count("/") == 1 else None,
            loaded=status == "loaded" if status else props.get("is_sleeping") is not True,
            abilities=("chat", "vision") if "image" in takes else ("chat",),
            extra={"status": status} if status else {"max_context": trained} if trained else {},
        )


def _status(item: Mapping[str, Any]) -> str:
    """unloaded | loading | loaded | sleeping | downloading; nothing where there is one model only."""
    return text(mapping(item.get("status")).get("value"))


def _names(item: Mapping[str, Any]) -> tuple[str, ...]:
    return (text(item.get("id")), *texts(item.get("aliases")))
