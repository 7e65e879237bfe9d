"""Settings: built-in defaults, then `config.toml` in the home, then `MODELSHELF_*` of the environment.

`MODELSHELF_HOME` chooses the data folder. `MODELSHELF_DOWNLOADS__CONCURRENT_JOBS=5` sets `downloads.concurrent_jobs`.
HF_HOME, HF_HUB_CACHE, HF_ENDPOINT and SSL_CERT_FILE mean what they mean to huggingface_hub.
"""

import errno
import os
import tempfile
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Annotated, Any, Literal

import tomlkit
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from tomlkit.exceptions import TOMLKitError

from modelshelf.errors import ConfigError
from modelshelf.hours import parse_hours

PREFIX = "MODELSHELF_"


def _checked_hours(text: str) -> str:
    parse_hours(text)
    return text


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", validate_assignment=True, frozen=True)


class SourceConfig(_Section):
    """A place where models can be had."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$", max_length=40)]
    kind: str
    label: str = ""
    url: str = ""
    path: str = ""
    enabled: bool = True
    owner: Annotated[
        str, Field(max_length=96, description="of a hub only what this organisation or person publishes")
    ] = ""
    token_env: Annotated[str, Field(description="name of the environment variable that holds the token")] = ""
    hosts: Annotated[
        tuple[str, ...], Field(description="private origins its redirects may lead to, for example https://s3.lan:9000")
    ] = ()


class LibraryConfig(_Section):
    """Where models live."""

    cache_dir: Annotated[
        str, Field(description="the Hugging Face cache; empty: HF_HUB_CACHE, HF_HOME/hub or its default")
    ] = ""
    low_disk_gb: Annotated[
        float, Field(ge=0, description="GB that should stay free where models are kept; the status says when less are")
    ] = 5.0


class AdoptionConfig(_Section):
    """How other programs' stores on this machine are looked at."""

    folders: Annotated[
        tuple[str, ...], Field(description="folders of models besides those of known programs, as whole paths")
    ] = ()
    compare_mb: Annotated[
        float,
        Field(ge=0, description="MB/s at which files of the same size are compared in the background; 0: not at all"),
    ] = 50.0


class CatalogConfig(_Section):
    """How sources are asked."""

    timeout_seconds: Annotated[float, Field(gt=0, le=120, description="how long a search waits for one source")] = 5.0
    answer_hours: Annotated[float, Field(ge=0, description="how long an answer counts as fresh")] = 1.0
    sync: Annotated[
        Literal["all", "top", "off"],
        Field(description="what is kept here of hubs for searching: all models, the 50,000 most downloaded, or none"),
    ] = "top"
    sync_hours: Annotated[float, Field(gt=0, description="between two rounds in which hubs are asked for news")] = 6.0
    requests_per_minute: Annotated[
        int, Field(ge=1, description="that a hub is asked while its models are listed; anonymous callers may 100")
    ] = 100


class DownloadsConfig(_Section):
    """How files are fetched."""

    concurrent_jobs: Annotated[int, Field(ge=1, le=16)] = 3
    connections_per_file: Annotated[int, Field(ge=1, le=16)] = 4
    max_rate_mb: Annotated[float, Field(ge=0, description="MB/s over all jobs; 0: no limit")] = 0.0
    max_job_rate_mb: Annotated[float, Field(ge=0, description="MB/s of one job; 0: no limit")] = 0.0
    hours: Annotated[
        str,
        Field(
            max_length=200, description="local hours of the day, for example 22:00-06:00, 12:00-13:30; empty: always"
        ),
        AfterValidator(_checked_hours),
    ] = ""
    daily_gb: Annotated[float, Field(ge=0, description="GB in a day over all jobs; 0: no limit")] = 0.0
    monthly_gb: Annotated[float, Field(ge=0, description="GB in a calendar month over all jobs; 0: no limit")] = 0.0
    metered: Annotated[
        Literal["no", "nothing", "small"],
        Field(description="the connection is paid by the byte: fetch nothing, or only small downloads"),
    ] = "no"
    metered_mb: Annotated[float, Field(ge=0, description="what a download may still lack to count as small, in MB")] = (
        50.0
    )


class NetworkConfig(_Section):
    """How the network is reached."""

    proxy: str = ""
    ca_file: str = ""
    offline: bool = False


