"""Models that are on this machine already: found, verified, vetted, and linked into the library."""

from modelshelf.imports.service import ImportService
from modelshelf.imports.types import Imported, ImportedFile

__all__ = ["ImportService", "Imported", "ImportedFile"]
