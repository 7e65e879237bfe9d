"""Ollama: its own API, since OpenAI's form of it tells neither sizes nor what is loaded."""

import asyncio
import hashlib
import re
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

from modelshelf.errors import FolderNotWritable, NotFound, ProviderError, UsageError, WrongAddress
from modelshelf.network.addresses import is_loopback
from modelshelf.providers.adapter import HttpAdapter
from modelshelf.providers.adapters.ollama_store import OllamaStore
from modelshelf.providers.answers import count, mapping, objects, text, texts, vectors
from modelshelf.providers.openai import Stopwatch
from modelshelf.providers.spec import (
    Ability,
    ChatChunk,
    ChatRequest,
    Embeddings,
    KeyUse,
    LoadSettings,
    Progress,
    ServedModel,
)
from modelshelf.providers.taking import Goods, Taking, Way

LOAD_SECONDS = 600.0
_PIECE = 1 << 20
_FOREIGN = re.compile(r"[^\w.:-]+", re.ASCII)
_PARTS, _WHOLE = "Ollama takes no model in several parts.", "Choose a file in one piece."


class OllamaProvider(HttpAdapter):
    """An Ollama server."""

    kind = "ollama"
    label = "Ollama"
    about = "Models on this or another machine, fetched and run by Ollama."
    default_url = "http://127.0.0.1:11434"
    key_use = KeyUse.OPTIONAL
    env_names = ()
    load_options = frozenset({"context", "gpu_layers", "idle_seconds"})
    abilities = frozenset({
        Ability.LIST, Ability.DETAIL, Ability.HEALTH, Ability.LOADED, Ability.LOAD, Ability.UNLOAD, Ability.PULL,
        Ability.REGISTER_UPLOAD, Ability.DELETE, Ability.CHAT, Ability.EMBED,
    })  # fmt: skip

    async def look(self) -> str:
        """Ask for its version."""
        found = _object(await self.http.json("GET", "api/version", limit=_PIECE))
        version = text(found.get("version"))
        if not version:
            raise WrongAddress(f"{self.name} does not answer as Ollama does.")
        return version

    async def models(self) -> Sequence[ServedModel]:
        """What it has, and which of them are in memory."""
        items = _object(await self.http.json("GET", "api/tags")).get("models")
        if not isinstance(items, list):
            raise WrongAddress(f"{self.name} answers with no list of models.")
        # One after the other: a sibling that still asks when this one failed would outlive the adapter.
        running = await self._running()
        named = (item for item in objects(items) if text(item.get("name") or item.get("model")))
        return tuple(self._describe(item, running) for item in named)

    async def detail(self, model: str) -> Mapping[str, Any]:
        """What Ollama tells of a model: `template`, `parameters`, `model_info`, `capabilities`, `license`."""
        return _object(await self.http.json("POST", "api/show", {"model": model}))

    async def chat(self, model: str, request: ChatRequest) -> AsyncGenerator[ChatChunk, None]:
        """Stream an answer; closing the generator stops Ollama's work.

        Raises:
            Unreachable, NotSignedIn, NotFound, ProviderError; also when the answer ends before its end was said.
        """
        clock = Stopwatch()
        body = _chat_body(model, request, await self.context.load_settings(self.config.id, model))
        async with aclosing(self.http.ndjson("api/chat", body, model=model)) as events:
            async for event in events:
                said = mapping(event.get("message")).get("content")
                if isinstance(said, str) and said:
                    clock.token()
                    yield ChatChunk(said)
                if event.get("done") is True:
                    usage = _usage(event)
                    rate = _rate(event.get("eval_count"), event.get("eval_duration"))
                    finish = text(event.get("done_reason")) or "stop"
                    yield ChatChunk(finish=finish, usage=usage, timings=clock.timings(rate, usage))
                    return
        raise ProviderError(f"{self.name} broke the answer off.", remedy="Ask again.")

    async def embed(self, model: str, texts: Sequence[str]) -> Embeddings:
        """A vector for each text."""
        found = _object(await self.http.json("POST", "api/embed", {"model": model, "input": list(texts)}, model=model))
        made = vectors(found.get("embeddings"))
        if len(made) != len(texts):
            raise ProviderError(f"{self.name} did not answer with one vector for each text.", remedy="Try again.")
        used = count(found.get("prompt_eval_count")) or 0
        return Embeddings(made, model, self.config.id, {"prompt_tokens": used, "total_tokens": used})

    async def load(self, model: str, settings: LoadSettings | None = None) -> None:
        """Bring a model into memory; Ollama lets it go by itself when nobody used it for a while."""
        await self._generate({"model": model, "stream": False, **_how(settings or LoadSettings())})

    async def unload(self, model: str) -> None:
        """Give its memory back."""
        await self._generate({"model": model, "stream": False, "keep_alive": 0})

    async def pull(self, model: str) -> AsyncGenerator[Progress, None]:
        """Have Ollama fetch a model; closing the generator stops it, pulling again goes on where it stopped."""
        async with aclosing(self.http.ndjson("api/pull", {"model": model, "stream": True})) as events:
            async for event in events:
                yield _progress(event)
                if event.get("status") == "success":
                    self.context.changed(self.config.id)
                    return
        raise ProviderError(f"{self.name} broke the download of {model} off.", remedy="Pull it again: it goes on.")

    async def register(self, file: Path, name: str) -> AsyncGenerator[Progress, None]:
        """Give Ollama a copy of a GGUF file, to serve under `name`. It needs the file's size on its disk once more.

        Raises:
            UsageError: the file is a part of a split model, which Ollama does not take.
            Unreachable, ProviderError.
        """
        if "-of-" in file.stem:
            raise UsageError(_PARTS, remedy=_WHOLE)
        async with aclosing(self._give(file, name)) as steps:
            async for step in steps:
                yield step

    async def taking(self, goods: Goods) -> Taking:
        """By a hard link into its store where that is on this machine and disk, else by an upload, which copies."""
        if goods.format != "gguf":
            return Taking(goods.name, refused=f"Ollama runs GGUF files, and this is {goods.format}.")
        if len(goods.files) > 1:
            return Taking(goods.name, refused=_PARTS, remedy=_WHOLE)
        taken = {model.name.lower() for model in await self.models()}
        store = self._store()
        if store and goods.sha256 and not goods.given:
            there = await asyncio.to_thread(store.name_of, goods.sha256)
            if there.lower() in taken:
                return Taking(there, Way.HARD_LINK, place=str(store.folder), there=True)
        return await self._usual(goods, taken, store)

    async def _usual(self, goods: Goods, taken: Collection[str], store: OllamaStore | None) -> Taking:
        name = goods.given or _free_name(goods, taken)
        if store is not None and await self._linkable(store, goods):
            shared = (store.blob(goods.sha256),) if goods.sha256 else ()
            return Taking(name, Way.HARD_LINK, place=str(store.folder), shared=shared)
        return Taking(name, Way.UPLOAD, goods.size, str(store.folder) if store else self.config.url)

    async def take(self, goods: Goods, taking: Taking) -> AsyncGenerator[Progress, None]:
        """As `register`; without a copy where `taking` said so."""
        store = self._store() if taking.way is Way.HARD_LINK else None
        async with aclosing(self._give(goods.first, taking.name, goods.sha256, store)) as steps:
            async for step in steps:
                yield step

    def shows(self, name: str, served: ServedModel) -> bool:
        """Ollama adds a tag to a name without one."""
        return _tagged(served.name) == _tagged(name)

    async def _give(
        self, file: Path, name: str, sha256: str | None = None, store: OllamaStore | None = None
    ) -> AsyncGenerator[Progress, None]:
        size, said, made = (await asyncio.to_thread(file.stat)).st_size, "there", False
        if sha256 is None:
            yield Progress("hashing", 0, size)
            sha256 = await asyncio.to_thread(_sha256, file)
        digest = f"sha256:{sha256}"
        try:
            if store:
                said, made = await asyncio.to_thread(_linked, store, file, sha256)
            if await self.http.status("HEAD", f"api/blobs/{digest}") == 404:
                if store:
                    raise ProviderError(
                        f"{self.name} does not look into {store.folder}.",
                        remedy="Start Modelshelf with the OLLAMA_MODELS that Ollama has.",
                    )
                yield Progress("copying", 0, size)
                await self.http.upload(f"api/blobs/{digest}", _pieces(file), size)
                said = "copied"
            yield Progress(said, size, size)
            yield Progress("creating", size, size)
            async with aclosing(self._create(name, file.name, digest)) as steps:
                async for step in steps:
                    yield step
            made = False
        finally:
            if made and store:
                await asyncio.to_thread(store.blob(sha256).unlink, True)
        self.context.changed(self.config.id)

    async def _create(self, name: str, file: str, digest: str) -> AsyncGenerator[Progress, None]:
        async with aclosing(self.http.ndjson("api/create", {"model": name, "files": {file: digest}})) as events:
            async for event in events:
                yield _progress(event)
                if event.get("status") == "success":
                    return
        raise ProviderError(f"{self.name} did not finish {name}.", remedy="Try again.")

    def _store(self) -> OllamaStore | None:
        """The folder of an Ollama on this machine."""
        here = is_loopback(self.http.url.host or "")
        return OllamaStore(self.context.config.environ) if here else None

    async def _linkable(self, store: OllamaStore, goods: Goods) -> bool:
        """Whether the model can be linked there and this server goes by that folder, as far as a blob of it tells."""
        if not await asyncio.to_thread(store.takes_links_to, goods.first):
            return False
        known = await asyncio.to_thread(store.sample)
        return not known or await self.http.status("HEAD", f"api/blobs/sha256:{known}") != 404

    async def delete(self, model: str) -> None:
        """Have Ollama forget a model."""
        await self.http.text("DELETE", "api/delete", {"model": model})
        self.context.changed(self.config.id)

    async def _generate(self, body: dict[str, Any]) -> None:
        await self.http.json("POST", "api/generate", body, seconds=LOAD_SECONDS)
        self.context.changed(self.config.id)

    async def _running(self) -> dict[str, Mapping[str, Any]] | None:
        """What is in memory, by name; None where Ollama is too old to say."""
        try:
            items = _object(await self.http.json("GET", "api/ps")).get("models")
        except NotFound:
            return None
        return {text(item.get("name") or item.get("model")): item for item in objects(items)}

    def _describe(self, item: Mapping[str, Any], running: Mapping[str, Mapping[str, Any]] | None) -> ServedModel:
        name = text(item.get("name") or item.get("model"))
        details = mapping(item.get("details"))
        held = (running or {}).get(name)
        return ServedModel(
            self.config.id,
            name,
            size=count(item.get("size")),
            context=count(held.get("context_length")) if held else None,
            quantisation=text(details.get("quantization_level")) or None,
            architecture=text(details.get("family")) or None,
            loaded=None if running is None else held is not None,
            memory=count(held.get("size")) if held else None,
            abilities=texts(item.get("capabilities")) or ("chat",),
            extra={"digest": text(item.get("digest")), "parameters": text(details.get("parameter_size"))},
        )


