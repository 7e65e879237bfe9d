"""One child of the engine: started with a model, watched, ended."""

import asyncio
import importlib.metadata
import importlib.util
import json
import os
import secrets
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from modelshelf.errors import EngineFailed
from modelshelf.providers.engine.log import EngineLog

CHILD = Path(__file__).with_name("child.py")
STOP_SECONDS = 3.0
BATCH = 512
EMBED_BATCH = 2048
_LINE = 1 << 16
_KILL = 9
_OTHER_FILE = "Choose another file of the model; `modelshelf doctor` shows the end of the engine's log."
_MEMORY = "Close other programs, unload another model, or choose a smaller file or less context."

# The child needs to find its libraries and its devices, and nothing else: no token, no proxy, no key.
_KEPT_NAMES = frozenset({
    "PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT",
    "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "CUDA_PATH",
})  # fmt: skip
_KEPT_PREFIXES = ("CUDA_VISIBLE_", "HIP_VISIBLE_", "ROCR_VISIBLE_", "NVIDIA_VISIBLE_", "GGML_", "OMP_")


@dataclass(frozen=True, slots=True)
class EngineModel:
    """What a child is to load: the (first) GGUF file, the name it is served under, and how it is loaded.

    `context` in tokens over all `slots`; `kv` is f16, q8_0 or q4_0; `threads` 0 leaves their number to the engine, and
    None so the layers on the GPU (-1 is all) and flash attention. `embeds` says that it makes vectors. `idle_seconds`
    until it is unloaded when nobody uses it, 0 for never; another number of these is no reason to load it anew.
    """

    file: Path
    name: str
    context: int = 4096
    slots: int = 1
    kv: str = "f16"
    threads: int = 0
    gpu_layers: int | None = None
    flash_attention: bool | None = None
    embeds: bool = False
    idle_seconds: int = field(default=0, compare=False)

    @property
    def batch(self) -> int:
        """Tokens that are computed at once: an embedder takes in a text whole."""
        return min(self.context, EMBED_BATCH) if self.embeds else BATCH


