"""Graphics cards: each maker is asked in its own way, and one broken tool or driver hides no other card."""

import logging
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from modelshelf.compat.cards import GIB, find_card
from modelshelf.compat.machine import Gpu
from modelshelf.compat.vendors.amd import amd_gpus
from modelshelf.compat.vendors.apple import apple_gpus
from modelshelf.compat.vendors.intel import intel_gpus
from modelshelf.compat.vendors.nvidia import nvidia_gpus
from modelshelf.compat.vendors.tools import Runner, run
from modelshelf.compat.vendors.vulkan import vulkan_gpus

__all__ = ["amd_gpus", "apple_gpus", "find_gpus", "intel_gpus", "nvidia_gpus", "vulkan_gpus"]

log = logging.getLogger(__name__)
BROKEN = (OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError)


def find_gpus(
    root: Path = Path("/"),
    *,
    ram: tuple[int, int] | None = None,
    library: Any = None,
    runner: Runner = run,
    platform: str = sys.platform,
) -> tuple[Gpu, ...]:
    """Every card that one of the ways finds; Vulkan is asked only where no maker's way finds any.

    `root` is the file system's root and `ram` the machine's memory, total and free. `library` stands for pynvml, and
    `runner` runs the tools: both are for recorded machines.
    """
    ways: tuple[Callable[[], tuple[Gpu, ...]], ...] = (
        partial(nvidia_gpus, library, runner),
        partial(amd_gpus, root),
        partial(intel_gpus, root, ram, runner),
    )
    if platform == "darwin":
        ways = (*ways, partial(apple_gpus, ram=ram, runner=runner))
    found = tuple(gpu for way in ways for gpu in _asked(way)) or tuple(_asked(partial(vulkan_gpus, runner)))
    return tuple(_completed(gpu) for gpu in found)


def _completed(gpu: Gpu) -> Gpu:
    """With what the makers publish of the card where its driver does not tell."""
    card = find_card(gpu.name, gpu.memory_total / GIB)
    if card is None or card.vendor != gpu.vendor:
        return gpu
    return replace(gpu, bandwidth=gpu.bandwidth or card.bandwidth, compute=gpu.compute or card.compute)


def _asked(way: Callable[[], tuple[Gpu, ...]]) -> Iterator[Gpu]:
    try:
        yield from way()
    except BROKEN:
        log.warning("a way to find graphics cards is broken", exc_info=True)
