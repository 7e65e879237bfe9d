"""Which token a Hub gets: one of the environment, else the one that was saved here, else huggingface_hub's own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from modelshelf.config import ConfigManager, SourceConfig
from modelshelf.errors import NotFound
from modelshelf.vault import Secret

PUBLIC_HUB = "https://huggingface.co"
_YES = ("1", "ON", "YES", "TRUE")


class Secrets(Protocol):
    """What keeps saved tokens: `modelshelf.vault.Vault`."""

    async def get(self, name: str, *, bound_to: str = "") -> Secret:
        """The secret of a name, as it was saved for this address.

        Raises:
            NotFound: there is none.
            VaultError: it cannot be opened.
        """
        ...


@dataclass(frozen=True, slots=True)
class FoundToken:
    """A token and where it is from: the name of the environment variable, `vault` or `file`."""

    secret: Secret
    origin: str


def hub_endpoint(settings: SourceConfig, config: ConfigManager) -> str:
    """The address of a source of this kind, without a slash at its end."""
    return (settings.url or config.environ.get("HF_ENDPOINT", "") or PUBLIC_HUB).rstrip("/")


def address_of(settings: SourceConfig, config: ConfigManager) -> str:
    """The address that a source's token belongs to, whatever its kind."""
    return hub_endpoint(settings, config) if settings.kind == "huggingface" else settings.url.rstrip("/")


def named_token(settings: SourceConfig, config: ConfigManager, variables: Sequence[str] = ()) -> Secret | None:
    """The token of the variable that the settings name, else of the first of `variables` that is set."""
    for name in (settings.token_env, *variables):
        if name and (token := config.environ.get(name, "").strip()):
            return Secret(token)
    return None


def secret_name(settings: SourceConfig) -> str:
    """Under which name a source's token is saved."""
    return f"source/{settings.name}/token"


async def saved_token(settings: SourceConfig, config: ConfigManager, secrets: Secrets | None) -> Secret | None:
    """The token that was saved for this source at its present address.

    Raises:
        VaultError: there may be one, but it cannot be opened.
    """
    if secrets is None:
        return None
    try:
        return await secrets.get(secret_name(settings), bound_to=address_of(settings, config))
    except NotFound:
        return None


def find_token(settings: SourceConfig, config: ConfigManager, saved: Secret | None = None) -> FoundToken | None:
    """The token for a source: of the variable it names, else HF_TOKEN, else the saved one, else that of `hf auth`.

    HF_TOKEN and the last one belong to the Hub that huggingface_hub itself would ask: no other address ever gets them.
    """
    if given := environment_token(settings, config):
        return given
    if saved is not None:
        return FoundToken(saved, "vault")
    kept = _file_token(config.environ) if _implicit(settings, config) else ""
    return FoundToken(Secret(kept), "file") if kept else None


def environment_token(settings: SourceConfig, config: ConfigManager) -> FoundToken | None:
    """The token that the environment holds for a source."""
    names = [settings.token_env] if settings.token_env else []
    names += ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"] if _implicit(settings, config) else []
    for name in names:
        if token := config.environ.get(name, "").strip():
            return FoundToken(Secret(token), name)
    return None


def _implicit(settings: SourceConfig, config: ConfigManager) -> bool:
    """Whether huggingface_hub itself would send its token to this source."""
    own = hub_endpoint(settings, config) == hub_endpoint(settings.model_copy(update={"url": ""}), config)
    return own and config.environ.get("HF_HUB_DISABLE_IMPLICIT_TOKEN", "").upper() not in _YES


def _file_token(environ: Mapping[str, str]) -> str:
    caches = environ.get("XDG_CACHE_HOME") or Path(environ.get("HOME", "~")) / ".cache"
    folder = environ.get("HF_HOME") or Path(caches) / "huggingface"
    file = Path(environ.get("HF_TOKEN_PATH") or Path(folder) / "token")
    try:
        return file.expanduser().read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""