@dataclass(slots=True)
class EngineProcess:
    """A running child: `url` and `key` lead to its API. Made by `start`."""

    model: EngineModel
    url: str
    key: str = field(repr=False)
    _process: Process = field(repr=False)
    _watch: "asyncio.Task[int]" = field(repr=False)
    _log: EngineLog = field(repr=False)

    @classmethod
    async def start(cls, model: EngineModel, log: EngineLog, seconds: float) -> "EngineProcess":
        """Start a child and wait until its model is loaded.

        Raises:
            EngineFailed: it ended, refused the model, or was not ready after `seconds`.
        """
        key = secrets.token_urlsafe(32)
        process = await _spawn()
        watch = asyncio.create_task(_watch(process, log), name=f"engine.{process.pid}")
        made = cls(model, "", key, process, watch, log)
        try:
            async with asyncio.timeout(seconds):
                made.url = await made._introduce()
        except TimeoutError:
            raise EngineFailed(
                f"The built-in engine did not load {model.name} within {seconds:g} s.",
                remedy="Try again, choose a smaller model, or raise engine.start_seconds.",
            ) from None
        finally:
            if not made.url:
                await made.stop()
        return made

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the child runs."""
        return not self._watch.done() and self._process.returncode is None

    async def ended(self, seconds: float) -> bool:
        """Whether the child has ended, or ends within `seconds`."""
        done, _ = await asyncio.wait({self._watch}, timeout=seconds)
        return bool(done)

    def on_end(self, call: Callable[[], None]) -> None:
        """Call back when the child has ended, whatever it ended of."""
        self._watch.add_done_callback(lambda _: call())

    def failure(self) -> EngineFailed:
        """The error to show for a child that ended by itself."""
        code = self._process.returncode
        if code == 0:
            return EngineFailed(f"{self.model.name} was unloaded while it answered.", remedy="Ask again to load it.")
        how = f"signal {-code}" if code is not None and code < 0 else f"status {code}"
        said = self._log.reason()
        return EngineFailed(
            f"The built-in engine ended unexpectedly ({how}) while it served {self.model.name}."
            + (f" It said: {said}." if said else ""),
            remedy="Ask again: it starts anew. If it ends again, choose a smaller model or a shorter context.",
        )

    async def stop(self) -> None:
        """End the child, at the latest after a few seconds by force, and reap it."""
        if self._process.stdin:
            self._process.stdin.close()
        # While it loads it hears nothing, so there is nothing to wait for.
        if not self.url or not await self.ended(STOP_SECONDS):
            with suppress(ProcessLookupError):
                self._process.kill()
        await asyncio.wait({self._watch})

    async def _introduce(self) -> str:
        orders, answers = _piped(self._process.stdin), _piped(self._process.stdout)
        order = {
            "model": str(self.model.file),
            "alias": self.model.name,
            "key": self.key,
            "parent": os.getpid(),
            "context": self.model.context,
            "slots": self.model.slots,
            "kv": self.model.kv,
            "threads": self.model.threads,
            "gpu_layers": self.model.gpu_layers,
            "flash_attention": self.model.flash_attention,
            "embeds": self.model.embeds,
            "batch": self.model.batch,
        }
        try:
            orders.write(json.dumps(order).encode() + b"\n")
            await orders.drain()
            answer = _answer(await answers.readline())
        except (ConnectionError, ValueError):
            answer = {}
        if url := answer.get("url"):
            return str(url)
        await self.ended(STOP_SECONDS)
        said, remedy = self._log.reason() or answer.get("error"), _OTHER_FILE
        if not said:
            said, remedy = ending(self._process.returncode)
        raise EngineFailed(f"The built-in engine cannot load {self.model.name}: {said}.", remedy=remedy)


def ending(status: int | None) -> tuple[str, str]:
    """What a process that said nothing died of, and what to do."""
    if status == -_KILL:
        return "it was killed from outside, as a system does when its memory runs out", _MEMORY
    return f"it ended with status {status}", _OTHER_FILE


def installed_version(package: str = "xllamacpp") -> str | None:
    """The engine's version, found without loading it; None if it is not installed."""
    if importlib.util.find_spec(package) is None:
        return None
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def scrubbed(environ: "os._Environ[str] | dict[str, str]") -> dict[str, str]:
    """Of an environment, what a child of the engine may see."""
    return {
        name: value
        for name, value in environ.items()
        if name.upper() in _KEPT_NAMES or name.upper().startswith(_KEPT_PREFIXES)
    }


async def _spawn() -> Process:
    try:
        # Isolated: no PYTHON* variable and no working folder decides what the child runs.
        return await asyncio.create_subprocess_exec(
            sys.executable, "-I", "-X", "utf8", str(CHILD),
            stdin=PIPE, stdout=PIPE, stderr=PIPE, env=scrubbed(os.environ), limit=_LINE,
        )  # fmt: skip
    except OSError as error:
        raise EngineFailed(f"The built-in engine cannot be started: {error.strerror}.") from error


async def _watch(process: Process, log: EngineLog) -> int:
    """Keep the child's log and reap it."""
    said, rest = _piped(process.stderr), b""
    while chunk := await said.read(_LINE):
        *lines, rest = (rest + chunk).split(b"\n")
        rest = rest[:_LINE]
        await asyncio.to_thread(_add, log, lines)
    return await process.wait()


def _add(log: EngineLog, lines: list[bytes]) -> None:
    for line in lines:
        log.add(line.decode("utf-8", "replace"))


def _piped[T](pipe: T | None) -> T:
    if pipe is None:
        raise EngineFailed("The built-in engine was started without its pipes.")
    return pipe


def _answer(line: bytes) -> dict[str, Any]:
    found = json.loads(line or b"{}")
    return found if isinstance(found, dict) else {}
