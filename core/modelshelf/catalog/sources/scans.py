"""What a Hub's own scanners say of the files of a commit."""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from modelshelf.catalog.sources.api import HubApi, Params
from modelshelf.catalog.types import FileScan, SecurityStatus

PAGES = 50
_STATUS = "securityFileStatus"


async def security(api: HubApi, repo: str, commit: str) -> SecurityStatus | None:
    """The verdicts of a Hub; None if it does not give any.

    Raises:
        RepositoryNotFound, RevisionNotFound, GatedRepository, NotSignedIn, Unreachable.
    """
    revision = quote(commit, safe="")
    data, _ = await api.json(f"/api/models/{repo}/revision/{revision}", [("securityStatus", "true")], about=repo)
    whole = data.get("securityRepoStatus") if isinstance(data, dict) else None
    files: dict[str, FileScan] = {scan.path: scan for scan in _issues(whole)} if isinstance(whole, dict) else {}
    page: str | None = f"/api/models/{repo}/tree/{revision}"
    params: Params = [("recursive", "true"), ("expand", "true")]
    for _ in range(PAGES):
        if page is None:
            break
        entries, page = await api.json(page, params, about=repo)
        params = ()
        files |= {scan.path: scan for scan in _told(entries)}
    if not isinstance(whole, dict) and not files:
        return None
    done = bool(whole.get("scansDone")) if isinstance(whole, dict) else False
    return SecurityStatus(done, tuple(files[path] for path in sorted(files)))


def _issues(whole: Mapping[str, Any]) -> Iterator[FileScan]:
    issues = whole.get("filesWithIssues")
    for item in issues if isinstance(issues, list) else ():
        if isinstance(item, dict) and isinstance(item.get("path"), str):
            yield FileScan(item["path"], str(item.get("level", "")))


def _told(entries: Any) -> Iterator[FileScan]:
    for entry in entries if isinstance(entries, list) else ():
        said = entry.get(_STATUS) if isinstance(entry, dict) else None
        if isinstance(said, dict) and isinstance(entry.get("path"), str):
            scanners = {name: str(scan.get("status", "")) for name, scan in said.items() if isinstance(scan, dict)}
            yield FileScan(entry["path"], str(said.get("status", "")), scanners)
