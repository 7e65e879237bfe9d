"""Lock files and bundles: a machine that holds exactly what another one does, with a network or without."""

from modelshelf.sync.bundle import BundleService
from modelshelf.sync.lockfile import Lock, LockedFile, LockedModel
from modelshelf.sync.service import SyncService
from modelshelf.sync.types import Difference, SyncReport

__all__ = ["BundleService", "Difference", "Lock", "LockedFile", "LockedModel", "SyncReport", "SyncService"]
