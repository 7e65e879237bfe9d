"""Files of a job that failed: the others go on, and a retry may name them."""

from collections.abc import Mapping, Sequence

from modelshelf.downloads.landing import Arrival
from modelshelf.downloads.types import DownloadPlan
from modelshelf.errors import AccessError, ChecksumMismatch, DownloadError, ModelshelfError, NotFound

MOST = 20  # so many failed files say that it is not the files: the job ends


class Failures:
    """What failed in a job, by the file's path. `held` are files that failed before and are not tried this time."""

    def __init__(self, repo: str, held: Mapping[str, Mapping[str, str]]) -> None:
        self._repo = repo
        self._held = dict(held)
        self._errors: dict[str, ModelshelfError] = {}

    def holds(self, path: str) -> bool:
        """Whether a file is not to be tried."""
        return path in self._held

    def take(self, paths: Sequence[str], error: ModelshelfError) -> bool:
        """Keep the failure of files; False if it is none of theirs alone but of the disk or the network."""
        alone = isinstance(error, NotFound | AccessError | ChecksumMismatch) or error.facts.get("strike")
        if not alone or len(self._errors) >= MOST:
            return False
        self._errors |= dict.fromkeys(paths, error)
        return True

    def check(self) -> None:
        """Raise the first failure if there is any; its facts name every file that failed."""
        if not self._errors and not self._held:
            return
        first = next(iter(self._errors.values()), None) or _again(self._held)
        files = [_told(path, error.message, error.remedy, error.code) for path, error in self._errors.items()]
        first.facts["failed"] = sorted([*files, *map(dict, self._held.values())], key=lambda item: item["path"])
        if (count := len(first.facts["failed"])) > 1:
            first.message = f"{count} files of {self._repo} could not be fetched: {first.message}"
            first.remedy = f"{first.remedy} The other files are kept; a retry fetches only what is missing."
        raise first


def check_pins(plan: DownloadPlan, arrivals: Sequence[Arrival]) -> None:
    """Compare what arrived with the lock file that asked for it.

    Raises:
        ChecksumMismatch: a file is another than the lock file names; nothing was published.
    """
    pins = {file.path: file.pinned for file in plan.files if file.pinned}
    for arrival in arrivals:
        expected = pins.get(arrival.path)
        if expected and expected != arrival.sha256:
            raise ChecksumMismatch(
                f"{arrival.path} of {plan.repo} is not the file that the lock file names.",
                remedy="Ask who wrote the lock file: the source publishes other bytes under this commit.",
                expected=expected,
                found=arrival.sha256,
            )


def _told(path: str, message: str, remedy: str, code: str) -> dict[str, str]:
    return {"path": path, "error": message, "remedy": remedy, "code": code}


def _again(held: Mapping[str, Mapping[str, str]]) -> ModelshelfError:
    item = next(iter(held.values()))
    return DownloadError(str(item.get("error", "")), remedy=str(item.get("remedy", "")))