class ServerConfig(_Section):
    """Where the page is served."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 5006
    root_path: Annotated[str, Field(description="the path a proxy puts before ours")] = ""
    public_url: Annotated[
        str, Field(description="the address a proxy gives us, for example https://shelf.example.org")
    ] = ""


class EngineConfig(_Section):
    """The built-in engine."""

    context: Annotated[
        int, Field(ge=256, le=1_048_576, description="tokens; the model's own limit if that is less")
    ] = 4096
    slots: Annotated[int, Field(ge=1, le=64)] = 1
    kv: Annotated[Literal["f16", "q8_0", "q4_0"], Field(description="how its cache is kept")] = "f16"
    threads: Annotated[int, Field(ge=0, description="0: one per physical core")] = 0
    start_seconds: Annotated[float, Field(gt=0)] = 120.0


class CompatibilityConfig(_Section):
    """How models are judged."""

    refused_licences: Annotated[
        tuple[str, ...],
        Field(description="licences that are not used here, for example cc-by-nc-4.0: such models get 0"),
    ] = ()


class ProvidersConfig(_Section):
    """How providers are watched."""

    health_seconds: Annotated[float, Field(ge=1, description="between two rounds")] = 30.0
    timeout_seconds: Annotated[float, Field(gt=0, le=120)] = 5.0
    discover: Annotated[
        bool, Field(description="look for engines at their usual ports of this machine when a provider is added")
    ] = True
    models_dev_url: Annotated[
        str, Field(description="where newer facts about cloud services come from; empty: nowhere")
    ] = "https://models.dev/api.json"


class VaultConfig(_Section):
    """Where the key is that opens the saved secrets."""

    key_file: Annotated[
        str, Field(description="a file that holds the master key; empty: the keychain, or a file of this account")
    ] = ""
    keychain: Annotated[bool, Field(description="keep the master key in the keychain where there is one")] = True


class WebhookConfig(_Section):
    """An address that is sent a message when a download ends."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$", max_length=40)]
    url: Annotated[str, Field(max_length=500)]
    events: Annotated[
        tuple[Literal["done", "review", "quarantined", "failed", "cancelled"], ...],
        Field(description="how downloads end that it is told of; empty: all"),
    ] = ()
    secret: Annotated[
        str, Field(max_length=200, description="name of the saved secret that signs the messages; empty: unsigned")
    ] = ""
    plain_http: Annotated[bool, Field(description="allow http to another machine")] = False


class HooksConfig(_Section):
    """What others may say to what happens here."""

    use: Annotated[tuple[str, ...], Field(description="hooks by place, for example team_rules:OnlyApache")] = ()
    off: Annotated[tuple[str, ...], Field(description="names of hooks that are not called; * for all")] = ()
    seconds: Annotated[float, Field(gt=0, le=600, description="what a hook has for its answer")] = 10.0
    webhooks: tuple[WebhookConfig, ...] = ()


class UiConfig(_Section):
    """How the page looks."""

    language: Literal["", "en", "de"] = ""
    theme: Literal["system", "light", "dark"] = "system"


DEFAULT_SOURCES = (
    SourceConfig(name="samples", kind="samples", label="Samples (offline)"),
    SourceConfig(name="hf", kind="huggingface", label="Hugging Face"),
)


class Config(_Section):
    """All settings, immutable; `ConfigManager` makes a new one for every change."""

    library: LibraryConfig = LibraryConfig()
    adoption: AdoptionConfig = AdoptionConfig()
    catalog: CatalogConfig = CatalogConfig()
    downloads: DownloadsConfig = DownloadsConfig()
    network: NetworkConfig = NetworkConfig()
    server: ServerConfig = ServerConfig()
    engine: EngineConfig = EngineConfig()
    compatibility: CompatibilityConfig = CompatibilityConfig()
    providers: ProvidersConfig = ProvidersConfig()
    vault: VaultConfig = VaultConfig()
    hooks: HooksConfig = HooksConfig()
    ui: UiConfig = UiConfig()
    sources: tuple[SourceConfig, ...] = DEFAULT_SOURCES


class Paths:
    """Every folder and file the application uses, derived from the home and the cache."""

    def __init__(self, home: Path, cache: Path) -> None:
        self.home = home
        self.cache = cache
        self.config = home / "config.toml"
        self.database = home / "modelshelf.db"
        self.logs = home / "logs"
        self.samples = home / "samples"
        self.leader = home / "leader.lock"
        self.catalog = home / "catalog"
        self.work = home if _device(home) == _device(cache) else _beside(cache)
        self.parts = self.work / "parts"
        self.quarantine = self.work / "quarantine"


