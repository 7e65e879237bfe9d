"""From an ONNX file, and the configuration beside it, to what the model is."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from math import prod
from typing import Any

from modelshelf.metadata import transformers_facts
from modelshelf.metadata.beside import Beside
from modelshelf.metadata.facts import ModelFacts
from modelshelf.metadata.onnx import OnnxModel
from modelshelf.metadata.origins import with_origins

_WHOLE = frozenset({"MatMulInteger", "QLinearMatMul", "QLinearConv", "ConvInteger", "DynamicQuantizeLinear"})


def facts(model: OnnxModel, beside: Beside, *, size: int) -> ModelFacts:
    """What they say; `size` is that of the file and of the data files that it names."""
    known = transformers_facts.facts(beside.config, size=size, weights=size, beside=replace(beside, adapter=None))
    exact = model.complete
    weights = sum(tensor.size for tensor in model.tensors)
    found = replace(
        known,
        format="onnx",
        name=known.name or model.graph or None,
        parameters=model.parameters if exact else None,
        active=None,
        quantisation=_quantisation(model) or known.quantisation,
        weights=weights if exact else size,
        tensors=tuple(model.tensors) if exact else (),
        keys={**known.keys, **_keys(model)},
        tier=2 if exact else 1,
    )
    told = {"weights": "tensors" if exact else "file sizes", "parameters": "tensors", "quantisation": "graph"}
    return with_origins(found, {"name": "graph", **known.origins, **told, "role": "graph"})


def _keys(model: OnnxModel) -> Mapping[str, Any]:
    opset = model.opsets.get("", model.opsets.get("ai.onnx"))
    found: dict[str, Any] = {"onnx.ir_version": model.ir_version}
    if model.producer:
        found["onnx.producer"] = model.producer
    if opset is not None:
        found["onnx.opset"] = opset
    if others := tuple(sorted(name for name in model.opsets if name not in {"", "ai.onnx"})):
        found["onnx.domains"] = others
    return found


def _quantisation(model: OnnxModel) -> str | None:
    """What most weights are kept in; whole numbers where the operators compute with them."""
    if model.packed_bits:
        return f"INT{model.packed_bits}"
    if not _WHOLE.isdisjoint(model.operators):
        return "INT8"
    values: Counter[str] = Counter()
    for tensor in model.tensors:
        if len(tensor.shape) > 1:
            values[tensor.type] += prod(tensor.shape)
    most = values.most_common(1)[0][0] if values else None
    return {"U8": "INT8", "I8": "INT8", "U4": "INT4", "I4": "INT4"}.get(most or "", most)
