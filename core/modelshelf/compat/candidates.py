"""From what a source lists of a repository to the ways in which its model can be had."""

from dataclasses import dataclass, replace

from modelshelf.catalog.files import formats_of, is_weights, is_whole, quantisation_of, variants
from modelshelf.catalog.types import RepoCard, RepoDetail
from modelshelf.metadata.facts import ModelFacts
from modelshelf.metadata.listed import of_card
from modelshelf.providers.spec import ServedModel


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way to have a repository: the files to fetch, their bytes and what their names say."""

    files: tuple[str, ...]
    size: int
    format: str
    quantisation: str | None


def candidates(detail: RepoDetail) -> tuple[Candidate, ...]:
    """Every whole GGUF model of a commit, one for each quantisation; then what its files of other formats make up."""
    sizes = {file.path: file.size for file in detail.files}
    found: dict[str, Candidate] = {}
    for parts in variants(sizes):
        if is_whole(parts):
            name = quantisation_of(parts[0])
            found.setdefault(name or parts[0], Candidate(parts, sum(sizes[p] for p in parts), "gguf", name))
    others = [kind for kind in formats_of(sizes) if kind != "gguf"]
    # Of the formats that hold whole numbers the first: the same weights in an older format are for no engine of ours.
    for kind in others[:1]:
        paths = tuple(sorted(path for path in sizes if is_weights(path, kind)))
        if paths:
            found[kind] = Candidate(paths, sum(sizes[path] for path in paths), kind, None)
    return tuple(found.values())


def of_candidate(candidate: Candidate, known: ModelFacts | None, card: RepoCard) -> ModelFacts:
    """A file of a repository by the facts of another one of it, which differs only in how its weights are kept.

    The one that is known may be of another format: then its quantisation says nothing.
    """
    base = known or of_card(card) or ModelFacts(candidate.format, candidate.size, tier=1)
    alike = base.quantisation if base.format == candidate.format else None
    return replace(
        base,
        format=candidate.format,
        size=candidate.size,
        weights=candidate.size,
        quantisation=candidate.quantisation or alike,
        tensors=(),
        tier=1,
    )


def of_served(served: ServedModel) -> ModelFacts | None:
    """What a provider tells of a model that it runs on this machine; None without a size."""
    if served.size is None:
        return None
    return ModelFacts(
        format="gguf",
        size=served.size,
        architecture=served.architecture,
        context=served.context,
        quantisation=served.quantisation,
        chat_template="",
        weights=served.size,
        tier=1,
        origins={"size": served.provider},
    )
