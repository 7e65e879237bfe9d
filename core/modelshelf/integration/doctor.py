"""What is wrong and how to mend it, found by trying; and a support file without secrets."""

import asyncio
import json
import os
import platform
import re
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelshelf import __version__
from modelshelf.config import ConfigManager
from modelshelf.errors import ModelshelfError
from modelshelf.vault import redaction

if TYPE_CHECKING:
    from modelshelf.vault import VaultStatus

LOW_DISK = 5_000_000_000
LOG_TAIL = 200_000
_SECRET = re.compile(r"(hf_|sk-|key-|Bearer\s+|token=|#)[A-Za-z0-9_\-.]{8,}|[A-Za-z0-9_\-]{40,}")


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at: status is well | note | wrong."""

    name: str
    status: str
    detail: str
    remedy: str = ""

    def as_dict(self) -> dict[str, str]:
        """As JSON."""
        return {"name": self.name, "status": self.status, "detail": self.detail, "remedy": self.remedy}


async def diagnose(config: ConfigManager | None = None) -> list[Check]:
    """Try everything that must work here, and say what does not."""
    checks = [_python()]
    try:
        config = config or ConfigManager()
    except ModelshelfError as error:
        return [*checks, Check("settings", "wrong", error.message, error.remedy)]
    checks.append(Check("settings", "well", str(config.file) if config.file.exists() else "defaults"))
    checks += await asyncio.to_thread(_folders, config)
    return checks + await _services(config)


def support_bundle(checks: Sequence[Check], folder: Path) -> Path:
    """Write what a helper needs to know, without secrets, into a zip file in `folder`."""
    file = folder / f"modelshelf-support-{datetime.now(UTC):%Y%m%d-%H%M%S}.zip"
    facts = {
        "modelshelf": __version__,
        "python": sys.version,
        "platform": platform.platform(),
        "packages": {name: _version(name) for name in ("panel", "bokeh", "huggingface-hub", "xllamacpp", "sqlalchemy")},
        "environment": sorted(name for name in os.environ if name.startswith(("MODELSHELF_", "HF_"))),
        "checks": [check.as_dict() for check in checks],
    }
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as bundle:
        bundle.writestr("report.json", redact(json.dumps(facts, indent=2)))
        for log in _logs():
            bundle.writestr(f"logs/{log.name}", redact(log.read_text("utf-8", "replace")[-LOG_TAIL:]))
    return file


def redact(text: str) -> str:
    """The text without anything that looks like a key or a token, and without the home folder's name."""
    return _SECRET.sub("(redacted)", redaction.redact(text).replace(str(Path.home()), "~"))


def _logs() -> Iterable[Path]:
    try:
        return sorted(ConfigManager().paths.logs.glob("*.log"))
    except (ModelshelfError, OSError):
        return ()


def _python() -> Check:
    return Check("python", "well", f"{platform.python_version()} on {platform.system()}, Modelshelf {__version__}")


def _folders(config: ConfigManager) -> list[Check]:
    paths = config.paths
    checks = []
    for name, folder in (("home", paths.home), ("library", paths.cache)):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as error:
            remedy = "Give yourself write permission there, or choose another folder (MODELSHELF_HOME, HF_HOME)."
            checks.append(Check(name, "wrong", f"{folder} cannot be written: {error.strerror}.", remedy))
            continue
        free = shutil.disk_usage(folder).free
        status, remedy = ("well", "") if free > LOW_DISK else ("note", "Free some space before the next download.")
        checks.append(Check(name, status, f"{folder}, {free / 1e9:.1f} GB free", remedy))
    return checks


async def _services(config: ConfigManager) -> list[Check]:
    from modelshelf.shelf import open_shelf

    checks: list[Check] = []
    async with open_shelf(config=config, without=frozenset({"health", "downloads", "catalog sync", "state"})) as shelf:
        failed = (service for service in shelf.services.values() if service.status == "failed")
        checks.extend(Check(service.name, "wrong", service.error, service.remedy) for service in failed)
        if shelf.services["store"].status == "failed":
            return checks
        checks.append(Check("database", "well", str(config.paths.database)))
        if shelf.services["vault"].status == "running":
            checks.append(_secrets(await shelf.vault.status()))
        answer = await shelf.catalog.find("", limit=1)
        checks += [_source(report) for report in answer.sources]
        enabled = [provider.id for provider in await shelf.providers.list() if provider.enabled]
        looks = await asyncio.gather(*(shelf.health.check(provider) for provider in enabled))
        checks.extend(_provider(provider, look) for provider, look in zip(enabled, looks, strict=True))
    return checks


def _secrets(status: "VaultStatus") -> Check:
    if status.state == "empty":
        return Check("secrets", "well", "none saved")
    if status.state == "well":
        return Check("secrets", "well", f"{status.secrets} saved, the master key is in {status.place}")
    if status.state == "closed":
        return Check("secrets", "wrong", status.error, status.remedy)
    return Check("secrets", "wrong", f"damaged: {', '.join(status.damaged)}", "Save them anew.")


def _source(report: Any) -> Check:
    """A source that is down is a note, not a fault: the others go on."""
    if report.status == "failed":
        return Check(f"source {report.source}", "note", report.error, report.remedy)
    return Check(f"source {report.source}", "well", f"{report.label}: {report.status}")


def _provider(provider: str, look: Any) -> Check:
    status = {"well": "well", "slow": "note"}.get(look.status.value, "wrong" if provider == "builtin" else "note")
    return Check(f"provider {provider}", status, f"{look.status.value} {look.detail}".strip(), look.remedy)


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"
