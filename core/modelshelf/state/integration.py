"""How everything plays together, as views see it."""

import param

from modelshelf.integration.conflict_types import Conflict, Mending
from modelshelf.integration.issues import Issue
from modelshelf.integration.status import IntegrationStatus


class IntegrationState(param.Parameterized):
    """One for a process; lists are replaced, not changed."""

    status = param.ClassSelector(default=None, class_=IntegrationStatus, allow_None=True, doc="None before the first")
    issues = param.List(default=[], item_type=Issue, doc="what is wrong, the worst first")
    conflicts = param.List(default=[], item_type=Conflict, doc="what is at odds, the worst first")
    mended = param.List(default=[], item_type=Mending, doc="what was resolved lately, the last first")
    loaded = param.Boolean(default=False, doc="whether it was looked at once")
