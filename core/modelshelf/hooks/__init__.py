"""What others may say to what happens here: hooks that are asked and told, and webhooks that are sent a message.

The service of a home is `modelshelf.hooks.service.HookService`, `shelf.hooks`.
"""

from modelshelf.hooks.calling import Hooks
from modelshelf.hooks.spec import ASKED, POINTS, TOLD, Hook, Veto

__all__ = ["ASKED", "POINTS", "TOLD", "Hook", "Hooks", "Veto"]