def _how(settings: LoadSettings) -> dict[str, Any]:
    """Load settings in Ollama's words."""
    options = {"num_ctx": settings.context, "num_gpu": settings.gpu_layers}
    told = {name: value for name, value in options.items() if value is not None}
    body: dict[str, Any] = {"options": told} if told else {}
    if settings.idle_seconds is not None:
        body["keep_alive"] = settings.idle_seconds or -1  # 0 would unload at once; -1 keeps it for ever
    return body


def _chat_body(model: str, request: ChatRequest, settings: LoadSettings) -> dict[str, Any]:
    body = _how(settings)
    options: dict[str, Any] = body.pop("options", {})
    if request.max_tokens is not None:
        options["num_predict"] = request.max_tokens
    if request.temperature is not None:
        options["temperature"] = request.temperature
    more = {"top_p": request.top_p, "seed": request.seed, "stop": list(request.stop) or None}
    options |= {name: value for name, value in more.items() if value is not None}
    extra = {**request.extra, "options": options | dict(mapping(request.extra.get("options")))}
    messages = [{"role": turn.role, "content": turn.content} for turn in request.messages]
    return {"model": model, "messages": messages, "stream": True, **body, **extra}


def _usage(event: Mapping[str, Any]) -> dict[str, int]:
    prompt, answer = count(event.get("prompt_eval_count")) or 0, count(event.get("eval_count")) or 0
    return {"prompt_tokens": prompt, "completion_tokens": answer, "total_tokens": prompt + answer}


