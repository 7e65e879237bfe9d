"""The estimate against the buffers that the real engine logs when it loads the shape."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from modelshelf.compat import Settings, estimate
from modelshelf.metadata import local
from tests.shapes import SHAPES, engine, write
from tests.shapes.more import more

MIB = 1 << 20
SHAPES_AND_MORE = {**SHAPES, **more()}


@pytest.mark.parametrize(
    "name", ["llama32_1b", "lfm2_1_2b", "falcon_h1_1_5b", "gemma3n_e2b", "rwkv7_1_5b", "bert_large"]
)
def test_the_engine_takes_what_was_foretold(name: str, tmp_path: Path) -> None:
    path = write(SHAPES_AND_MORE[name], tmp_path / f"{name}.gguf")
    loaded = engine.load(path)
    memory = estimate(local.read(path), Settings(context=2048, slots=4, unified_kv=False)).memory
    assert memory.kv == pytest.approx(loaded.kv, abs=engine.ROUNDED)
    assert memory.recurrent == pytest.approx(loaded.recurrent, abs=engine.ROUNDED)
    assert memory.output == pytest.approx(loaded.output, abs=engine.ROUNDED)
    assert memory.compute == pytest.approx(loaded.compute, abs=max(0.05 * loaded.compute, 8 * MIB))


def test_the_table_was_measured_with_the_engine_s_own_arithmetic(tmp_path: Path) -> None:
    """What `tests/shapes/exact.py` reads without a buffer is what the engine logs when it allocates them."""
    path = write(SHAPES["llama32_1b"], tmp_path / "shape.gguf")
    command = [sys.executable, "-m", "tests.shapes.exact", str(path), '[{"context": 2048, "slots": 4}]']
    found = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    loaded = engine.load(path, kv_unified=True)
    assert found["context_bytes"] == pytest.approx(loaded.kv + loaded.recurrent, abs=engine.ROUNDED)
    assert found["compute_bytes"] == pytest.approx(loaded.compute, abs=engine.ROUNDED)
