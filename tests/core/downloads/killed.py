"""A process that is killed at one rename: `python -m tests.core.downloads.killed HOME CACHE DEED REPO ENDING`."""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import cast

from modelshelf.config import ConfigManager
from modelshelf.samples import SampleHub
from tests.core.downloads.conftest import a_world


def die_before(ending: str) -> None:
    """Kill this process, as a loss of power would, the moment before anything is renamed to a path with this ending."""

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event == "os.rename" and str(arguments[1]).endswith(ending):
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


async def main(home: str, cache: str, deed: str, repo: str, ending: str) -> None:
    config = ConfigManager(Path(home), {"HOME": home, "HF_HUB_CACHE": cache})
    async with a_world(cast("SampleHub", None), config) as world:
        die_before(ending)
        if deed == "rollback":
            await world.updates.rollback(repo)
        else:
            await world.ended(await world.updates.update(repo))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:6]))
