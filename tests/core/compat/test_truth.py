"""The estimate against the buffers that the real engine logs when it loads the shape."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from modelshelf.compat import Settings, estimate
from modelshelf.metadata import local
from tests.shapes import SHAPES, write

MIB = 1 << 20
ROUNDED = 0.011 * MIB  # the log has two decimals
LOAD = """
import sys, xllamacpp
parameters = xllamacpp.CommonParams()
parameters.model.path = sys.argv[1]
parameters.n_ctx, parameters.n_parallel = 2048, 4
parameters.fit_params = parameters.warmup = False
parameters.no_extra_bufts = True
parameters.verbosity = 4
xllamacpp.Server(parameters)
"""


def log_of(path: Path) -> str:
    """What the engine says until it has allocated everything; then it has served its purpose."""
    command = [sys.executable, "-c", LOAD, str(path)]
    said = []
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as child:
        assert child.stderr is not None
        for line in child.stderr:
            said.append(line)
            if "compute buffer size" in line:
                break
        child.kill()
    return "".join(said)


def logged(text: str, buffer: str) -> float:
    """Bytes of every buffer of that name."""
    return sum(float(size) * MIB for size in re.findall(rf"{buffer} buffer size = +([\d.]+) MiB", text))


@pytest.mark.parametrize("name", ["llama32_1b", "lfm2_1_2b", "falcon_h1_1_5b"])
def test_the_engine_takes_what_was_foretold(name: str, tmp_path: Path) -> None:
    path = write(SHAPES[name], tmp_path / f"{name}.gguf")
    log = log_of(path)
    memory = estimate(local.read(path), Settings(context=2048, slots=4, unified_kv=False)).memory
    assert memory.kv == pytest.approx(logged(log, "KV"), abs=ROUNDED)
    assert memory.recurrent == pytest.approx(logged(log, "RS"), abs=ROUNDED)
    assert memory.output == pytest.approx(logged(log, "output"), abs=ROUNDED)
    compute = logged(log, "compute")
    assert memory.compute == pytest.approx(compute, abs=max(0.05 * compute, 8 * MIB))
