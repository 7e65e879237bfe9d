"""What the vault tells of what it keeps."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal


@dataclass(frozen=True, slots=True)
class SecretInfo:
    """A saved secret as it may be shown. Of a short one neither its end nor its fingerprint is."""

    name: str
    last4: str
    fingerprint: str
    updated: datetime


@dataclass(frozen=True, slots=True)
class Rotation:
    """How a change of keys went: how many were sealed anew, and which could not, since they are damaged."""

    renewed: int
    damaged: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class VaultStatus:
    """How the vault is. State is empty (nothing was ever saved) | well | damaged (some secrets) | closed (all).

    `source` is environment | credential | key file | keychain | own file, and `place` says where exactly; `master` is
    the beginning of the master key's fingerprint; `rotated` is when the present data key was made.
    """

    state: Literal["empty", "well", "damaged", "closed"]
    source: str = ""
    place: str = ""
    master: str = ""
    secrets: int = 0
    damaged: tuple[str, ...] = ()
    rotated: datetime | None = None
    error: str = ""
    remedy: str = ""
