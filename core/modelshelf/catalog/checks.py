"""What a query may ask beside what a card says: `is:…` by name, `provider:…` by whoever knows the providers."""

from collections import UserDict
from collections.abc import Callable

from modelshelf.catalog.query import Check


class Checks(UserDict[str, Check]):
    """By the words after `is:`, and by `provider:NAME`, which `provider` answers; None for one that is not here."""

    def __init__(self) -> None:
        self.provider: Callable[[str], Check | None] = lambda _name: None
        super().__init__()

    def __contains__(self, key: object) -> bool:
        return key in self.data or self._of(str(key)) is not None

    def __missing__(self, key: str) -> Check:
        found = self._of(key)
        if found is None:
            raise KeyError(key)
        return found

    def _of(self, key: str) -> Check | None:
        kind, colon, name = key.partition(":")
        return self.provider(name) if colon and kind == "provider" else None
