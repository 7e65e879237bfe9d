"""Refuses what would not fit, and shortens what would fit when shorter, before any memory is taken."""

from collections.abc import Mapping
from dataclasses import replace

from modelshelf.compat.fit import fit_file
from modelshelf.compat.memory import estimate
from modelshelf.compat.types import Settings
from modelshelf.compat.words import size
from modelshelf.errors import ModelDoesNotFit
from modelshelf.metadata import local
from modelshelf.providers.engine.process import EngineModel


def fitted(model: EngineModel) -> EngineModel:
    """The model with the settings that fit into the memory which is free now. Blocking.

    Raises:
        ModelDoesNotFit: no settings fit; its facts have `need` and `free` in bytes.
        FormatError: the file is not a readable model.
    """
    wanted = _settings(model)
    answer = fit_file(model.file, wanted, keep_context=False)
    for reason in answer.reasons:
        if reason.code == "MEM_EXCEEDS":
            need, free = int(reason.figures["need"]), int(reason.figures["budget"])
            raise ModelDoesNotFit(
                f"{model.name} needs {size(need)} of memory, {size(free)} are free.", need=need, free=free
            )
    used = answer.settings or wanted
    if used.kv != wanted.kv and model.flash_attention is False:
        raise ModelDoesNotFit(
            f"{model.name} fits with a smaller cache only, which needs flash attention.",
            remedy="Leave flash attention on, or choose a shorter context.",
        )
    return replace(model, context=used.context, kv=used.kv)


def needed(model: EngineModel) -> Mapping[str, int]:
    """The bytes that it would take, by our own estimate: `weights`, `kv`, …, and `total`. Blocking.

    Raises:
        FormatError: the file is not a readable model.
    """
    return estimate(local.read(model.file), _settings(model)).memory.as_dict()


def _settings(model: EngineModel) -> Settings:
    limit = local.read(model.file).context or model.context
    return Settings(
        context=min(model.context, limit),
        kv=model.kv,
        slots=model.slots,
        ubatch=model.batch,
        flash_attention=model.flash_attention is not False,
        gpu_layers=None if model.gpu_layers in {None, -1} else model.gpu_layers,
    )
