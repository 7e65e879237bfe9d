"""A whole shelf whose machine has a simulated Ollama with its store on the same disk as the library."""

import asyncio
import hashlib
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from modelshelf.config import ConfigManager
from modelshelf.downloads import Job
from modelshelf.events import RegistrationChanged
from modelshelf.library.types import InstalledModel
from modelshelf.registration import Registration
from modelshelf.samples import CHAT_REPO
from modelshelf.samples.shipped import repositories
from modelshelf.shelf import Shelf, open_shelf
from modelshelf.store.tables import FileRow, VerdictRow
from modelshelf.vetting import rules
from tests.conftest import LoopRunner
from tests.core.providers.conftest import install
from tests.engines.ollama import OllamaSimulator


@pytest.fixture(scope="session")
def gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample model's file."""
    return sample(tmp_path_factory.mktemp("registered"))


@pytest.fixture
def store_folder(config: ConfigManager, tmp_path: Path) -> Path:
    """Ollama's folder."""
    folder = tmp_path / "ollama"
    (folder / "blobs").mkdir(parents=True)
    config.environ["OLLAMA_MODELS"] = str(folder)
    return folder


@pytest.fixture
def ollama(loop: LoopRunner, store_folder: Path) -> OllamaSimulator:
    """An Ollama that looks into that folder."""
    return loop.enter(OllamaSimulator(store=store_folder).serve())


@pytest.fixture
def shelf(loop: LoopRunner, config: ConfigManager, ollama: OllamaSimulator) -> Shelf:
    """A started shelf that knows the built-in engine and that Ollama."""
    config.environ["OLLAMA_HOST"] = ollama.url
    made = loop.enter(open_shelf(config=config))
    loop.runner.run(until(lambda: len(made.providers_state.providers) == 2))
    return made


def sample(folder: Path) -> Path:
    """The sample model's file, made in a folder. Blocking."""
    repositories(folder)
    return next(folder.rglob(f"{CHAT_REPO}/*.gguf"))


async def until(met: Callable[[], bool]) -> None:
    """Wait for something that the background brings about."""
    async with asyncio.timeout(10):
        while not met():
            await asyncio.sleep(0.01)


async def stock(shelf: Shelf, *files: Path, repo: str = CHAT_REPO, verdict: str = "pass") -> InstalledModel:
    """Put files into the library as a download that passed leaves them, and have it settled."""
    commit = (await asyncio.to_thread(install, shelf.library.cache, repo, *files)).name
    sums = [(file.name, await asyncio.to_thread(sha256, file)) for file in files]

    def passed(session: Session) -> None:
        for name, digest in sums:
            session.merge(VerdictRow(sha256=digest, rules=rules.key(name), verdict=verdict, findings=[]))

    await shelf.store.write(passed)
    rows = [
        FileRow(repo=repo, commit=commit, path=name, source="samples", sha256=digest, size=1) for name, digest in sums
    ]
    await shelf.library.record(rows)
    await shelf.registration.landed(repo, commit)
    return await shelf.library.get(f"{repo}@{commit}")


def sha256(file: Path) -> str:
    """The checksum of a file. Blocking."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


async def fetch(shelf: Shelf, model: str = CHAT_REPO) -> Job:
    """Download a model to its end."""
    job = await shelf.downloads.start(model)
    async with aclosing(shelf.downloads.follow(job)) as steps:
        async for step in steps:
            last = step
    return last


async def with_provider(shelf: Shelf, provider: str, repo: str = CHAT_REPO) -> Registration:
    """What is written down of a model with a provider."""
    [found] = [item for item in await shelf.registration.list(repo) if item.provider == provider]
    return found


async def reached(shelf: Shelf, provider: str, status: str, repo: str = CHAT_REPO) -> Registration:
    """Wait until a registration has a status."""
    async with asyncio.timeout(10):
        with shelf.events.subscribe() as events:
            found = [item for item in await shelf.registration.list(repo) if item.provider == provider]
            if found and found[0].status == status:
                return found[0]
            async for event in events:
                if isinstance(event, RegistrationChanged) and (event.provider, event.status) == (provider, status):
                    break
    return await with_provider(shelf, provider, repo)
