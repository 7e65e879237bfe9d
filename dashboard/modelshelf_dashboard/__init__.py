"""The page: the same views for a browser and for a notebook."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modelshelf_dashboard.download_cells import DownloadNews, Downloads
    from modelshelf_dashboard.fit_cells import CompatibilityMap, WhatIfPanel
    from modelshelf_dashboard.page import Dashboard, create_page
    from modelshelf_dashboard.settings.dialog import SettingsDialog

__all__ = [
    "CompatibilityMap",
    "Dashboard",
    "DownloadNews",
    "Downloads",
    "SettingsDialog",
    "WhatIfPanel",
    "create_page",
]

_WHERE = {
    "CompatibilityMap": "fit_cells",
    "Dashboard": "page",
    "DownloadNews": "download_cells",
    "Downloads": "download_cells",
    "SettingsDialog": "settings.dialog",
    "WhatIfPanel": "fit_cells",
    "create_page": "page",
}


def __getattr__(name: str) -> Any:
    """Panel takes a second to import; only who asks for a view waits for it."""
    if name in _WHERE:
        return getattr(import_module(f"modelshelf_dashboard.{_WHERE[name]}"), name)
    raise AttributeError(name)
