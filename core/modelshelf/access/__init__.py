"""Who may do what, and what was done."""

from modelshelf.access.service import AccessService, acting_as, current, require
from modelshelf.access.types import OWNER, Principal, Role

__all__ = ["OWNER", "AccessService", "Principal", "Role", "acting_as", "current", "require"]
