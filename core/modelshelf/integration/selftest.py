"""The self-test: the whole journey of a model, really walked, in a home of its own that is removed afterwards."""

import asyncio
import shutil
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING

from modelshelf.config import PREFIX, ConfigManager
from modelshelf.downloads.types import Job, JobStatus
from modelshelf.errors import (
    Blocked,
    ChecksumMismatch,
    DownloadError,
    ModelshelfError,
    NeedsReview,
    NotEnoughDisk,
    NotFound,
    ProviderError,
    Unreachable,
)
from modelshelf.integration.steps import FAILED, PASSED, Step, skipped, take
from modelshelf.samples import CHAT_MODEL, CHAT_REPO

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf

SERVED = f"builtin/{CHAT_MODEL}"
PROMPT = "Once upon a time"
SECONDS = 30.0
FINISH = 10.0
LEFT_OUT = frozenset({"health", "catalog sync", "hooks"})

# What of the environment does not reach the test: it is about this machine, not about what somebody has settled.
_SETTLED = (PREFIX, "HF_", "HUGGINGFACE_")
_OWN = {
    "OLLAMA_HOST": "http://127.0.0.1:9",
    "MODELSHELF_PROVIDERS__DISCOVER": "false",
    "MODELSHELF_PROVIDERS__MODELS_DEV_URL": "",
    "MODELSHELF_VAULT__KEYCHAIN": "false",
}
_LATE = {
    "open a shelf": "The disk is very slow, or another program holds files there: look at what else runs.",
    "find the sample": "A firewall or a security program may hold connections to 127.0.0.1: let Python make them.",
    "judge the fit": "The machine is very busy, or a graphics driver does not answer: end other programs, try again.",
    "download": "A firewall or a security program may hold connections to 127.0.0.1: let Python make them.",
    "verify the checksums": "The disk is very slow: try again, and look at what else uses it.",
    "scan": "The machine is very busy: end other programs, then try again.",
    "load": "The machine is very busy or short of memory: end other programs, then try again.",
    "ask": "The engine hangs: end other programs that use the processor or the card, update xllamacpp, try again.",
    "unload": "End the engine's process by hand; it runs child.py of Modelshelf.",
}

Between = Callable[[str, "Shelf | None", Path], Awaitable[None]]


async def _nothing(_step: str, _shelf: "Shelf | None", _folder: Path) -> None:
    """Steps follow each other."""


