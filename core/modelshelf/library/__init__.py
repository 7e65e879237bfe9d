"""What is on disk."""

from modelshelf.library.served import ServedFile
from modelshelf.library.service import ModelLibrary
from modelshelf.library.types import InstalledFile, InstalledModel, Removal, VerifyResult

__all__ = ["InstalledFile", "InstalledModel", "ModelLibrary", "Removal", "ServedFile", "VerifyResult"]
