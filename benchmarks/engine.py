"""The transfer without the rest of the shelf: `python -m benchmarks.engine HOME URL BYTES-ORIGIN CA SIZE SHA256`.

It fetches one file into HOME and checks it; what it prints is JSON with its own peak memory.
"""

import asyncio
import json
import resource
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from modelshelf.catalog.types import Location
from modelshelf.config import ConfigManager
from modelshelf.downloads.journal import Identity
from modelshelf.downloads.part import Part
from modelshelf.downloads.transfer import FileTransfer, Means
from modelshelf.network import Network
from modelshelf.network.client import tls_context


async def fetch(home: Path, url: str, origin: str, ca_file: str, size: int, sha256: str) -> None:
    """Fetch and check one file, as a job does."""
    config = ConfigManager(home, {"HOME": str(home)})
    location = Location(url, {}, tls_context(ca_file, {}), frozenset({origin}))
    network = Network(config)

    async def locate() -> Location:
        return location

    with ThreadPoolExecutor(16) as pool:
        part = Part(home / "file.part", Identity(size, sha256, None), pool)
        async with part.opened():
            transfer = FileTransfer(Means(network), "file", part, locate)
            await transfer.run()
        tally = transfer.tally
    await network.aclose()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"peak": peak * 1024, "connections": tally.connections, "received": tally.received}))


if __name__ == "__main__":
    home, url, origin, ca_file, size, sha256 = sys.argv[1:7]
    asyncio.run(fetch(Path(home), url, origin, ca_file, int(size), sha256))