def _rate(evaluated: Any, nanoseconds: Any) -> float | None:
    tokens, duration = count(evaluated), count(nanoseconds)
    return tokens / duration * 1e9 if tokens and duration else None


def _progress(event: Mapping[str, Any]) -> Progress:
    return Progress(text(event.get("status")), count(event.get("completed")) or 0, count(event.get("total")))


def _object(found: Any) -> Mapping[str, Any]:
    if not isinstance(found, dict):
        raise WrongAddress("The answer has another form than Ollama's.")
    return found


def _free_name(goods: Goods, taken: Collection[str]) -> str:
    """A name that no other model of its has: to create one under a taken name would replace that."""
    plain = _FOREIGN.sub("-", goods.name).strip("-.:")
    author = _FOREIGN.sub("-", goods.repo.rpartition("/")[0]).strip("-.:") or "modelshelf"
    wanted = (plain, f"{author}/{plain}", f"{author}/{plain.replace(':', '-')}:{goods.commit[:8]}")
    return next((name for name in wanted if _tagged(name) not in taken), wanted[-1])


def _tagged(name: str) -> str:
    return name.lower() if ":" in name.rpartition("/")[2] else f"{name.lower()}:latest"


def _linked(store: OllamaStore, file: Path, sha256: str) -> tuple[str, bool]:
    try:
        return store.link(file, sha256)
    except OSError as error:
        raise FolderNotWritable(f"{store.folder} takes no links: {error.strerror or error}.") from error


def _sha256(file: Path) -> str:
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


async def _pieces(file: Path) -> AsyncIterator[bytes]:
    with await asyncio.to_thread(file.open, "rb") as handle:
        while piece := await asyncio.to_thread(handle.read, _PIECE):
            yield piece
