"""The built-in engine: llama.cpp in children of ours, one a model, behind an OpenAI-compatible API on loopback."""

from modelshelf.providers.engine.engine import Engine
from modelshelf.providers.engine.process import EngineModel, EngineProcess, installed_version

__all__ = ["Engine", "EngineModel", "EngineProcess", "installed_version"]
