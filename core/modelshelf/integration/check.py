"""One thing that the doctor looked at."""

from dataclasses import asdict, dataclass

WELL, NOTE, WRONG = "well", "note", "wrong"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at: status is well | note | wrong."""

    name: str
    status: str
    detail: str
    remedy: str = ""

    def as_dict(self) -> dict[str, str]:
        """As JSON."""
        return asdict(self)