class IntegrationTest:
    """Walks a sample model from search to answer and cleans up. Uses neither your home nor the network.

    `environ` is what the engine and the hub find of the environment, without what somebody has settled. A step has
    `seconds`, which may be changed between steps. `between(step, shelf, folder)` is awaited before each step, for
    whoever wants to see one fail.
    """

    def __init__(
        self, environ: Mapping[str, str] | None = None, *, seconds: float = SECONDS, between: Between = _nothing
    ) -> None:
        settled = {name: value for name, value in (environ or {}).items() if not name.startswith(_SETTLED)}
        self._environ = settled | _OWN
        self.seconds = seconds
        self._between = between
        self._folder = Path()
        self._shelf: Shelf | None = None
        self._job: Job | None = None
        self._code = ""

    async def run(self) -> AsyncGenerator[Step, None]:
        """Each step as it ends; after a failure the steps that need it are not run, cleaning up always is."""
        self._folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="modelshelf-test-"))
        works = self._steps()
        try:
            for number, (name, work) in enumerate(works.items()):
                await self._between(name, self._shelf, self._folder)
                step = await take(
                    name,
                    work,
                    seconds=self.seconds,
                    late=_LATE.get(name, DownloadError.remedy),
                    detail=self._where,
                    finish=FINISH,
                )
                yield step
                if step.status != PASSED:
                    for other in skipped(list(works)[number + 1 :], name):
                        yield other
                    break
            await self._between("clean up", self._shelf, self._folder)
            yield await self._clean_up()
        finally:  # also for who stops in the middle
            await self._stop()
            await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    def _steps(self) -> dict[str, Callable[[], Awaitable[str]]]:
        return {
            "open a shelf": self._open,
            "find the sample": self._find,
            "judge the fit": self._judge,
            "download": self._download,
            "verify the checksums": self._verify,
            "scan": self._scan,
            "register with the engine": self._register,
            "load": self._load,
            "ask": self._ask,
            "unload": self._unload,
        }

    @property
    def _open_shelf(self) -> "Shelf":
        if self._shelf is None:
            raise ModelshelfError("The shelf is not open.")
        return self._shelf

    def _where(self) -> str:
        """Where a step stands that is not done in time."""
        return self._job.detail if self._job and self._job.ended is None else ""

    async def _open(self) -> str:
        from modelshelf.shelf import open_shelf

        environ = self._environ | {"HF_HUB_CACHE": str(self._folder / "hub")}
        config = await asyncio.to_thread(ConfigManager, self._folder / "home", environ)
        await asyncio.to_thread(
            config.set, "sources", [{"name": "samples", "kind": "samples", "label": "Samples (offline)"}]
        )
        await asyncio.to_thread(config.set, "hooks.off", ["*"])  # a team's rules are not what is tested here
        self._shelf = shelf = await open_shelf(config=config, without=LEFT_OUT)
        for service in shelf.services.values():
            if service.status == "failed":
                raise service.failure or ModelshelfError(f"{service.name}: {service.error}", remedy=service.remedy)
        running = sum(service.status == "running" for service in shelf.services.values())
        return f"{running} services run in {self._folder}"

    async def _find(self) -> str:
        answer = await self._open_shelf.catalog.find("tiny")
        failed = next((report for report in answer.sources if report.status == "failed"), None)
        if failed is not None:
            raise Unreachable(failed.error, remedy=failed.remedy or Unreachable.remedy)
        if CHAT_REPO not in {row.repo for row in answer.rows}:
            raise NotFound(f"The search for “tiny” did not find {CHAT_REPO}.", remedy="Install Modelshelf anew.")
        return f"{len(answer.rows)} models for “tiny” in {answer.seconds:.2f} s, {CHAT_REPO} among them"

    async def _judge(self) -> str:
        answer = await self._open_shelf.compatibility.check_model_compatibility(CHAT_REPO, "builtin")
        if not answer.score:
            reason = answer.reasons[0].detail if answer.reasons else answer.summary
            raise ModelshelfError(
                f"A model of a few MB does not fit here: {reason}", remedy="End programs that hold memory, try again."
            )
        memory = f", {answer.memory.total / 2**20:,.0f} MiB of memory" if answer.memory else ""
        return f"score {answer.score}, {answer.confidence.value}{memory}"

    async def _download(self) -> str:
        shelf = self._open_shelf
        job = await shelf.downloads.start(CHAT_REPO)
        async with aclosing(shelf.downloads.follow(job)) as steps:
            async for step in steps:
                self._job = step
        found = self._job = await shelf.downloads.job(job)
        self._code = str(found.result.get("code", ""))
        # Bytes that came and then did not please belong to the steps after this one.
        judged = found.status in {JobStatus.REVIEW, JobStatus.QUARANTINED} or self._code == ChecksumMismatch.__name__
        if found.status is not JobStatus.DONE and not judged:
            error = NotEnoughDisk if self._code == NotEnoughDisk.__name__ else DownloadError
            raise error(
                f"The download ended as {found.status.value}. {found.error}".strip(), remedy=found.remedy or None
            )
        return f"{found.fetched:,} bytes of {CHAT_REPO}@{found.commit[:8]} in {found.seconds:.2f} s"

    async def _verify(self) -> str:
        job = self._job
        if job is None or self._code == ChecksumMismatch.__name__:
            raise ChecksumMismatch(job.error if job else "Nothing was downloaded.", remedy=job.remedy if job else None)
        if job.status is not JobStatus.DONE:
            sums = {str(found.get("sha256", ""))[:12] for found in job.result.get("findings", [])}
            return f"SHA-256 {', '.join(sorted(sums))}… as published; held back by the scanner"
        async with aclosing(self._open_shelf.library.verify(CHAT_REPO)) as results:
            found = [result async for result in results]
        bad = [result.path for result in found if result.status not in {"ok", "recorded"}]
        if bad or not found:
            raise ChecksumMismatch(
                f"On the disk {', '.join(bad) or 'no file'} is what was downloaded.",
                remedy="Another program changed it, or the disk is failing: check the disk, then try again.",
            )
        return f"{len(found)} file, SHA-256 {(found[0].sha256 or '')[:12]}… as published"

    async def _scan(self) -> str:
        job = self._job
        if job is not None and job.status in {JobStatus.QUARANTINED, JobStatus.REVIEW}:
            error = Blocked if job.status is JobStatus.QUARANTINED else NeedsReview
            raise error(job.error, remedy=job.remedy or None)
        model = await self._open_shelf.library.get(CHAT_REPO)
        if model.verdict != "pass":
            raise NeedsReview(f"The scanner's verdict is {model.verdict or 'missing'}.")
        confined = await self._open_shelf.vetting.confinement()
        return f"nothing found; the scanner ran {'confined by ' + confined if confined else 'in a process of its own'}"

    async def _register(self) -> str:
        shelf = self._open_shelf
        again = "Another program may have deleted the files meanwhile: try again."
        try:
            [made] = await shelf.registration.register(CHAT_REPO, "builtin")
        except NotFound as error:
            raise ProviderError(f"The built-in engine does not get {SERVED}: {error}", remedy=again) from error
        if made.error:
            raise ProviderError(made.error, remedy=made.remedy or again)
        names = [model.id for model in await shelf.providers.models("builtin")]
        if SERVED not in names:
            told = ", ".join(names) or "nothing"
            raise ProviderError(f"The built-in engine does not list {SERVED}, but {told}.", remedy=again)
        return f"given by {made.way}; the engine's own list has {SERVED}"

    async def _load(self) -> str:
        shelf = self._open_shelf
        health = await shelf.health.check("builtin")
        await shelf.providers.load(SERVED)
        await self._held(True)
        return f"{health.version or 'the engine'} holds {SERVED} in memory"

    async def _ask(self) -> str:
        reply = await self._open_shelf.chat(SERVED, PROMPT, max_tokens=16, temperature=0)
        if not reply.text.strip():
            raise ProviderError("The engine answered nothing.", remedy="Update xllamacpp, then try again.")
        return f"“{PROMPT}” → “{' '.join(reply.text.split())[:60]}”"

    async def _unload(self) -> str:
        await self._open_shelf.providers.unload(SERVED)
        await self._held(False)
        return "memory given back; the engine lists it as not loaded"

    async def _held(self, wanted: bool) -> None:
        models = await self._open_shelf.providers.models("builtin")
        found = next((model for model in models if model.id == SERVED), None)
        if found is None or found.loaded is not wanted:
            state = "not listed" if found is None else "loaded" if found.loaded else "not loaded"
            raise ProviderError(f"Afterwards {SERVED} is {state}.", remedy="Try again, then look at the engine's log.")

    async def _clean_up(self) -> Step:
        started = time.perf_counter()
        await self._stop()
        left = await asyncio.to_thread(_remove, self._folder)
        seconds = time.perf_counter() - started
        if left:
            remedy = f"Another program holds files there, or the disk refuses: delete {self._folder} by hand."
            return Step("clean up", FAILED, seconds, error=left, remedy=remedy, code="LeftBehind", exit_code=1)
        return Step("clean up", PASSED, seconds, f"every process ended, {self._folder} is gone")

    async def _stop(self) -> None:
        shelf, self._shelf = self._shelf, None
        if shelf is not None:
            await shelf.stop()


def _remove(folder: Path) -> str:
    """Delete the folder; why it is still there, empty if it is gone."""
    refused: list[str] = []

    def note(_call: object, path: str, error: BaseException) -> None:
        refused.append(f"{path}: {getattr(error, 'strerror', None) or error}")

    shutil.rmtree(folder, onexc=note)
    return f"{folder} cannot be removed: {refused[0] if refused else 'it is still there'}." if folder.exists() else ""
