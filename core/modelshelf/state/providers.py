"""Providers as views see them."""

from datetime import UTC, datetime

import param

from modelshelf.providers.pulse import Pulse
from modelshelf.providers.spec import Health, HealthStatus, ServedModel

UNSEEN = Health(HealthStatus.UNKNOWN, datetime.fromtimestamp(0, UTC))


class ProviderState(param.Parameterized):
    """One provider with its health and its models."""

    id = param.String(constant=True, doc="the name before the slash")
    kind = param.String(constant=True, doc="which adapter")
    name = param.String(constant=False, doc="what people call it")
    label = param.String(doc="what the kind is called")
    url = param.String(doc="its address; empty for the built-in engine")
    enabled = param.Boolean(default=True, doc="whether it is used")
    abilities = param.ClassSelector(default=(), class_=tuple, doc="what it can do")
    missing = param.Dict(default={}, doc="for each ability it has not, a sentence why")
    load_options = param.ClassSelector(default=(), class_=tuple, doc="which load settings it heeds")
    keys = param.ClassSelector(default=(), class_=tuple, doc="its keys, as they may be shown")
    lacks_key = param.Boolean(default=False, doc="whether it needs a key and has none")
    pulse = param.ClassSelector(default=Pulse(), class_=Pulse, doc="how it did in the last hour")
    listed = param.Date(default=None, allow_None=True, doc="when its models were listed, in UTC; None before the first")
    health = param.ClassSelector(default=UNSEEN, class_=Health, doc="the last look")
    models = param.List(default=[], item_type=ServedModel, doc="what it offers")
    error = param.String(doc="why its models cannot be listed, empty when they can")


class ProvidersState(param.Parameterized):
    """All providers in their order."""

    providers = param.List(default=[], item_type=ProviderState, doc="the list is replaced, not changed")
    error = param.String(doc="why the providers cannot be read, empty when they can")

    @property
    def well(self) -> int:
        """How many enabled providers are well."""
        return sum(1 for item in self.providers if item.enabled and item.health.status is HealthStatus.WELL)

    def find(self, provider: str) -> ProviderState | None:
        """The provider of this id."""
        return next((item for item in self.providers if item.id == provider), None)
