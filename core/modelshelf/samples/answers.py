"""What the Hub's API says about repositories, in its own words."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from modelshelf.samples.repository import Commit, HubFile, HubRepo

SEARCH_FIELDS = ("id", "modelId", "likes", "private", "downloads", "tags", "pipeline_tag", "library_name", "createdAt")
DETAIL_FIELDS = (
    *("id", "modelId", "author", "sha", "lastModified", "createdAt", "private", "gated", "disabled", "downloads"),
    *("likes", "tags", "pipeline_tag", "library_name", "cardData", "config", "gguf", "safetensors", "siblings"),
    *("spaces", "usedStorage"),
)


def model(
    repo: HubRepo, commit: Commit, fields: Iterable[str], *, blobs: bool = False, security: bool = False
) -> dict[str, Any]:
    """A repository at a commit as JSON: the named fields, as far as there is something to say."""
    everything: dict[str, Any] = {
        "author": repo.id.partition("/")[0],
        "cardData": dict(repo.card) or None,
        "config": dict(repo.config) if repo.config else None,
        "createdAt": repo.created,
        "disabled": False,
        "downloads": repo.downloads,
        "downloadsAllTime": repo.downloads * 3,
        "gated": repo.gated,
        "gguf": dict(repo.gguf) if repo.gguf else None,
        "id": repo.id,
        "lastModified": commit.date,
        "library_name": repo.library,
        "likes": repo.likes,
        "modelId": repo.id,
        "pipeline_tag": repo.task,
        "private": repo.private,
        "safetensors": dict(repo.safetensors) if repo.safetensors else None,
        "sha": commit.id,
        "siblings": [_sibling(file, blobs=blobs) for file in commit.files.values()],
        "spaces": [],
        "tags": list(repo.tags),
        "trendingScore": repo.likes,
        "usedStorage": sum(file.size for file in commit.files.values()),
    }
    said: dict[str, Any] = {"_id": commit.id[:24], "id": repo.id}
    said |= {name: everything[name] for name in fields if everything.get(name) is not None}
    if security:
        said["securityRepoStatus"] = _security(commit.files)
    return said


def commits(made: Sequence[Commit]) -> list[dict[str, Any]]:
    """Commits as the Hub lists them, the newest first."""
    authors = [{"user": "samples", "avatar": ""}]
    told = [
        {
            "id": commit.id,
            "title": "Initial commit" if number == 0 else f"Change {_changed(made[number - 1], commit)}",
            "message": "",
            "authors": authors,
            "date": commit.date,
        }
        for number, commit in enumerate(made)
    ]
    return told[::-1]


def _changed(before: Commit, after: Commit) -> str:
    paths = before.files.keys() | after.files.keys()
    return ", ".join(sorted(path for path in paths if before.files.get(path) != after.files.get(path))[:3])


def tree(commit: Commit, folder: str, *, recursive: bool, expand: bool) -> list[dict[str, Any]] | None:
    """The entries below a folder ("" is the root), or None if there is no such folder."""
    prefix = folder.strip("/") + "/" if folder.strip("/") else ""
    below = [file for path, file in commit.files.items() if path.startswith(prefix)]
    if prefix and not below:
        return None
    entries: dict[str, dict[str, Any]] = {}
    for file in below:
        parts = file.path.removeprefix(prefix).split("/")
        for depth in range(1, len(parts) if recursive else min(len(parts), 2)):
            path = prefix + "/".join(parts[:depth])
            entries[path] = {"type": "directory", "oid": commit.id, "size": 0, "path": path}
        if recursive or len(parts) == 1:
            entries[file.path] = file_entry(file, commit, expand=expand)
    return [entries[path] for path in sorted(entries)]


def file_entry(file: HubFile, commit: Commit, *, expand: bool) -> dict[str, Any]:
    """A file in a listing; `expand` adds the last commit and the scanners' verdict."""
    entry: dict[str, Any] = {"type": "file", "oid": file.oid, "size": file.size, "path": file.path}
    if file.lfs:
        entry["lfs"] = {"oid": file.sha256, "size": file.size, "pointerSize": len(file.pointer)}
    if file.xet:
        entry["xetHash"] = file.xet
    if expand:
        entry["lastCommit"] = {"id": commit.id, "title": "Add the files", "date": commit.date}
        entry["securityFileStatus"] = _scans(file)
    return entry


def found(repos: Iterable[HubRepo], query: Mapping[str, list[str]]) -> list[HubRepo]:
    """The repositories that a search means, in the order it asks for."""
    words = " ".join(query.get("search", [])).lower().split()
    wanted = {tag for value in query.get("filter", []) for tag in value.split(",")} | set(query.get("pipeline_tag", []))
    authors, gated = query.get("author", []), (query.get("gated") or [""])[0].lower()
    hits = [
        repo
        for repo in repos
        if not repo.private
        and all(word in " ".join((repo.id, *repo.tags)).lower() for word in words)
        and wanted <= {*repo.tags, repo.task, repo.library}
        and (not authors or repo.id.partition("/")[0] in authors)
        and (not gated or bool(repo.gated) == (gated == "true"))
    ]
    ordered = sorted(hits, key=lambda repo: repo.id)
    ascending = query.get("direction", ["-1"])[0] == "1"
    return sorted(ordered, key=_measure((query.get("sort") or ["trendingScore"])[0]), reverse=not ascending)


def _measure(sort: str) -> Callable[[HubRepo], Any]:
    """What an order goes by; of equals the name decides."""
    if sort == "createdAt":
        return lambda repo: repo.created
    if sort == "lastModified":
        return lambda repo: repo.head.date
    return lambda repo: repo.downloads if sort == "downloads" else repo.likes


def _sibling(file: HubFile, *, blobs: bool) -> dict[str, Any]:
    if not blobs:
        return {"rfilename": file.path}
    entry: dict[str, Any] = {"rfilename": file.path, "size": file.size, "blobId": file.oid}
    if file.lfs:
        entry["lfs"] = {"sha256": file.sha256, "size": file.size, "pointerSize": len(file.pointer)}
    return entry


def _security(files: Mapping[str, HubFile]) -> dict[str, Any]:
    issues = [{"path": f.path, "level": f.security} for f in files.values() if f.security not in {"safe", "queued"}]
    return {"scansDone": all(f.security != "queued" for f in files.values()), "filesWithIssues": issues}


def _scans(file: HubFile) -> dict[str, Any]:
    scan = {"status": file.security}
    return {"status": file.security, "avScan": {"status": "safe"}, "pickleImportScan": scan}
