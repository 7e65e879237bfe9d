"""The commits of a repository of a Hub, as it lists them."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from modelshelf.catalog.sources.api import HubApi
from modelshelf.catalog.sources.said import HEX40, listing, mapping, matching, moment, text
from modelshelf.catalog.types import Commit, History


async def history(api: HubApi, repo: str, revision: str, limit: int, *, public: bool) -> History:
    """The newest commits that lead to a revision. `public`: a person can open the Hub's own pages.

    Raises:
        RepositoryNotFound, RevisionNotFound, GatedRepository, NotSignedIn, Unreachable.
    """
    path = f"/api/models/{repo}/commits/{quote(revision, safe='')}"
    data, following = await api.json(path, [("limit", str(limit))], about=repo)
    found = [commit for item in listing(data) if (commit := _commit(item))]
    link = f"{api.endpoint}/{repo}/commits/{quote(revision, safe='')}" if public else ""
    return History(tuple(found[:limit]), following is not None or len(found) > limit, link)


def _commit(data: Any) -> Commit | None:
    fields = mapping(data)
    name = matching(HEX40, fields.get("id"))
    if name is None:
        return None
    return Commit(name, moment(fields.get("date")), text(fields.get("title")) or "", _authors(fields.get("authors")))


def _authors(data: Any) -> Sequence[str]:
    return tuple(name for item in listing(data)[:10] if (name := text(mapping(item).get("user"))))
