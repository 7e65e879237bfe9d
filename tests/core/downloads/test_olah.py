"""Against olah, a mirror of the Hub that others wrote: offline over a git repository, and in front of a hub.

`make deep` installs it beside the environment; `OLAH` names its command elsewhere.
"""

import asyncio
import hashlib
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import tomlkit
import trustme

from modelshelf.config import ConfigManager
from modelshelf.downloads import JobStatus
from modelshelf.samples import SampleHub
from modelshelf.samples.repository import pointer
from tests.core.downloads.conftest import a_world, noise

OLAH = Path(os.environ.get("OLAH") or Path(sys.prefix) / "olah" / "bin" / "olah-cli")
WEIGHTS = noise(20_000_000, 41)
FILES = {"config.json": b'{"model_type": "llama"}', "model.safetensors": WEIGHTS, "empty.json": b""}

pytestmark = [
    pytest.mark.deep,
    pytest.mark.skipif(not OLAH.exists(), reason=f"olah is not installed in {OLAH}"),
]


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@asynccontextmanager
async def olah(
    folder: Path, basic: dict[str, Any], *, offline: bool, trust: Path | None
) -> AsyncIterator[tuple[str, Path]]:
    """A running olah: its address and the file with its authority's certificate."""
    authority, port = trustme.CA(), free_port()
    issued = authority.issue_cert("127.0.0.1", "localhost")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    issued.private_key_pem.write_to_path(folder / "key.pem")
    issued.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    config = {
        "basic": {
            "host": "127.0.0.1",
            "port": port,
            "ssl-key": str(folder / "key.pem"),
            "ssl-cert": str(folder / "cert.pem"),
            "repos-path": str(folder / "kept"),
            **basic,
        },
        "accessibility": {"offline": offline},
    }
    (folder / "olah.toml").write_text(tomlkit.dumps(config))
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    environ |= {"SSL_CERT_FILE": str(trust), "REQUESTS_CA_BUNDLE": str(trust)} if trust else {}
    log = (folder / "olah.log").open("wb")
    process = await asyncio.create_subprocess_exec(
        *(str(OLAH), "--config", str(folder / "olah.toml"), "--log-path", str(folder / "logs")),
        stdout=log, stderr=log, env=environ, cwd=folder,
    )  # fmt: skip
    try:
        async with asyncio.timeout(60):
            while True:
                assert process.returncode is None, (folder / "olah.log").read_text()
                with suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.close()
                    break
                await asyncio.sleep(0.1)
        yield f"https://127.0.0.1:{port}", folder / "ca.pem"
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.wait()
        log.close()


def git_repository(folder: Path) -> str:
    """A repository with its large file in LFS, as a clone has it; its commit."""
    folder.mkdir(parents=True)
    digest = hashlib.sha256(WEIGHTS).hexdigest()
    kept = folder / ".git" / "lfs" / "objects" / digest[:2] / digest[2:4]
    author = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]

    def git(*arguments: str) -> str:
        command = ["git", *author, *arguments]
        return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "-q", "-b", "main")
    kept.mkdir(parents=True)
    (kept / digest).write_bytes(WEIGHTS)
    for name, content in FILES.items():
        (folder / name).write_bytes(pointer(digest, len(WEIGHTS)) if name == "model.safetensors" else content)
    git("add", "--all")
    git("commit", "-q", "-m", "Add the files")
    return git("rev-parse", "HEAD")


async def fetched(
    hub: SampleHub, config: ConfigManager, url: str, ca_file: Path, revision: str | None = None
) -> tuple[str, dict[str, bytes]]:
    """Download by way of olah: the commit, and what landed."""
    config.set("network.ca_file", str(ca_file))
    config.set("sources", [{"name": "olah", "kind": "huggingface", "url": url}])
    async with a_world(hub, config) as world:
        job = await world.fetch("org/model", "*", revision=revision)
        assert job.status is JobStatus.DONE, job.error
        snapshot = world.cache / "models--org--model/snapshots" / job.commit
        return job.commit, {name: (snapshot / name).read_bytes() for name in FILES}


async def test_offline_over_a_git_repository_with_lfs(
    empty_hub: SampleHub, config: ConfigManager, tmp_path: Path
) -> None:
    commit = await asyncio.to_thread(git_repository, tmp_path / "mirrors" / "models" / "org" / "model")
    basic = {"mirrors-path": [str(tmp_path / "mirrors")]}
    async with olah(tmp_path, basic, offline=True, trust=None) as (url, ca_file):
        # Offline, olah 0.5.4 knows a local repository by its full commit only.
        assert await fetched(empty_hub, config, url, ca_file, commit) == (commit, FILES)


async def test_as_a_mirror_in_front_of_a_hub(empty_hub: SampleHub, config: ConfigManager, tmp_path: Path) -> None:
    published = await empty_hub.add("org/model", FILES)
    netloc = empty_hub.url.removeprefix("https://")
    basic = {"hf-scheme": "https", "hf-netloc": netloc, "hf-lfs-netloc": empty_hub.cdn_url.removeprefix("https://")}
    async with olah(tmp_path, basic, offline=False, trust=empty_hub.ca_file) as (url, ca_file):
        assert await fetched(empty_hub, config, url, ca_file) == (published.head.id, FILES)
