"""The engine's own arithmetic to the byte: libllama sizes every buffer and allocates none of them (`no_alloc`).

The wheel of xllamacpp exports libllama, but no header; the offsets below are those of its parameter structures in
version 2026.10.11549, found by their default values. A wrong one shows at once: `tests/core/compat/test_truth.py`
compares with the log of the real load.

    python -m tests.shapes.exact FILE '[{"context": 2048}, ...]'

prints for each settings a JSON line: bytes of weights, of cache and state, of compute, and the error if there was one.
It runs in a process of its own because the engine ends the process where it dislikes a model.
"""

import ctypes
import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any

MODEL = {"load_mode": 24, "use_extra_bufts": 74, "no_alloc": 76}
CONTEXT = {
    "n_ctx": 0, "n_batch": 4, "n_ubatch": 8, "n_seq_max": 12, "n_outputs_max": 20, "flash_attn": 52, "type_k": 104,
    "type_v": 108, "embeddings": 136, "swa_full": 140, "kv_unified": 141,
}  # fmt: skip
BYTES = frozenset({"use_extra_bufts", "no_alloc", "embeddings", "swa_full", "kv_unified"})
TYPES = {"f32": 0, "f16": 1, "q4_0": 2, "q4_1": 3, "q5_0": 6, "q5_1": 7, "q8_0": 8, "iq4_nl": 20, "bf16": 30}
BATCH = 2048
BREAKDOWN = "_Z26llama_get_memory_breakdownPK13llama_context"


class _Parameters(ctypes.Structure):
    """Longer than any of the engine's structures: it reads no further than its own."""

    _fields_ = (("bytes", ctypes.c_uint8 * 256),)

    def put(self, offsets: Mapping[str, int], name: str, value: int) -> None:
        for index, byte in enumerate(value.to_bytes(1 if name in BYTES else 4, "little")):
            self.bytes[offsets[name] + index] = byte


class Engine:
    """A model of which only the sizes are known."""

    def __init__(self, path: str) -> None:
        import xllamacpp

        self._library = ctypes.CDLL(str(xllamacpp.xllamacpp.__file__))
        self.said: list[str] = []
        callback = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)
        self._log = callback(lambda _level, text, _data: self.said.append(text.decode(errors="replace")))
        self._library.llama_log_set(self._log, None)
        self._library.llama_backend_init()
        self._declare()
        parameters = self._library.llama_model_default_params()
        for name, value in (("load_mode", 0), ("use_extra_bufts", 0), ("no_alloc", 1)):
            parameters.put(MODEL, name, value)
        self._model = self._library.llama_model_load_from_file(path.encode(), parameters)

    @property
    def loaded(self) -> bool:
        """Whether the engine took the model; what it said tells why not."""
        return bool(self._model)

    def _declare(self) -> None:
        library = self._library
        for name in ("llama_model_default_params", "llama_context_default_params", BREAKDOWN):
            getattr(library, name).restype = _Parameters
        library.llama_model_load_from_file.argtypes = [ctypes.c_char_p, _Parameters]
        library.llama_init_from_model.argtypes = [ctypes.c_void_p, _Parameters]
        for name in ("llama_model_load_from_file", "llama_init_from_model"):
            getattr(library, name).restype = ctypes.c_void_p
        library.llama_free.argtypes = [ctypes.c_void_p]
        getattr(library, BREAKDOWN).argtypes = [ctypes.c_void_p]

    def sizes(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Bytes of weights, of cache and state, of compute; or the error."""
        del self.said[:-1]
        context = self._model and self._library.llama_init_from_model(self._model, self._context(settings))
        if not context:
            return {"error": "".join(self.said[-3:]).strip()[-200:]}
        found = getattr(self._library, BREAKDOWN)(context)
        parts = list(_values(_read(ctypes.addressof(found) + 16)))
        self._library.llama_free(context)
        names = ("model_bytes", "context_bytes", "compute_bytes")
        return {name: sum(part[index] for part in parts) for index, name in enumerate(names)} | {"error": ""}

    def _context(self, settings: Mapping[str, Any]) -> _Parameters:
        parameters: _Parameters = self._library.llama_context_default_params()
        slots, ubatch, keys = settings.get("slots", 1), settings.get("ubatch", 512), settings.get("kv", "f16")
        for name, value in (
            ("n_ctx", settings["context"]),
            ("n_batch", max(BATCH, ubatch)),
            ("n_ubatch", ubatch),
            ("n_seq_max", slots),
            ("n_outputs_max", slots),  # as a server runs
            ("flash_attn", settings.get("flash_attention", True)),
            ("type_k", TYPES[keys]),
            ("type_v", TYPES[settings.get("kv_values") or keys]),
            ("swa_full", 0),
            ("kv_unified", settings.get("unified_kv", True)),
        ):
            parameters.put(CONTEXT, name, int(value))
        return parameters


def _read(address: int) -> int:
    return int.from_bytes(ctypes.string_at(address, 8), "little")


def _values(node: int) -> Iterator[tuple[int, int, int]]:
    """Walks a std::map from kinds of buffers to (model, context, compute): left at 16, right at 24, sizes from 40."""
    if node:
        yield from _values(_read(node + 16))
        yield _read(node + 40), _read(node + 48), _read(node + 56)
        yield from _values(_read(node + 24))


if __name__ == "__main__":
    engine = Engine(sys.argv[1])
    for wanted in json.loads(sys.argv[2]):
        sys.stdout.write(json.dumps(engine.sizes(wanted)) + "\n")
        sys.stdout.flush()
