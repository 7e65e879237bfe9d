"""Refuses what would not fit, and shortens what would fit when shorter, before any memory is taken."""

from dataclasses import replace

from modelshelf.compat.fit import fit_file
from modelshelf.compat.judge import size
from modelshelf.compat.types import Settings
from modelshelf.errors import ModelDoesNotFit
from modelshelf.metadata import local
from modelshelf.providers.engine.process import EngineModel


def fitted(model: EngineModel) -> EngineModel:
    """The model with the settings that fit into the memory which is free now. Blocking.

    Raises:
        ModelDoesNotFit: no settings fit; its facts have `need` and `free` in bytes.
        FormatError: the file is not a readable model.
    """
    limit = local.read(model.file).context or model.context
    wanted = Settings(context=min(model.context, limit), slots=model.slots, kv=model.kv)
    answer = fit_file(model.file, wanted, keep_context=False)
    for reason in answer.reasons:
        if reason.code == "MEM_EXCEEDS":
            need, free = int(reason.figures["need"]), int(reason.figures["budget"])
            raise ModelDoesNotFit(
                f"{model.name} needs {size(need)} of memory, {size(free)} are free.", need=need, free=free
            )
    used = answer.settings or wanted
    return replace(model, context=used.context, kv=used.kv)
