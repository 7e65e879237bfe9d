"""The page: the same views for a browser and for a notebook."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modelshelf_dashboard.page import Dashboard, create_page

__all__ = ["Dashboard", "create_page"]


def __getattr__(name: str) -> Any:
    """Panel takes a second to import; only who asks for a view waits for it."""
    if name in __all__:
        from modelshelf_dashboard import page

        return getattr(page, name)
    raise AttributeError(name)