class ConfigManager:
    """Reads, changes, exports and imports the settings; a value that is not allowed changes nothing."""

    name = "config"

    def __init__(self, home: Path | None = None, environ: Mapping[str, str] | None = None) -> None:
        self.environ = dict(os.environ if environ is None else environ)
        self.home = (home or default_home(self.environ)).expanduser().absolute()
        self.file = self.home / "config.toml"
        self.config = Config()
        self.load()

    @property
    def paths(self) -> Paths:
        """Where everything lives under the present settings."""
        return Paths(self.home, hub_cache(self.environ, self.config.library.cache_dir))

    def load(self) -> Config:
        """Read the file and the environment anew.

        Raises:
            ConfigError: the file is not TOML or a value is not allowed; the settings in force stay as they were.
        """
        self.config = self._combine(self._read().unwrap())
        return self.config

    def get(self, key: str) -> Any:
        """The value in force of `section.name`.

        Raises:
            ConfigError: there is no such setting.
        """
        value: Any = self.config.model_dump(mode="json")
        for part in key.split("."):
            if not isinstance(value, dict) or part not in value:
                raise ConfigError(f"There is no setting “{key}”.", remedy=_known())
            value = value[part]
        return value

    def set(self, key: str, value: Any) -> Config:
        """Change one setting, in the file and in force.

        Raises:
            ConfigError: no such setting, or the value is not allowed; nothing was changed.
        """
        section, _, name = key.partition(".")
        fields = Config.model_fields
        if section not in fields or (name and name not in _names(section)) or (not name and section != "sources"):
            raise ConfigError(f"There is no setting “{key}”.", remedy=_known())
        document = self._read()
        plain = document.unwrap()
        _put(plain, section, name, value)
        config = self._combine(plain)
        _put(document, section, name, value)
        return self._store(config, tomlkit.dumps(document))

    def export(self) -> str:
        """The settings that differ from the defaults, as TOML. They hold no secrets: tokens are named, not kept."""
        return tomlkit.dumps(self.config.model_dump(mode="json", exclude_defaults=True))

    def import_(self, text: str) -> Config:
        """Replace the file by this TOML.

        Raises:
            ConfigError: not TOML, or a value is not allowed; nothing was changed.
        """
        return self._store(self._combine(_parse(text, "The text to import").unwrap()), text)

    def _read(self) -> tomlkit.TOMLDocument:
        try:
            return _parse(self.file.read_text("utf-8"), str(self.file))
        except (FileNotFoundError, NotADirectoryError):
            return tomlkit.document()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(
                f"The settings in {self.file} cannot be read: {error}.",
                remedy="Mend the file, or move it away to start afresh.",
            ) from error

    def _combine(self, document: Mapping[str, Any]) -> Config:
        merged = {**document}
        for key, value in _environment(self.environ).items():
            section, name = key
            merged[section] = {**merged.get(section, {}), name: value}
        try:
            return Config.model_validate(merged)
        except ValidationError as error:
            raise _explained(error) from None

    def _store(self, config: Config, text: str) -> Config:
        try:
            self.home.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=self.home, prefix=".config-") as folder:
                fresh = Path(folder, self.file.name)
                fresh.touch(mode=0o600)
                fresh.write_text(text, "utf-8", newline="")
                fresh.replace(self.file)
        except OSError as error:
            full = error.errno in {errno.ENOSPC, errno.EDQUOT}
            raise ConfigError(
                f"The settings cannot be written to {self.file}: {error.strerror}.",
                remedy="Free some space on its disk; the settings are as they were."
                if full
                else "Give yourself write permission there, or choose another folder with MODELSHELF_HOME.",
            ) from error
        self.config = config
        return config


def default_home(environ: Mapping[str, str]) -> Path:
    """MODELSHELF_HOME, or the platform's data folder."""
    if chosen := environ.get(PREFIX + "HOME"):
        return Path(chosen)
    import platformdirs

    return Path(platformdirs.user_data_dir("modelshelf", appauthor=False))


def hub_cache(environ: Mapping[str, str], configured: str = "") -> Path:
    """The Hugging Face cache, found as huggingface_hub finds it, unless configured."""
    if configured:
        return Path(configured).expanduser().absolute()
    if direct := environ.get("HF_HUB_CACHE") or environ.get("HUGGINGFACE_HUB_CACHE"):
        return Path(direct).expanduser().absolute()
    base = environ.get("HF_HOME") or Path(environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface"
    return (Path(base).expanduser() / "hub").absolute()


def _put(document: MutableMapping[str, Any], section: str, name: str, value: Any) -> None:
    """Change one setting; of a document everything else stays as its author wrote it, comments too."""
    if name:
        document.setdefault(section, {})[name] = value
    else:
        document[section] = value


def _parse(text: str, where: str) -> tomlkit.TOMLDocument:
    try:
        return tomlkit.parse(text)
    except TOMLKitError as error:
        raise ConfigError(
            f"{where} is not valid TOML: {error}.", remedy="Mend the file, or move it away to start afresh."
        ) from None


def _names(section: str) -> list[str]:
    default = getattr(Config(), section)
    return list(type(default).model_fields) if isinstance(default, BaseModel) else []


def _known() -> str:
    return "Known settings: " + ", ".join(f"{s}.{n}" for s in Config.model_fields for n in _names(s)) + "."


def _environment(environ: Mapping[str, str]) -> dict[tuple[str, str], str]:
    found = {}
    for variable, value in environ.items():
        section, separator, name = variable.removeprefix(PREFIX).lower().partition("__")
        if variable.startswith(PREFIX) and separator:
            if name not in _names(section) if section in Config.model_fields else True:
                raise ConfigError(f"{variable} names no setting.", remedy=_known())
            found[section, name] = value
    return found


def _explained(error: ValidationError) -> ConfigError:
    first = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in first["loc"])
    return ConfigError(f"{key} = {first['input']!r} is not allowed: {first['msg'].lower()}.", key=key)


def _device(path: Path) -> int | None:
    for folder in (path, *path.parents):
        try:
            return folder.stat().st_dev
        except OSError:
            continue
    return None


def _beside(cache: Path) -> Path:
    """A folder on the cache's file system that huggingface_hub does not look into."""
    parent = cache.parent
    return parent / ".modelshelf" if _device(parent) == _device(cache) else cache / ".modelshelf"
