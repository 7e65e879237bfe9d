"""Helps to find models: collections, kept searches, what is new, what goes together, what has moved on."""

from modelshelf.discovery.service import DiscoveryService
from modelshelf.discovery.types import Drift, Relatives, SavedSearch, Unseen

__all__ = ["DiscoveryService", "Drift", "Relatives", "SavedSearch", "Unseen"]
