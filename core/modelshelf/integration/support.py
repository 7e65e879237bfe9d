"""The support file: what a helper needs to know, and nothing that is a person's own.

Settings are told by what each setting is, never by its text: numbers, switches and choices stay, of texts only whether
they are set. Of every sentence, be it from a log or a check, only the words stay that Modelshelf's own source uses,
with numbers; names, addresses, paths, keys and what was asked of models are not among them.
"""

import asyncio
import io
import json
import os
import platform
import re
import sys
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

import modelshelf
from modelshelf.access import Role, require
from modelshelf.config import ConfigManager
from modelshelf.errors import ModelshelfError
from modelshelf.integration.check import Check
from modelshelf.integration.doctor import examine
from modelshelf.integration.places import on_disk
from modelshelf.integration.surroundings import around
from modelshelf.integration.testing import read

if TYPE_CHECKING:
    from modelshelf.access import AccessService
    from modelshelf.shelf import Shelf

LOG_TAIL = 200_000
LAST = 100
TAKEN_OUT = "…"
_PACKAGES = ("panel", "bokeh", "param", "huggingface-hub", "xllamacpp", "sqlalchemy", "pydantic", "aiohttp", "fastapi")
_ENVIRONMENT = ("MODELSHELF_", "HF_", "HUGGINGFACE_", "SSL_CERT_FILE", "OLLAMA_")
_WORD = re.compile(r"[A-Za-z_]{1,30}")
_NUMBER = re.compile(r"[-+]?\d{1,7}([.,:]\d{1,6}){0,2}(%|[smhx])?|0\.\d+")
_STAMP = re.compile(r"\d{4}-\d\d-\d\d[T ]?(\d\d:\d\d(:\d\d)?([.,]\d{1,6})?)?|\d\d:\d\d:\d\d([.,]\d{1,6})?")
_EDGES = "\"'`“”‘’„()[]{}<>,;:.!?=*#|"


def plain(text: str) -> str:
    """Of a text the words that Modelshelf uses itself, with numbers and times; what stood between them is `…`."""
    return "\n".join(_plain_line(line) for line in text.splitlines())


def settings_told(config: ConfigManager) -> dict[str, Any]:
    """The settings in force: numbers, switches and choices, and of texts whether they are set."""
    return _told(config.config)


def support_file(
    checks: Sequence[Check], config: ConfigManager | None, events: Sequence[Mapping[str, Any]] = ()
) -> bytes:
    """The zip file. `events` are the last deeds and refusals, with `at`, `action`, `outcome` and `detail`. For threads.

    Without settings, which may be broken, it holds what can be told without them.
    """
    facts: dict[str, Any] = {
        "modelshelf": modelshelf.__version__,
        "python": sys.version.split()[0],
        "platform": f"{platform.system()} {platform.machine()}",
        "packages": {name: _version(name) for name in _PACKAGES},
        "environment": sorted(name for name in os.environ if name.startswith(_ENVIRONMENT) and _known_name(name)),
        "settings": settings_told(config) if config else {},
        "checks": [_plain_values(check.as_dict()) for check in checks],
        "errors": [_plain_values(one) for one in events],
    }
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as bundle:
        bundle.writestr("report.json", json.dumps(facts, indent=2, default=str, ensure_ascii=False))
        if config and (report := read(config.home / "selftest.json")):
            told = report.as_dict() | {"steps": [_plain_values(step.as_dict()) for step in report.steps]}
            told |= {"advice": [{"code": one.code} for one in report.advice]}
            bundle.writestr("selftest.json", json.dumps(told, indent=2, ensure_ascii=False))
        for number, log in enumerate(_logs(config)):
            bundle.writestr(f"logs/{number}-{plain(log.stem)}.log", plain(_tail(log)))
    return held.getvalue()


def support_bundle(checks: Sequence[Check], folder: Path, events: Sequence[Mapping[str, Any]] = ()) -> Path:
    """Write the support file into a folder, under a name with the present time. For threads."""
    file = folder / name_of_file()
    file.write_bytes(support_file(checks, _settings(), events))
    return file


def name_of_file() -> str:
    """The support file's name with the present time."""
    return f"modelshelf-support-{datetime.now(UTC):%Y%m%d-%H%M%S}.zip"


