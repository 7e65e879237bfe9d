"""Profiles as views see them."""

import param

from modelshelf.providers.profile_spec import Profile, ProfileState


class ProfilesState(param.Parameterized):
    """All profiles in their order, and how each was when it was looked at."""

    profiles = param.List(default=[], item_type=Profile, doc="the list is replaced, not changed")
    states = param.Dict(default={}, doc="how each is, a ProfileState by its name; missing until it was looked at")
    loaded = param.Boolean(default=False, doc="whether they have been read once")
    error = param.String(doc="why the profiles cannot be read, empty when they can")

    def state(self, name: str) -> ProfileState | None:
        """How a profile is, None before the first look."""
        found: ProfileState | None = self.states.get(name)
        return found
