"""What each engine answers that no other does. A port tells little: 8080 may be llama.cpp, LocalAI or TGI.

Some servers answer every path with 200, so that only the form of an answer counts, never its status alone.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from modelshelf.errors import ModelshelfError, NotSignedIn, TimedOut, Unreachable, WrongAddress
from modelshelf.providers.answers import mapping, objects, text
from modelshelf.providers.http import Endpoint

ANSWER_LIMIT = 8 << 20
COMPATIBLE = "openai-compatible"


class Look:
    """What one address answers. Every path is asked once; what is no answer of an API counts as nothing."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._seen: dict[str, Any] = {}
        self._gone = False
        self.refused: set[str] = set()
        """The paths that want a key."""
        self.said: set[str] = set()
        """What errors were called or said, in small letters."""

    async def banner(self) -> bytes:
        """The page at the address itself."""
        try:
            return await self._endpoint.text("GET", "", limit=ANSWER_LIMIT)
        except ModelshelfError as error:
            self._note("", error)
            return b""

    async def there(self, path: str) -> bool:
        """Whether a path answers, with whatever."""
        try:
            await self._endpoint.text("GET", path, limit=ANSWER_LIMIT)
        except ModelshelfError:
            return False
        return True

    async def ask(self, path: str) -> Any:
        """The JSON at a path; None if there is none."""
        if path not in self._seen:
            self._seen[path] = None
            if not self._gone:
                self._seen[path] = await self._json(path)
        return self._seen[path]

    async def object(self, path: str) -> Mapping[str, Any]:
        """The JSON object at a path, or an empty one."""
        return mapping(await self.ask(path))

    async def owners(self, path: str) -> set[str] | None:
        """Who owns the models in a list of OpenAI's form; None if it is no such list."""
        items = (await self.object(path)).get("data")
        return {text(item.get("owned_by")).lower() for item in objects(items)} if isinstance(items, list) else None

    async def _json(self, path: str) -> Any:
        try:
            found = await self._endpoint.json("GET", path, limit=ANSWER_LIMIT)
        except ModelshelfError as error:
            self._note(path, error)
            return None
        self.said.add(text(mapping(found).get("error")).lower())
        return found

    def _note(self, path: str, error: ModelshelfError) -> None:
        if isinstance(error, NotSignedIn):
            self.refused.add(path)
        self.said |= {error.message.lower(), text(error.facts.get("kind")).lower()}
        # Nobody listens there, or it speaks something else than HTTP: the other paths will not do better.
        self._gone |= isinstance(error, Unreachable) and not isinstance(error, WrongAddress | TimedOut)


@dataclass(frozen=True, slots=True)
class Mark:
    """A fingerprint: `tells` gives the version, empty if it is not said, and None if it is something else.

    `path` follows the address for those that are reached by OpenAI's routes.
    """

    kind: str
    label: str
    tells: Callable[[Look], Awaitable[str | None]]
    path: str = ""


async def _ollama(look: Look) -> str | None:
    if b"Ollama is running" not in await look.banner():
        return None
    return text((await look.object("api/version")).get("version")) or None


async def _koboldcpp(look: Look) -> str | None:
    told = await look.object("api/extra/version")
    return text(told.get("version")) if told.get("result") == "KoboldCpp" else None


async def _lmstudio(look: Look) -> str | None:
    if isinstance((await look.object("api/v1/models")).get("models"), list):
        return ""
    older = objects((await look.object("api/v0/models")).get("data"))
    # It answers paths that it has not with 200 and this sentence; without its token it names itself.
    odd = any("unexpected endpoint or method" in said or "lm studio" in said for said in look.said)
    return "" if odd or any("compatibility_type" in item for item in older) else None


async def _llamacpp(look: Look) -> str | None:
    props = await look.object("props")
    build = text(props.get("build_info"))
    if build or "default_generation_settings" in props or "llamacpp" in (await look.owners("v1/models") or ()):
        return build
    if isinstance((await look.object("models")).get("data"), list):
        states = [mapping(item.get("status")) for item in objects((await look.object("models"))["data"])]
        if any("value" in state for state in states):
            return ""
    if "unavailable_error" in look.said:  # while it loads a model it answers nothing else
        return ""
    keyed = "v1/models" in look.refused and "authentication_error" in look.said
    return "" if keyed and (await look.object("health")).get("status") == "ok" else None


async def _vllm(look: Look) -> str | None:
    owners = await look.owners("v1/models")
    keyed = "v1/models" in look.refused
    if not keyed and "vllm" not in (owners or ()):
        return None
    version = text((await look.object("version")).get("version"))
    # Its key guards the routes below /v1 only.
    return version if not keyed or (version and await look.there("ping")) else None


async def _sglang(look: Look) -> str | None:
    if "sglang" in (await look.owners("v1/models") or ()):
        return ""
    return "" if "tokenizer_path" in await look.object("get_model_info") else None


async def _tgi(look: Look) -> str | None:
    told = await look.object("info")
    known = text(told.get("router")).startswith("text-generation-router") or "max_total_tokens" in told
    return text(told.get("version")) if known and text(told.get("model_id")) else None


async def _localai(look: Look) -> str | None:
    told = await look.object("system")
    if not isinstance(told.get("backends"), list) or "loaded_models" not in told:
        return None
    return text((await look.object("version")).get("version"))


def _lemonade(path: str) -> Callable[[Look], Awaitable[str | None]]:
    async def tells(look: Look) -> str | None:
        told = await look.object(f"{path}/health")
        return text(told.get("version")) if "all_models_loaded" in told or "model_loaded" in told else None

    return tells


async def _docker(look: Look) -> str | None:
    return None if await look.owners("engines/v1/models") is None else ""


async def _jan(look: Look) -> str | None:
    told = mapping((await look.object("openapi.json")).get("info"))
    return text(told.get("version")) if "Jan" in text(told.get("title")).split() else None


async def _webui(look: Look) -> str | None:
    return "" if "model_name" in await look.object("v1/internal/model/info") else None


async def _anything(look: Look) -> str | None:
    return None if await look.owners("v1/models") is None else ""


# In this order: some imitate those that come after them.
MARKS = (
    Mark("ollama", "Ollama", _ollama),
    Mark(COMPATIBLE, "KoboldCpp", _koboldcpp, "/v1"),
    Mark("lmstudio", "LM Studio", _lmstudio),
    Mark(COMPATIBLE, "SGLang", _sglang, "/v1"),
    Mark("llamacpp", "llama.cpp server", _llamacpp),
    Mark("vllm", "vLLM", _vllm),
    Mark(COMPATIBLE, "TGI", _tgi, "/v1"),
    Mark(COMPATIBLE, "LocalAI", _localai, "/v1"),
    Mark(COMPATIBLE, "Lemonade", _lemonade("v1"), "/v1"),
    Mark(COMPATIBLE, "Lemonade", _lemonade("api/v1"), "/api/v1"),
    Mark(COMPATIBLE, "Docker Model Runner", _docker, "/engines/v1"),
    Mark(COMPATIBLE, "Jan", _jan, "/v1"),
    Mark(COMPATIBLE, "Text generation web UI", _webui, "/v1"),
    Mark(COMPATIBLE, "OpenAI-compatible server", _anything, "/v1"),
)
