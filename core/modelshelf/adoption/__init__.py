"""What other programs keep on this machine: shown, adopted by links, and not kept twice."""

from modelshelf.adoption.service import AdoptionService
from modelshelf.adoption.types import Duplicate, Elsewhere, Given, Plan, Shared, Standing, Store, StoredModel

__all__ = ["AdoptionService", "Duplicate", "Elsewhere", "Given", "Plan", "Shared", "Standing", "Store", "StoredModel"]
