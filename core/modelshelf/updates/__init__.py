"""Updates: newer commits beside the old ones, and the way back."""

from modelshelf.updates.service import UpdateService
from modelshelf.updates.types import Rollback, Update

__all__ = ["Rollback", "Update", "UpdateService"]
