"""What servers that people run themselves share: abilities that hang on version and mode, and a folder of models."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

from modelshelf.errors import NoPermission, NotSignedIn
from modelshelf.network.addresses import is_loopback
from modelshelf.providers.adapter import HttpAdapter
from modelshelf.providers.links import Linked, found_below, home_path, link_model, projector_name, same_device, targets
from modelshelf.providers.spec import Ability, Progress, ProviderConfig, ProviderContext
from modelshelf.providers.taking import Goods, Taking, Way


class LocalServer(HttpAdapter):
    """An adapter that starts with all its kind can do and learns from the answers what this server cannot."""

    def __init__(self, config: ProviderConfig, context: ProviderContext) -> None:
        super().__init__(config, context)
        self._why: dict[Ability, str] = {}
        self.lack({})

    @property
    def missing(self) -> Mapping[Ability, str]:
        """For every ability it has not, a sentence why."""
        return {**super().missing, **self._why}

    def lack(self, why: Mapping[Ability, str]) -> None:
        """Take abilities away, for these reasons and no others from before; pages are told if that changes them."""
        before = self.abilities
        self._why = {**self.unlinkable(), **why}
        self.abilities = type(self).abilities - self._why.keys()
        if self.abilities != before:
            self.context.changed(self.config.id)

    def require(self, ability: Ability) -> None:
        """Refuse what this server cannot.

        Raises:
            Unsupported: with the reason.
        """
        if ability not in self.abilities:
            raise self._cannot(ability)

    def unlinkable(self) -> Mapping[Ability, str]:
        """Why no file can be linked into its folder, if it cannot."""
        if is_loopback(self.http.url.host or ""):
            return {}
        return {Ability.REGISTER_LINK: f"{self.name} runs on another machine, where no file of this one can be linked."}

    def folder(self, default: str = "") -> Path | None:
        """The folder of its models, as the setting `models_dir` tells."""
        told = self.config.settings.get("models_dir") or default
        return home_path(told, self.context.config.environ) if isinstance(told, str) and told.strip() else None

    async def link(self, file: Path, folder: Path, stem: str = "") -> Linked:
        """Link a model's files into a folder.

        Raises:
            NotFound, UsageError, FolderNotWritable.
        """
        return await asyncio.to_thread(link_model, file, folder, stem)

    async def linking(self, goods: Goods, root: Path | None, folder: Path, stem: str, name: str) -> Taking:
        """How a model would be linked into a folder below its root, or why not; where it lies there already, that."""
        if Ability.REGISTER_LINK not in self.abilities:
            return Taking(name, refused=self.missing[Ability.REGISTER_LINK])
        if goods.format != "gguf":
            return Taking(name, refused=f"{self.name} runs GGUF files, and this is {goods.format}.")
        return await asyncio.to_thread(self._linking, goods, root, folder, stem, name)

    def _linking(self, goods: Goods, root: Path | None, folder: Path, stem: str, name: str) -> Taking:
        if root is None or not root.is_dir():
            told = f"{root} is not there" if root else "No folder of its models is named"
            return Taking(name, refused=f"{told}.", remedy=f"Name the folder in the settings of {self.name}.")
        way = Way.HARD_LINK if same_device(goods.first, root) else Way.SYMLINK
        links = (
            *(target for _, target in targets(goods.first, folder, stem)),
            *(folder / projector_name(one) for one in goods.beside),
        )
        ours = found_below(root, goods.first)
        if ours is not None and ours not in links and not goods.given:
            return Taking(self.name_of(ours), way, place=str(ours), there=True)
        return Taking(name, way, place=str(folder), links=links)

    async def link_beside(self, goods: Goods, taking: Taking) -> None:
        """Link what goes with a model, before the model itself: whoever watches the folder takes that for the whole.

        Raises:
            NotFound, UsageError, FolderNotWritable.
        """
        for one in goods.beside if taking.links else ():
            await self.link(one, Path(taking.place), projector_name(one).removesuffix(one.suffix))

    def name_of(self, file: Path) -> str:
        """The name under which it lists a file of its folder."""
        return file.stem

    async def asks_for_no_key(self, path: str) -> bool:
        """Whether it answers a route without a key too.

        Raises:
            Unreachable, ProviderError.
        """
        try:
            await self.http.json("GET", path, signed=False)
        except (NotSignedIn, NoPermission):
            return False
        return True


def told_of(linked: Linked) -> Progress:
    """What became of a link, for the person who asked for it."""
    if not linked.symbolic:
        return Progress("linked", linked.size, linked.size)
    cost = f"{linked.size / 1e9:.1f} GB"
    return Progress(f"linked by name, since a copy on that disk would take {cost} more", linked.size, linked.size)
