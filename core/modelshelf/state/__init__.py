"""What views watch: Param objects that hold providers, models and downloads, one set per process."""

from modelshelf.state.catalog import CatalogState
from modelshelf.state.downloads import DownloadsState, DownloadState
from modelshelf.state.integration import IntegrationState
from modelshelf.state.keeper import StateKeeper
from modelshelf.state.models import ModelsState
from modelshelf.state.profiles import ProfilesState
from modelshelf.state.providers import ProvidersState, ProviderState

__all__ = [
    "CatalogState",
    "DownloadState",
    "DownloadsState",
    "IntegrationState",
    "ModelsState",
    "ProfilesState",
    "ProviderState",
    "ProvidersState",
    "StateKeeper",
]
