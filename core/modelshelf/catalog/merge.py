"""One list from the answers of several sources."""

from collections.abc import Mapping, Sequence

from modelshelf.catalog.types import RepoCard

ENSURED = 5


def merge(answers: Mapping[str, Sequence[RepoCard]], text: str, limit: int) -> tuple[RepoCard, ...]:
    """At most `limit` rows, those of exactly this name first, then by downloads.

    Each source keeps its best few, so that a large one does not push a small one out of sight.
    """
    wanted = text.lower().strip()

    def order(card: RepoCard) -> tuple[bool, int, str, str]:
        return not is_exact(card, wanted), -(card.downloads or 0), card.repo.lower(), card.source

    ranked = {source: sorted(cards, key=order) for source, cards in answers.items() if cards}
    share = min(ENSURED, limit // len(ranked)) if ranked else 0
    ensured = [card for cards in ranked.values() for card in cards[:share]]
    others = sorted((card for cards in ranked.values() for card in cards[share:]), key=order)
    return tuple(sorted([*ensured, *others[: limit - len(ensured)]], key=order))


def is_exact(card: RepoCard, wanted: str) -> bool:
    """Whether these words, in lower case, are the repository's name, with or without its publisher or `-gguf`."""
    repo = card.repo.lower()
    name = repo.rpartition("/")[2]
    return bool(wanted) and wanted in (repo, name, name.removesuffix("-gguf"))