class Support:
    """What an open shelf tells of itself to an administrator: the doctor's checks, and the support file."""

    def __init__(self, shelf: "Shelf") -> None:
        self.access: AccessService = shelf.access
        self._shelf = shelf

    @require(Role.ADMIN, "doctor.run")
    async def checks(self) -> list[Check]:
        """As `diagnose`, of the shelf as it runs."""
        shelf = self._shelf
        failed = [service for service in shelf.services.values() if service.status == "failed"]
        told = [Check(service.name, "wrong", service.error, service.remedy) for service in failed]
        seen = [*await around(shelf.config), *await asyncio.to_thread(on_disk, shelf.config)]
        return [*seen, *told, *await examine(shelf)]

    @require(Role.ADMIN, "doctor.bundle")
    async def bundle(self) -> tuple[str, bytes]:
        """The support file: its name, and what it holds."""
        checks, events = await self.checks(), await last_errors(self._shelf)
        return name_of_file(), await asyncio.to_thread(support_file, checks, self._shelf.config, events)


async def last_errors(shelf: "Shelf") -> list[dict[str, Any]]:
    """The last deeds that failed or were refused, and the last downloads that failed."""
    names = ("at", "action", "outcome", "detail")
    bad = [entry for entry in await shelf.access.audit(1000) if entry["outcome"] in ("failed", "refused")]
    jobs = [job for job in await shelf.downloads.jobs() if job.error]
    failed = [(job.ended, "download", job.status.value, job.error) for job in jobs[:LAST]]
    told = [tuple(entry[name] for name in names) for entry in bad[:LAST]]
    return [dict(zip(names, one, strict=True)) for one in [*told, *failed]]


def _told(model: BaseModel) -> dict[str, Any]:
    return {name: _value(field, getattr(model, name)) for name, field in type(model).model_fields.items()}


def _value(field: FieldInfo | None, value: Any) -> Any:
    if isinstance(value, BaseModel):
        return _told(value)
    if isinstance(value, tuple):
        return [_value(None, item) for item in value]
    if isinstance(value, bool | int | float) or value is None:
        return value
    if field is not None and get_origin(field.annotation) is Literal:
        return value
    return "(set)" if value else ""


def _plain_values(told: Mapping[str, Any]) -> dict[str, Any]:
    return {name: plain(value) if isinstance(value, str) else value for name, value in told.items()}


def _plain_line(line: str) -> str:
    kept: list[str] = []
    for token in line.split():
        shown = _plain_token(token)
        if shown != TAKEN_OUT or not kept or kept[-1] != TAKEN_OUT:
            kept.append(shown)
    return " ".join(kept)


def _plain_token(token: str) -> str:
    core = token.strip(_EDGES)
    if not core:
        return token if len(token) < 4 else TAKEN_OUT
    if _STAMP.fullmatch(core) or _NUMBER.fullmatch(core):
        return token
    parts = core.replace("’s", "").split(".")
    known = _vocabulary()
    if len(core) <= 80 and all(part.lower() in known for part in parts):
        return token
    halves = core.lower().split("-")
    return token if len(halves) == 2 and known.issuperset(halves) else TAKEN_OUT


@cache
def _vocabulary() -> frozenset[str]:
    """Every word of Modelshelf's own source, save what names this person or this machine."""
    found: set[str] = set()
    for source in Path(modelshelf.__file__).parent.rglob("*.py"):
        found.update(word.lower() for word in _WORD.findall(source.read_text("utf-8")))
    return frozenset(found - {word.lower() for text in _own() for word in re.split(r"\W+", text)})


def _own() -> Iterable[str]:
    """What this person and this machine are called."""
    yield from (os.environ.get(name, "") for name in ("USER", "LOGNAME", "USERNAME"))
    yield from (Path.home().name, platform.node())


def _known_name(variable: str) -> bool:
    return all(part.lower() in _vocabulary() for part in variable.split("_") if part)


def _settings() -> ConfigManager | None:
    try:
        return ConfigManager()
    except ModelshelfError:
        return None


def _logs(config: ConfigManager | None) -> list[Path]:
    return sorted(config.paths.logs.glob("*.log*")) if config else []


def _tail(log: Path) -> str:
    try:
        with log.open("rb") as file:
            file.seek(max(log.stat().st_size - LOG_TAIL, 0))
            return file.read(LOG_TAIL).decode("utf-8", "replace")
    except OSError as error:
        return f"cannot be read {error.strerror}"


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"
