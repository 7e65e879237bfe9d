"""Who may do what, and what was done."""

from modelshelf.access.service import AccessService, acting_as, current, look_up_by, require
from modelshelf.access.types import NOBODY, OWNER, Principal, Role

__all__ = ["NOBODY", "OWNER", "AccessService", "Principal", "Role", "acting_as", "current", "look_up_by", "require"]
