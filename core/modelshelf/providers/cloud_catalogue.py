"""Every cloud service that speaks OpenAI's shape, as kinds of providers; newer facts are fetched now and then."""

import asyncio
import logging
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from pathlib import Path

from modelshelf.catalog.types import Location
from modelshelf.config import ConfigManager
from modelshelf.errors import FolderNotWritable, FormatError, ModelshelfError
from modelshelf.network.client import Network
from modelshelf.providers import cloud_data
from modelshelf.providers.adapters.cloud import CloudProvider, factory_of
from modelshelf.providers.cloud_services import CloudModel, CloudService
from modelshelf.providers.spec import ProviderFactory

__all__ = ["CloudCatalogue", "CloudModel", "CloudService"]

log = logging.getLogger(__name__)

DAY_SECONDS = 86_400.0
HOUR_SECONDS = 3_600.0
FETCH_SECONDS = 60.0


class CloudCatalogue:
    """The services known on this machine. The first look reads a file, a tenth of a second's work."""

    name = "clouds"

    def __init__(self, config: ConfigManager) -> None:
        self._config = config
        self._known: cloud_data.Services | None = None
        self._factories: dict[str, ProviderFactory] = {}
        self._tried: float | None = None
        self._lock = threading.Lock()  # the kinds may be asked for in a thread

    async def start(self) -> None:
        """Nothing is read before it is needed: most commands never ask."""

    async def stop(self) -> None:
        """Nothing is held."""

    def services(self) -> Sequence[CloudService]:
        """The services that can be added, by their names."""
        found = (service for service in self._all().values() if service.url)
        return sorted(found, key=lambda service: service.label.lower())

    def models(self, service: str) -> Mapping[str, CloudModel]:
        """What is known of a service's models by name, of whatever shape it is; nothing if it is not known."""
        found = self._all().get(service)
        return found.models if found else {}

    def kinds(self) -> Mapping[str, ProviderFactory]:
        """Every service as a kind of provider, by its id."""
        return {service.id: self._factory(service) for service in self.services()}

    def factory(self, kind: str) -> ProviderFactory | None:
        """The kind of a service; None if there is no such service."""
        service = self._all().get(kind)
        return self._factory(service) if service and service.url else None

    async def refresh(self) -> bool:
        """Fetch newer facts, at most once a day; whether some came. What fails is logged, and tried again in an hour.

        The file is taken only after it was read as a whole, and replaces the former one in one step.
        """
        if not self._config.config.providers.models_dev_url or not await asyncio.to_thread(self._due):
            return False
        self._tried = time.monotonic()
        try:
            async with asyncio.timeout(FETCH_SECONDS):
                data = await self._fetch()
            services = await asyncio.to_thread(self._keep, data)
        except (ModelshelfError, TimeoutError) as error:
            log.info("newer facts about cloud services were not taken: %s", str(error) or "it took too long")
            return False
        self._take(services)
        return True

    def _all(self) -> cloud_data.Services:
        with self._lock:
            if self._known is None:
                self._known = cloud_data.load(self._config.home)
            return self._known

    def _take(self, services: cloud_data.Services) -> None:
        with self._lock:
            self._known = services
        for kind, factory in list(self._factories.items()):
            # Adapters in use learn of new models; their address and the names of their keys stay.
            if isinstance(factory, type) and issubclass(factory, CloudProvider) and kind in services:
                factory.service = services[kind]

    def _factory(self, service: CloudService) -> ProviderFactory:
        made = self._factories.get(service.id)
        return made or self._factories.setdefault(service.id, factory_of(service))

    def _due(self) -> bool:
        if self._tried is not None and time.monotonic() - self._tried < HOUR_SECONDS:
            return False
        try:
            age = time.time() - self._file.stat().st_mtime
        except OSError:
            return True
        return not 0 <= age < DAY_SECONDS

    @property
    def _file(self) -> Path:
        return self._config.home / cloud_data.FILE

    async def _fetch(self) -> bytes:
        data = bytearray()
        async with aclosing(Network(self._config)) as network:
            address = Location(self._config.config.providers.models_dev_url)
            async with network.open(address) as answer, aclosing(answer.chunks()) as chunks:
                async for chunk in chunks:
                    data += chunk
                    if len(data) > cloud_data.LIMIT:
                        raise FormatError("The facts about cloud services are larger than 32 MiB.")
        return bytes(data)

    def _keep(self, data: bytes) -> cloud_data.Services:
        cloud_data.parse(data)
        try:
            self._config.home.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=self._config.home, prefix=".models-dev-") as folder:
                fresh = Path(folder, self._file.name)
                fresh.write_bytes(data)
                fresh.replace(self._file)
        except OSError as error:
            raise FolderNotWritable(f"{self._file} cannot be written: {error.strerror}.") from error
        return cloud_data.load(self._config.home)
