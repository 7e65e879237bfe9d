"""The repositories that the sample hub brings along."""

from pathlib import Path

from modelshelf.samples.repository import HubRepo


def repositories(folder: Path) -> tuple[HubRepo, ...]:
    """The sample repositories, their files made in the folder if they are not there."""
    return ()
