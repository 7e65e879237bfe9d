"""Makes the files of the sample repositories, the same byte for byte on every machine."""

from collections.abc import Mapping
from pathlib import Path

from modelshelf.samples.bigram import bigrams
from modelshelf.samples.cards import GATED, PICKLE, QUANTS, SHELF, TINY, TWIN, Described
from modelshelf.samples.gguf_model import write_gguf
from modelshelf.samples.network import Network, network
from modelshelf.samples.pickles import suspicious
from modelshelf.samples.quantise import BY_NAME
from modelshelf.samples.template import chat_template
from modelshelf.samples.twin import config, twin
from modelshelf.samples.vocabulary import Vocabulary, vocabulary

QUANTISATIONS: Mapping[str, tuple[str, ...]] = {
    TINY.repo: ("Q8_0",),
    QUANTS.repo: ("F16", "Q8_0", "Q4_0"),
    GATED.repo: ("Q8_0",),
}


def parts() -> tuple[Network, Vocabulary, str]:
    """The weights, the vocabulary and the chat template of the model."""
    table = bigrams()
    words = vocabulary(table)
    return network(table, words), words, chat_template()


def write_repositories(folder: Path) -> dict[str, tuple[str, ...]]:
    """Write every repository below the folder as `org/name/file`; returns their files.

    Raises:
        OSError: the folder cannot be written.
    """
    weights, words, template = parts()
    small: dict[str, dict[str, bytes]] = {described.repo: _common(described) for described in SHELF}
    small[TWIN.repo] |= twin(weights, words, template)
    small[PICKLE.repo] |= {**suspicious(), "config.json": twin_config(words)}
    for repo, files in small.items():
        for name, data in files.items():
            (folder / repo).mkdir(parents=True, exist_ok=True)
            (folder / repo / name).write_bytes(data)
    for described in (TINY, QUANTS, GATED):
        for kind in QUANTISATIONS[described.repo]:
            path = folder / described.repo / file_name(described, kind)
            write_gguf(path, weights, words, template, BY_NAME[kind], name=described.title)
            small[described.repo][path.name] = b""
    return {repo: tuple(sorted(files)) for repo, files in small.items()}


def file_name(described: Described, quantisation: str) -> str:
    """The name of a GGUF file, as is usual on the Hub."""
    return f"{described.stem}.{quantisation}.gguf"


def twin_config(words: Vocabulary) -> bytes:
    """The config.json of the checkpoint."""
    import json

    return (json.dumps(config(words), indent=2) + "\n").encode()


def _common(described: Described) -> dict[str, bytes]:
    return {".gitattributes": ATTRIBUTES.encode(), "README.md": described.readme.encode()}


ATTRIBUTES = "".join(
    f"*.{suffix} filter=lfs diff=lfs merge=lfs -text\n" for suffix in ("bin", "gguf", "pkl", "safetensors")
)
