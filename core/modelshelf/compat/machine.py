"""A machine as far as models care: memory, processors and graphics cards; a real one or one that is only thought of."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from modelshelf.errors import UsageError

GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class Gpu:
    """A graphics card. Memory in bytes, bandwidth in bytes per second; `unified`: it uses the machine's own memory.

    memory_idle: what would be free if nothing else ran, so the total without what the driver keeps for itself; None:
    not known. compute: what it can do, NVIDIA's compute capability (`8.9`) or AMD's architecture (`gfx1100`). users:
    processes that hold memory of it, with bytes, where the driver tells.
    """

    name: str
    vendor: str
    memory_total: int
    memory_free: int
    bandwidth: float | None = None
    unified: bool = False
    origin: str = ""
    memory_idle: int | None = None
    compute: str | None = None
    driver: str | None = None
    users: tuple[tuple[int, int], ...] = ()

    def idle(self) -> "Gpu":
        """The same card if nothing else ran."""
        free = self.memory_total if self.memory_idle is None else self.memory_idle
        return replace(self, memory_free=max(free, self.memory_free), users=())


@dataclass(frozen=True, slots=True)
class Machine:
    """What a model can use. Memory in bytes, bandwidth in bytes per second.

    `ram_available` is what can be had now without swapping, control groups obeyed; `memory_limit` is the tightest of
    their limits. `ram_idle` is what could be had if nothing else ran: the total or that limit, without what the system
    itself needs (see `modelshelf.compat.hardware`); None: not known. `origins` says for each fact where it came from.
    """

    name: str
    cpu: str
    cores: int
    ram_total: int
    ram_available: int
    gpus: tuple[Gpu, ...] = ()
    memory_bandwidth: float | None = None
    memory_limit: int | None = None
    origins: Mapping[str, str] = field(default_factory=dict)
    ram_idle: int | None = None

    def idle(self) -> "Machine":
        """The same machine if nothing else ran on it."""
        free = self.ram_total if self.ram_idle is None else self.ram_idle
        cards = tuple(gpu.idle() for gpu in self.gpus)
        return replace(self, ram_available=max(free, self.ram_available), gpus=cards)

    @property
    def cards(self) -> tuple[Gpu, ...]:
        """The graphics cards that have memory of their own."""
        return tuple(gpu for gpu in self.gpus if not gpu.unified)

    def as_dict(self) -> dict[str, Any]:
        """As JSON; memory in bytes."""
        return {
            "name": self.name,
            "cpu": self.cpu,
            "cores": self.cores,
            "ram_total": self.ram_total,
            "ram_available": self.ram_available,
            "memory_bandwidth": self.memory_bandwidth,
            "memory_limit": self.memory_limit,
            "ram_idle": self.ram_idle,
            "gpus": [
                {
                    "name": gpu.name,
                    "vendor": gpu.vendor,
                    "memory_total": gpu.memory_total,
                    "memory_free": gpu.memory_free,
                    "bandwidth": gpu.bandwidth,
                    "unified": gpu.unified,
                    "memory_idle": gpu.memory_idle,
                    "compute": gpu.compute,
                    "driver": gpu.driver,
                }
                for gpu in self.gpus
            ],
        }

    @classmethod
    def from_json(cls, path: Path) -> Self:
        """A machine described by a file: `{"name", "ram_gib", "cores", "bandwidth_gbs", "gpus": [{"name", …}]}`.

        The form that `as_dict` gives is read too. What is not said to be used counts as free.

        Raises:
            UsageError: the file cannot be read, or names or values in it are not allowed.
        """
        try:
            described = _MachineFile.model_validate(json.loads(path.read_text(encoding="utf-8")))
        except OSError as error:
            raise UsageError(f"{path} cannot be read: {error.strerror}.", remedy="Check the path.") from None
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            key = ".".join(str(part) for part in first["loc"])
            raise UsageError(
                f"{path}: {key or 'the machine'} is not allowed: {first['msg'].lower()}.",
                remedy='Describe it like {"name": "24 GB card", "ram_gib": 32, "gpus": [{"memory_gib": 24}]}.',
            ) from None
        except (ValueError, RecursionError) as error:
            raise UsageError(f"{path} is not JSON: {error}.", remedy="Mend the file.") from None
        origin = path.name
        gpus = tuple(gpu.gpu(origin) for gpu in described.gpus)
        total = described.ram_total or round(described.ram_gib * GIB)
        free = total if described.ram_available is None else min(described.ram_available, total)
        limit = described.memory_limit
        return cls(
            name=described.name or path.stem,
            cpu=described.cpu,
            cores=described.cores,
            ram_total=total,
            ram_available=min(free, limit) if limit is not None else free,
            gpus=gpus,
            memory_bandwidth=described.memory_bandwidth or (described.bandwidth_gbs or 0) * 1e9 or None,
            memory_limit=limit,
            ram_idle=None if described.ram_idle is None else min(described.ram_idle, total),
            origins=dict.fromkeys(("ram_total", "ram_available", "gpus", "memory_bandwidth"), origin),
        )


_Bytes = Annotated[int, Field(ge=0, le=1 << 60)]
_Gib = Annotated[float, Field(ge=0, le=1 << 30)]
_Rate = Annotated[float, Field(gt=0, le=1e15)]
_Word = Annotated[str, Field(max_length=100)]


class _GpuFile(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str = "Graphics card"
    vendor: str = ""
    memory_gib: _Gib = 0
    memory_total: _Bytes = 0
    memory_free: _Bytes | None = None
    bandwidth_gbs: _Rate | None = None
    bandwidth: _Rate | None = None
    unified: bool = False
    memory_idle: _Bytes | None = None
    compute: _Word | None = None
    driver: _Word | None = None

    def gpu(self, origin: str) -> Gpu:
        total = self.memory_total or round(self.memory_gib * GIB)
        free = total if self.memory_free is None else min(self.memory_free, total)
        rate = self.bandwidth or (self.bandwidth_gbs or 0) * 1e9 or None
        idle = None if self.memory_idle is None else min(self.memory_idle, total)
        return Gpu(self.name, self.vendor, total, free, rate, self.unified, origin, idle, self.compute, self.driver)


class _MachineFile(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str = ""
    cpu: str = ""
    cores: Annotated[int, Field(ge=1, le=1 << 16)] = 8
    ram_gib: _Gib = 0
    ram_total: _Bytes = 0
    ram_available: _Bytes | None = None
    bandwidth_gbs: _Rate | None = None
    memory_bandwidth: _Rate | None = None
    memory_limit: _Bytes | None = None
    ram_idle: _Bytes | None = None
    gpus: Annotated[list[_GpuFile], Field(max_length=64)] = []
