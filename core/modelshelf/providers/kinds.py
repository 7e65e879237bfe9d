"""What can be added: kinds of providers by entry point, and cloud services by their names."""

import logging
from collections.abc import Mapping
from functools import cached_property
from importlib.metadata import entry_points

from modelshelf.errors import UsageError
from modelshelf.providers.cloud_catalogue import CloudCatalogue
from modelshelf.providers.spec import ProviderFactory

log = logging.getLogger(__name__)

GROUP = "modelshelf.providers"


class Kinds:
    """Every kind; an entry point that cannot be loaded is left out and logged."""

    def __init__(self, cloud: CloudCatalogue) -> None:
        self.cloud = cloud

    @cached_property
    def plugged(self) -> Mapping[str, ProviderFactory]:
        """The kinds that enter by an entry point, ours too, by its name."""
        found: dict[str, ProviderFactory] = {}
        for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
            try:
                found[entry.name] = entry.load()
            except (ImportError, AttributeError) as error:
                log.warning("the provider kind %s cannot be loaded: %s", entry.name, error)
        return found

    def find(self, kind: str) -> ProviderFactory | None:
        """The adapters of a kind; None if nothing here speaks to it."""
        return self.plugged.get(kind) or self.cloud.factory(kind)

    def get(self, kind: str) -> ProviderFactory:
        """The adapters of a kind.

        Raises:
            UsageError: there is no such kind.
        """
        if found := self.find(kind):
            return found
        raise UsageError(
            f"There is no kind of provider “{kind}”.",
            remedy=f"Known: {', '.join(self.plugged)}, and cloud services by name: see `modelshelf providers kinds`.",
        )
