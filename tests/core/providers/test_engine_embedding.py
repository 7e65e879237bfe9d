"""The built-in engine makes vectors of texts, with a model that was made for it."""

import struct
from pathlib import Path

import pytest

from modelshelf.config import ConfigManager
from modelshelf.errors import ProviderError, Unsupported
from modelshelf.providers.adapters.builtin import BuiltinProvider
from tests.core.providers.conftest import ask, collect, install


@pytest.fixture
def embedder(config: ConfigManager, gguf: Path, tmp_path: Path) -> str:
    """The sample model with a header that tells how the vectors of a text become one."""
    # Both keys together take 64 bytes, so that what follows stays aligned.
    pooling = _text(b"llama.pooling_type") + struct.pack("<II", 4, 1)
    filler = _text(b"x.pad") + struct.pack("<I", 8) + _text(b"12345")
    data = gguf.read_bytes()
    magic, version, tensors, keys = struct.unpack_from("<4sIQQ", data)
    file = tmp_path / "tiny-embed.Q8_0.gguf"
    file.write_bytes(struct.pack("<4sIQQ", magic, version, tensors, keys + 2) + pooling + filler + data[24:])
    install(config.paths.cache, "samples/tiny-embed-GGUF", file)
    return "tiny-embed"


def _text(data: bytes) -> bytes:
    return struct.pack("<Q", len(data)) + data


async def test_a_model_made_for_it_embeds(builtin: BuiltinProvider, embedder: str) -> None:
    assert {model.name: model.abilities for model in await builtin.models()} == {
        "tiny-llama": ("chat",), embedder: ("embed",),
    }  # fmt: skip
    found = await builtin.embed(embedder, ["Once upon a time", "a small dog", "Once upon a time"])
    assert len({len(vector) for vector in found.vectors}) == 1
    assert found.vectors[0] == found.vectors[2] != found.vectors[1]
    assert any(found.vectors[1])
    assert found.usage["total_tokens"] > 0


async def test_a_text_beyond_what_the_embedder_takes_in_is_told(builtin: BuiltinProvider, embedder: str) -> None:
    await builtin.embed(embedder, ["once upon a time " * 300])
    with pytest.raises(ProviderError, match="longer than tiny-embed can take in"):
        await builtin.embed(embedder, ["once upon a time " * 3000])


async def test_a_chat_model_does_not_embed_and_the_other_way_round(builtin: BuiltinProvider, embedder: str) -> None:
    with pytest.raises(Unsupported, match="tiny-llama was made to chat"):
        await builtin.embed("tiny-llama", ["one"])
    with pytest.raises(Unsupported, match="tiny-embed makes embeddings and does not chat"):
        await collect(builtin.chat(embedder, ask("hello")))
