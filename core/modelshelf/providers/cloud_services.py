"""Reads what models.dev tells of cloud services: their addresses, the names of their keys, their models and prices."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from yarl import URL

from modelshelf.errors import ModelshelfError
from modelshelf.network.addresses import is_loopback
from modelshelf.providers import listing
from modelshelf.providers.addresses import clean_url
from modelshelf.providers.answers import count, day, mapping, number, text, texts
from modelshelf.providers.spec import Price, ServedModel

MOST_SERVICES = 2_000
MOST_MODELS = 5_000
VARIABLE = re.compile(r"\$\{([A-Z][A-Z0-9_]*)\}")
_ID = re.compile(r"^[a-z0-9][a-z0-9_.-]{0,39}$")
_ROUTE = re.compile(r"/chat/completions/?$")
_KEY = re.compile(r"^[A-Z0-9][A-Z0-9_]*(KEY|TOKEN|PAT)$")
_COMPATIBLE = frozenset({"@ai-sdk/openai-compatible", "@openrouter/ai-sdk-provider"})
# The data names no address for these, or that of another API than OpenAI's.
_BASES = {
    "aihubmix": "https://aihubmix.com/v1",
    "cerebras": "https://api.cerebras.ai/v1",
    "cohere": "https://api.cohere.ai/compatibility/v1",
    "deepinfra": "https://api.deepinfra.com/v1/openai",
    "google": "https://generativelanguage.googleapis.com/v1beta/openai",
    "groq": "https://api.groq.com/openai/v1",
    "minimax": "https://api.minimax.io/v1",
    "minimax-cn": "https://api.minimaxi.com/v1",
    "mistral": "https://api.mistral.ai/v1",
    "perplexity": "https://api.perplexity.ai",
    "togetherai": "https://api.together.xyz/v1",
    "v0": "https://api.v0.dev/v1",
    "venice": "https://api.venice.ai/api/v1",
    "vercel": "https://ai-gateway.vercel.sh/v1",
    "vivgrid": "https://api.vivgrid.com/v1",
    "xai": "https://api.x.ai/v1",
}
_UNLISTED = frozenset({"perplexity", "cloudflare-workers-ai"})
# Routes that need the key where the list does not, or that tell what is left.
_PROOFS = {
    "deepseek": "user/balance",
    "huggingface": "https://huggingface.co/api/whoami-v2",
    "openrouter": "key",
}
_EMBEDS = frozenset({"cohere", "deepinfra", "fireworks-ai", "huggingface", "nvidia", "openrouter", "togetherai"})


@dataclass(frozen=True, slots=True)
class CloudModel:
    """A model of a service. `context` and `max_output` in tokens; `status` is alpha, beta, deprecated or nothing."""

    name: str
    title: str = ""
    context: int | None = None
    max_output: int | None = None
    price: Price | None = None
    abilities: tuple[str, ...] = ()
    status: str = ""
    deprecated: bool = False
    released: date | None = None
    updated: date | None = None

    def served(self, provider: str) -> ServedModel:
        """The model as a provider offers it."""
        return ServedModel(
            provider,
            self.name,
            context=self.context,
            abilities=self.abilities,
            title=self.title if self.title != self.name else "",
            max_output=self.max_output,
            price=self.price,
            deprecated=self.deprecated,
        )


@dataclass(frozen=True, slots=True)
class CloudService:
    """A service by its id in models.dev, with its models by name.

    `url` is its base address for OpenAI's routes, empty if it has none; `${NAME}` in it stands for what an account
    fills in. `env_names` are the environment variables that usually hold its key. `listed` is False where it has no
    list of models. `proof` is a route, or the address of one, that needs the key.
    """

    id: str
    label: str
    url: str = ""
    env_names: tuple[str, ...] = ()
    doc: str = ""
    models: Mapping[str, CloudModel] = field(default_factory=dict)
    listed: bool = True
    proof: str = ""

    @property
    def variables(self) -> tuple[str, ...]:
        """What an account fills in."""
        return tuple(dict.fromkeys(VARIABLE.findall(self.url)))

    @property
    def fixed_url(self) -> str:
        """The address as far as it is the same for every account; nothing if not even its host is."""
        head = self.url.partition("/${")[0]
        return head if head and "${" not in head and URL(head).host else ""

    @property
    def local(self) -> bool:
        """Whether it is reached through a program on this machine."""
        return bool(self.url) and not self.variables and is_loopback(URL(self.url).host or "")

    @property
    def embeds(self) -> bool:
        """Whether it makes embeddings, as far as is known."""
        return self.id in _EMBEDS or any("embed" in model.abilities for model in self.models.values())

    @property
    def newest(self) -> date:
        """When a fact about one of its models was last changed."""
        return max((model.updated for model in self.models.values() if model.updated), default=date.min)


def read(found: Any) -> Mapping[str, CloudService]:
    """The services in the data by id, of OpenAI's shape or not; what has not the expected form is left out."""
    named = [(key, mapping(item)) for key, item in list(mapping(found).items())[:MOST_SERVICES]]
    return {key: _service(key, item) for key, item in named if _ID.match(key) and text(item.get("name"))}


