"""Which files of a folder are the model, where it holds several and other things."""

import re
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

_ONNX = ("model.onnx", "decoder_model_merged.onnx", "decoder_model.onnx")
SHARD = re.compile(r"-(\d{5})-of-(\d{5})(\.\w+)?$")


def weights(names: Iterable[str]) -> tuple[str, ...]:
    """Of the safetensors files of one folder those of the model: `model*`, else all; never the same weights twice."""
    found = sorted(names)
    chosen = [name for name in found if PurePosixPath(name).name.startswith("model")] or [
        name for name in found if not PurePosixPath(name).name.startswith("consolidated")
    ]
    shards = [name for name in chosen if SHARD.search(name)]
    # A model that was saved whole and in parts is one model.
    return tuple(chosen if not shards or len(shards) == len(chosen) else shards) or tuple(found)


def graph(names: Sequence[str]) -> str:
    """Of the ONNX files of one folder the one that most people want: not one of its many quantisations."""
    plain = {PurePosixPath(name).name: name for name in names}
    return next((plain[name] for name in _ONNX if name in plain), min(names))
