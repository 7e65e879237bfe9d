"""The room that engines will take when they are given a copy by themselves: a download's plan counts it."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from modelshelf.catalog.files import is_whole, variants
from modelshelf.downloads.cache import RepoCache, blob_name
from modelshelf.downloads.types import Copy, DownloadPlan
from modelshelf.errors import ModelshelfError
from modelshelf.providers.boundary import contained
from modelshelf.providers.spec import ProviderConfig
from modelshelf.providers.taking import Goods, Taker, Taking
from modelshelf.registration.types import SETTING, Policy

if TYPE_CHECKING:
    from modelshelf.providers import ProviderRegistry


async def copies_of(plan: DownloadPlan, cache: Path, providers: "ProviderRegistry") -> Sequence[Copy]:
    """The places that will hold a planned model once more without anybody being asked again."""
    found = []
    # Without such a setting nothing is copied by itself: then nobody is asked.
    willing = [one for one in await providers.list() if one.enabled and one.settings.get(SETTING) == Policy.AUTOMATIC]
    goods = _planned(plan, cache) if willing else None
    for config in willing if goods else ():
        taking = await _taking(providers, config, goods) if goods else None
        if taking and taking.copies and Path(taking.place).is_absolute():
            found.append(Copy(config.name, Path(taking.place)))
    return found


async def _taking(providers: "ProviderRegistry", config: ProviderConfig, goods: Goods) -> Taking | None:
    try:
        adapter = await providers.get(config.id)
        if not isinstance(adapter, Taker):
            return None
        with contained(config):
            return await adapter.taking(goods)
    except ModelshelfError:
        return None


def _planned(plan: DownloadPlan, cache: Path) -> Goods | None:
    """A model that is still to come, where it will be."""
    files = {file.path: file for file in plan.files}
    for parts in variants(files):
        if is_whole(parts):
            repo = RepoCache(cache, plan.repo)
            places = tuple(repo.blob(blob_name(files[name]) or "coming") for name in parts)
            size = sum(files[name].size for name in parts)
            name = plan.repo.rpartition("/")[2]
            return Goods(plan.repo, plan.commit, repo.folder, places, "gguf", size, name, files[parts[0]].sha256)
    return None
