"""The programs whose stores are read, in the order in which they are shown."""

from modelshelf.adoption.reader import StoreReader
from modelshelf.adoption.readers.folders import FolderStore
from modelshelf.adoption.readers.gpt4all import Gpt4AllStore
from modelshelf.adoption.readers.hub import HubStore
from modelshelf.adoption.readers.jan import JanStore
from modelshelf.adoption.readers.llamacpp import LlamaCppStore
from modelshelf.adoption.readers.lmstudio import LmStudioStore
from modelshelf.adoption.readers.modelscope import ModelScopeStore
from modelshelf.adoption.readers.ollama import OllamaStore

READERS: tuple[StoreReader, ...] = (
    OllamaStore(),
    LmStudioStore(),
    LlamaCppStore(),
    HubStore(),
    JanStore(),
    Gpt4AllStore(),
    ModelScopeStore(),
    FolderStore(),
)
