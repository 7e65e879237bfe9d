"""Loads a file in the real engine, in a process of its own, and reads from its log what it allocated.

Weights are mapped and never read, nothing is warmed up, so a sparse file of many gigabytes loads in seconds; the cache
is allocated but not touched.
"""

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

MIB = 1 << 20
ROUNDED = 0.011 * MIB  # the log has two decimals
LOAD = """
import json, sys, xllamacpp
parameters = xllamacpp.CommonParams()
parameters.model.path = sys.argv[1]
parameters.fit_params = parameters.warmup = False
parameters.verbosity = 4
for name, value in json.loads(sys.argv[2]).items():
    setattr(parameters, name, value)
xllamacpp.Server(parameters)
"""
PLAIN = {"n_ctx": 2048, "n_parallel": 4, "no_extra_bufts": True}


@dataclass(frozen=True, slots=True)
class Buffers:
    """Bytes of every buffer that the log names; `repacked` is the processor's second copy of weights."""

    weights: float
    repacked: float
    kv: float
    recurrent: float
    compute: float
    output: float


def load(path: Path, **parameters: int | bool | str) -> Buffers:
    """What the engine allocates for the file with these of its parameters."""
    return buffers(log_of(path, **parameters))


def log_of(path: Path, **parameters: int | bool | str) -> str:
    """What the engine says until it has allocated everything; then it has served its purpose."""
    command = [sys.executable, "-c", LOAD, str(path), json.dumps(PLAIN | parameters)]
    said = []
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as child:
        assert child.stderr is not None
        for line in child.stderr:
            said.append(line)
            if "compute buffer size" in line:
                break
        child.kill()
    return "".join(said)


def buffers(log: str) -> Buffers:
    """The sizes that a log names."""
    return Buffers(
        weights=logged(log, r"(?:CPU|CPU_Mapped) model"),
        repacked=logged(log, "CPU_REPACK model"),
        kv=logged(log, "KV"),
        recurrent=logged(log, "RS"),
        compute=logged(log, "compute"),
        output=logged(log, "output"),
    )


def logged(log: str, buffer: str) -> float:
    """Bytes of every buffer of that name."""
    return sum(float(size) * MIB for size in re.findall(rf"{buffer} buffer size = +([\d.]+) MiB", log))