def _service(id_: str, item: Mapping[str, Any]) -> CloudService:
    doc = text(item.get("doc"))
    entries = list(mapping(item.get("models")).items())[:MOST_MODELS]
    models = {name: _model(name, mapping(entry)) for name, entry in entries if listing.name_of({"id": name})}
    return CloudService(
        id_,
        " ".join(text(item.get("name")).split()),
        _url(id_, item),
        tuple(name for name in texts(item.get("env")) if _KEY.match(name)),
        doc if doc.startswith("https://") else "",
        models,
        id_ not in _UNLISTED,
        _PROOFS.get(id_, ""),
    )


def _url(id_: str, item: Mapping[str, Any]) -> str:
    url = _BASES.get(id_) or (text(item.get("api")) if item.get("npm") in _COMPATIBLE else "")
    url = _ROUTE.sub("", url).rstrip("/")
    try:
        clean_url(VARIABLE.sub("x", url))
    except ModelshelfError:
        return ""
    return url


def _model(name: str, item: Mapping[str, Any]) -> CloudModel:
    limit, cost = mapping(item.get("limit")), mapping(item.get("cost"))
    price = Price(_dollars(cost.get("input")), _dollars(cost.get("output")))
    status = text(item.get("status"))
    abilities = _abilities(name, item)
    return CloudModel(
        name,
        " ".join(text(item.get("name")).split()),
        count(limit.get("context")) or None,
        None if "embed" in abilities else count(limit.get("output")) or None,
        None if price == Price() else price,
        abilities,
        status,
        status == "deprecated",
        _day(item.get("release_date")),
        _day(item.get("last_updated")),
    )


def _abilities(name: str, item: Mapping[str, Any]) -> tuple[str, ...]:
    shape = mapping(item.get("modalities"))
    inputs, outputs = set(texts(shape.get("input"))), set(texts(shape.get("output")))
    main = listing.by_name(f"{name} {text(item.get('family'))}")
    if main != "chat":
        return (main,)
    found = {made for kind, made in (("image", "image"), ("audio", "speech"), ("video", "video")) if kind in outputs}
    if "text" in outputs:
        found.add("transcribe" if inputs == {"audio"} else "chat")
    if "chat" in found:
        found |= {"tools"} if item.get("tool_call") is True else set()
        found |= {"reasoning"} if item.get("reasoning") is True else set()
        found |= {"vision"} if "image" in inputs else set()
    return listing.ordered(found or {"chat"})


def _dollars(found: Any) -> float | None:
    value = number(found)
    return value if value is not None and value >= 0 else None


def _day(found: Any) -> date | None:
    """A day; some are told to the month only."""
    return day(f"{found}-01" if isinstance(found, str) and len(found) == len("2026-01") else found)
