"""A limit as high as the estimate is enough for the real engine, one 15 % lower is not.

The model is written in full, nothing is mapped, so all that the engine holds is memory of its own; the file's pages
that reading leaves behind count in a control group as well, but are given up first. Zeros make a model that answers
nothing of sense, in the time and the memory of any other. What Python and the engine's library hold before a model is
loaded is measured in a group of its own and put on top of both limits.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from modelshelf.compat import Settings, estimate
from modelshelf.metadata import local
from tests.shapes import Shape, parts, write
from tests.shapes.shape import Tensor

MIB = 1 << 20
SLACK = 8 * MIB  # what the allocator and the server's own buffers take
SETTINGS = Settings(context=8192, ubatch=512, repack=False)
CHILD = """
import json, os, sys
from pathlib import Path
Path(sys.argv[1]).write_text(str(os.getpid()))
import xllamacpp
if len(sys.argv) > 2:
    parameters = xllamacpp.CommonParams()
    parameters.model.path = sys.argv[2]
    parameters.n_ctx, parameters.n_ubatch, parameters.n_parallel = int(sys.argv[3]), int(sys.argv[4]), 1
    parameters.load_mode = xllamacpp.llama_load_mode.LLAMA_LOAD_MODE_NONE
    parameters.fit_params = parameters.warmup = False
    parameters.no_extra_bufts = True
    parameters.cache_ram_mib = parameters.n_ctx_checkpoints = 0
    parameters.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_ENABLED
    server = xllamacpp.Server(parameters)
    prompt = [5 + index % 1000 for index in range(600)]
    print(json.dumps(server.handle_completions({"prompt": prompt, "max_tokens": 4, "temperature": 0})))
sys.stdout.flush()
os._exit(0)
"""


def own_group() -> Path:
    """The control group of this process that counts memory, of either version."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, kinds, name = line.split(":", 2)
        if "memory" in kinds.split(","):
            return Path("/sys/fs/cgroup/memory") / name.lstrip("/")
    return Path("/sys/fs/cgroup") / line.split(":", 2)[2].lstrip("/")


@contextmanager
def group() -> Iterator[Path]:
    """A control group below our own; skips where this machine allows none."""
    folder = own_group() / f"modelshelf-{uuid4().hex[:8]}"
    try:
        folder.mkdir()
    except OSError as error:
        pytest.skip(f"no control group can be made: {error}")
    try:
        if not any((folder / name).exists() for name in ("memory.max", "memory.limit_in_bytes")):
            pytest.skip(f"{folder} counts no memory")
        yield folder
    finally:
        folder.rmdir()


def run(folder: Path, *arguments: str, limit: int | None = None) -> subprocess.CompletedProcess[str]:
    if limit is not None:
        newer = (folder / "memory.max").exists()
        (folder / ("memory.max" if newer else "memory.limit_in_bytes")).write_text(str(limit))
        if newer and (folder / "memory.swap.max").exists():
            (folder / "memory.swap.max").write_text("0")
    command = [sys.executable, "-c", CHILD, str(folder / "cgroup.procs"), *arguments]
    quiet = os.environ | {"GGML_NO_BACKTRACE": "1"}
    return subprocess.run(command, capture_output=True, text=True, env=quiet, timeout=240, check=False)


def anonymous(folder: Path) -> int:
    """The most that was ever held; without a model hardly anything of it is the file system's."""
    for name in ("memory.max_usage_in_bytes", "memory.peak"):
        if (folder / name).exists():
            return int((folder / name).read_text())
    return pytest.skip("this kernel does not tell the peak of a control group")


def small() -> Shape:
    """Some 70 MiB of weights and 128 MiB of cache."""
    layers, width, inner, heads, words = 4, 1024, 4096, 16, 4096

    def layer(_: int) -> Iterator[Tensor]:
        yield from parts.norms(width, "attn_norm", "ffn_norm")
        yield from parts.attention(width, heads, heads, 64)
        yield from parts.feed_forward(width, inner)

    keys = {
        "context_length": 8192, "block_count": layers, "embedding_length": width, "feed_forward_length": inner,
        "attention.head_count": heads, "attention.layer_norm_rms_epsilon": 1e-5, "rope.dimension_count": 64,
    }  # fmt: skip
    outside = (
        ("token_embd.weight", (width, words)), ("output_norm.weight", (width,)), ("output.weight", (width, words)),
    )  # fmt: skip
    return Shape("llama", words, width, layers, layer, keys, outside, mix="Q8_0")


def filled(path: Path) -> Path:
    """The same file without holes."""
    write(small(), path)
    with path.open("r+b") as file:
        whole = file.read()
        file.seek(0)
        file.write(whole)
    return path


@pytest.mark.timeout(600)
def test_as_much_as_foretold_is_enough_and_less_is_not(tmp_path: Path) -> None:
    model = filled(tmp_path / "model.gguf")
    memory = estimate(local.read(model), SETTINGS).memory
    needed = memory.total + memory.host
    arguments = (str(model), str(SETTINGS.context), str(SETTINGS.ubatch))
    with group() as folder:
        assert run(folder).returncode == 0
        before = anonymous(folder)
    with group() as folder:
        enough = run(folder, *arguments, limit=before + needed + SLACK)
        assert enough.returncode == 0, enough.stderr[-2000:]
        assert json.loads(enough.stdout)["usage"]["completion_tokens"] == 4
    with group() as folder:
        less = run(folder, *arguments, limit=before + round(0.85 * needed))
        assert less.returncode == -signal.SIGKILL
