from pathlib import Path

import aiohttp

from modelshelf.samples import Faults, SampleHub

BYTES = bytes(range(256)) * 400


async def test_large_files_are_redirected_to_the_content_server(tmp_path: Path) -> None:
    hub = SampleHub(tmp_path, samples=False)
    await hub.start()
    try:
        repo = await hub.add("me/model", {"a.gguf": BYTES, "config.json": b"{}"})
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=hub.ssl_context)) as session:
            async with session.get(f"{hub.url}/me/model/resolve/main/a.gguf") as answer:
                assert await answer.read() == BYTES
                assert str(answer.url).startswith(hub.cdn_url)
                assert answer.history[0].headers["X-Repo-Commit"] == repo.head.id
            hub.faults = Faults(status=503)
            for wanted in (503, 200):
                async with session.get(f"{hub.url}/me/model/resolve/main/a.gguf") as answer:
                    assert answer.status == wanted
    finally:
        await hub.stop()
