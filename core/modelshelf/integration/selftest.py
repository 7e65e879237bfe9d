"""The self-test: the whole journey of a model, really walked, in a home of its own that is removed afterwards."""

import asyncio
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelshelf.config import ConfigManager
from modelshelf.downloads.types import Job, JobStatus
from modelshelf.errors import DownloadError, ModelshelfError, NotFound, ProviderError

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf

REPO = "samples/tiny-llama-GGUF"
SERVED = "builtin/tiny-llama"
PROMPT = "Once upon a time"


@dataclass(frozen=True, slots=True)
class Step:
    """One step: status is passed | failed | not run, never passed when it did not run."""

    name: str
    status: str
    seconds: float = 0.0
    evidence: str = ""
    error: str = ""
    remedy: str = ""

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {name: getattr(self, name) for name in ("name", "status", "seconds", "evidence", "error", "remedy")}


class IntegrationTest:
    """Walks a sample model from search to answer and cleans up. Uses neither your home nor the network."""

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        self._environ = environ
        self._job: Job | None = None

    async def run(self) -> AsyncGenerator[Step, None]:
        """Each step as it ends; after a failure the steps that need it are not run, cleaning up always is."""
        async with AsyncExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="modelshelf-test-"))
            broken = ""
            shelf: Shelf | None = None
            for name, work in self._steps():
                if broken:
                    yield Step(name, "not run", error=f"“{broken}” failed before it.")
                    continue
                step, opened = await self._take(name, work, shelf, stack, Path(folder))
                shelf = shelf or opened
                broken = name if step.status == "failed" else ""
                yield step
            yield await self._clean_up(stack, Path(folder))

    def _steps(self) -> tuple[tuple[str, Callable[["Shelf"], Awaitable[str]] | None], ...]:
        return (
            ("open a shelf", None),
            ("find the sample", self._find),
            ("judge the fit", self._judge),
            ("download", self._download),
            ("verify the checksums", self._verify),
            ("scan", self._scan),
            ("register with the engine", self._register),
            ("load", self._load),
            ("ask", self._ask),
            ("unload", self._unload),
        )

    async def _take(
        self,
        name: str,
        work: Callable[["Shelf"], Awaitable[str]] | None,
        shelf: "Shelf | None",
        stack: AsyncExitStack,
        folder: Path,
    ) -> tuple[Step, "Shelf | None"]:
        started = time.perf_counter()
        try:
            if work is None or shelf is None:
                shelf, evidence = await self._open(stack, folder), str(folder)
            else:
                evidence = await work(shelf)
        except ModelshelfError as error:
            seconds = time.perf_counter() - started
            return Step(name, "failed", seconds, error=error.message, remedy=error.remedy), shelf
        return Step(name, "passed", time.perf_counter() - started, evidence), shelf

    async def _open(self, stack: AsyncExitStack, folder: Path) -> "Shelf":
        from modelshelf.shelf import open_shelf

        environ = {"HF_HUB_CACHE": str(folder / "hub"), **(self._environ or {})}
        config = ConfigManager(folder / "home", environ)
        config.set("sources", [{"name": "samples", "kind": "samples", "label": "Samples (offline)"}])
        shelf = await stack.enter_async_context(
            open_shelf(config=config, without=frozenset({"health", "catalog sync"}))
        )
        for service in shelf.services.values():
            if service.status == "failed":
                raise ModelshelfError(f"{service.name}: {service.error}", remedy=service.remedy)
        return shelf

    async def _find(self, shelf: "Shelf") -> str:
        answer = await shelf.catalog.find("tiny")
        if REPO not in {row.repo for row in answer.rows}:
            raise NotFound(f"The search for “tiny” did not find {REPO}.", remedy="Reinstall Modelshelf.")
        return f"{len(answer.rows)} models in {answer.seconds:.2f} s"

    async def _judge(self, shelf: "Shelf") -> str:
        answer = await shelf.compatibility.check_model_compatibility(REPO, "builtin")
        return f"score {answer.score}, {answer.confidence.value}"

    async def _download(self, shelf: "Shelf") -> str:
        job = await shelf.downloads.start(REPO)
        async with aclosing(shelf.downloads.follow(job)) as steps:
            async for step in steps:
                self._job = step
        if self._job is None or self._job.status is not JobStatus.DONE:
            status, error = (self._job.status.value, self._job.error) if self._job else ("lost", "")
            raise DownloadError(f"The download ended as {status}. {error}".strip())
        return f"{self._job.total:,} bytes"

    async def _verify(self, shelf: "Shelf") -> str:
        async with aclosing(shelf.library.verify(REPO)) as results:
            found = [result async for result in results]
        bad = [result.path for result in found if result.status == "mismatch"]
        if bad or not found:
            raise DownloadError(f"Not what they should be: {', '.join(bad) or 'no file was found'}.")
        return f"{len(found)} files"

    async def _scan(self, shelf: "Shelf") -> str:
        model = await shelf.library.get(REPO)
        if model.verdict != "pass":
            raise DownloadError(f"The scanner's verdict is {model.verdict or 'missing'}.")
        return "nothing found"

    async def _register(self, shelf: "Shelf") -> str:
        names = [model.id for model in await shelf.providers.models("builtin")]
        if SERVED not in names:
            raise ProviderError(f"The built-in engine does not list {SERVED}, only {names}.")
        return SERVED

    async def _load(self, shelf: "Shelf") -> str:
        await shelf.providers.load(SERVED)
        return "in memory"

    async def _ask(self, shelf: "Shelf") -> str:
        reply = await shelf.chat(SERVED, PROMPT, max_tokens=32, temperature=0)
        if not reply.text.strip():
            raise ProviderError("The engine answered nothing.")
        return f"“{' '.join(reply.text.split())[:60]}”"

    async def _unload(self, shelf: "Shelf") -> str:
        await shelf.providers.unload(SERVED)
        return "memory given back"

    async def _clean_up(self, stack: AsyncExitStack, folder: Path) -> Step:
        started = time.perf_counter()
        await stack.aclose()
        gone = not await asyncio.to_thread(folder.exists)
        seconds = time.perf_counter() - started
        return Step(
            "clean up", "passed" if gone else "failed", seconds, error="" if gone else f"{folder} is still there."
        )
