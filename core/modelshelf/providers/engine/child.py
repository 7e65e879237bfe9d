"""The child that holds one model: run as a script, isolated, never imported by the application.

On standard input it gets one line of JSON, `{"model", "alias", "key", "parent", "context", "slots", "kv", "threads",
"gpu_layers", "flash_attention", "embeds", "batch"}`; on standard output it answers one line, `{"url"}` or `{"error"}`.
It ends when its standard input does, that is, with its parent, whatever the parent died of.
"""

import ctypes
import json
import os
import signal
import sys
from typing import Any

PR_SET_PDEATHSIG = 1
EVERY_LAYER = -2  # to the engine -1 means as many as fit


def end_with(parent: int) -> None:
    """Have the kernel end us with our parent, where it can: while a model loads, no Python thread of ours runs."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent and sys.platform != "win32":
        os._exit(1)


def parameters(order: dict[str, Any]) -> Any:
    """The engine's parameters for an order."""
    import xllamacpp

    made = xllamacpp.CommonParams()
    made.model.path = order["model"]
    made.model_alias = {order["alias"]}
    made.hostnames = ["127.0.0.1"]
    made.port = 0
    made.api_keys = [order["key"]]
    made.cors_origins = ""
    made.ui = False
    made.offline = True
    made.endpoint_props = False
    # 8 GiB by default, beside what the model itself needs and what was checked to fit.
    made.cache_ram_mib = 0
    # 32 copies of windows and states for each conversation by default: as much again as the cache, counted by nobody.
    made.n_ctx_checkpoints = 0
    made.n_ctx = order["context"]
    made.n_parallel = order["slots"]
    made.kv_unified = True
    made.cache_type_k = made.cache_type_v = getattr(xllamacpp.ggml_type, "GGML_TYPE_" + order["kv"].upper())
    made.n_ubatch = order["batch"]
    made.n_batch = max(made.n_batch, made.n_ubatch)
    made.embedding = order["embeds"]
    if order["gpu_layers"] is not None:
        made.n_gpu_layers = order["gpu_layers"] if order["gpu_layers"] >= 0 else EVERY_LAYER
    if order["flash_attention"] is not None:
        kinds = xllamacpp.llama_flash_attn_type
        name = "ENABLED" if order["flash_attention"] else "DISABLED"
        made.flash_attn_type = getattr(kinds, "LLAMA_FLASH_ATTN_TYPE_" + name)
    if order["threads"]:
        made.cpuparams.n_threads = order["threads"]
        made.cpuparams_batch.n_threads = order["threads"]
    return made


def main() -> None:
    """Load the ordered model, tell where it is served, and wait for the end of the input."""
    # An interrupt is meant for the parent: a notebook sends it to the whole group to stop one cell.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What the engine prints belongs to the log; only our own line may reach the parent's ear.
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    order = json.loads(sys.stdin.buffer.readline())
    end_with(order["parent"])
    try:
        import xllamacpp

        server = xllamacpp.Server(parameters(order))
    except (ImportError, OSError, RuntimeError, ValueError) as error:
        answer.write(json.dumps({"error": str(error)}) + "\n")
        answer.close()
        os._exit(1)
    answer.write(json.dumps({"url": server.listening_address}) + "\n")
    answer.close()
    while sys.stdin.buffer.read(4096):
        pass
    # At once: an orderly end would wait for an answer that nobody hears.
    os._exit(0)


if __name__ == "__main__":
    main()
