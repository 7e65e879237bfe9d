"""What can be had: sources, search, details."""

from modelshelf.catalog.service import CatalogService
from modelshelf.catalog.source import Source, SourceFactory
from modelshelf.catalog.types import Location, RepoCard, RepoDetail, RepoFile, SearchAnswer, SourceReport

__all__ = [
    "CatalogService",
    "Location",
    "RepoCard",
    "RepoDetail",
    "RepoFile",
    "SearchAnswer",
    "Source",
    "SourceFactory",
    "SourceReport",
]
