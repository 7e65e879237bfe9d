"""Split models: tensors of all parts, and every way in which the parts can contradict each other."""

from pathlib import Path

import pytest

from modelshelf.errors import FormatError, NotFound
from modelshelf.metadata import local
from tests.core.vetting import ggufs


def part(number: int, count: int, names: list[str], total: int | None = None, *, first: bool = False) -> bytes:
    keys: list[ggufs.Pair] = list(ggufs.KEYS) if first else [ggufs.KEYS[0]]
    keys += [("split.no", ggufs.U16, number), ("split.count", ggufs.U16, count)]
    if total is not None:
        keys.append(("split.tensors.count", ggufs.I32, total))
    return ggufs.build(keys, [(name, ggufs.F32_TENSOR, (32,)) for name in names])


def put(folder: Path, *parts: bytes) -> Path:
    for number, data in enumerate(parts, 1):
        (folder / f"m-{number:05}-of-{len(parts):05}.gguf").write_bytes(data)
    return folder / f"m-00001-of-{len(parts):05}.gguf"


def test_keys_come_from_the_first_part_and_tensors_from_all(tmp_path: Path) -> None:
    first = put(tmp_path, part(0, 3, [], 3, first=True), part(1, 3, ["a", "b"]), part(2, 3, ["c"]))
    facts = local.read(first)
    assert (facts.layers, facts.tier, facts.weights) == (2, 2, 3 * 128)
    assert [tensor.name for tensor in facts.tensors] == ["a", "b", "c"]
    assert facts.size == sum(file.stat().st_size for file in tmp_path.iterdir())
    assert local.read(tmp_path / "m-00002-of-00003.gguf") == facts
    assert local.read(tmp_path) == facts


def test_a_missing_part_is_named(tmp_path: Path) -> None:
    first = put(tmp_path, part(0, 2, ["a"], first=True), part(1, 2, ["b"]))
    (tmp_path / "m-00002-of-00002.gguf").unlink()
    with pytest.raises(NotFound, match=r"m-00002-of-00002\.gguf is missing"):
        local.read(first)


@pytest.mark.parametrize(
    ("parts", "field"),
    [
        ((part(0, 7, ["a"], first=True), part(1, 7, ["b"])), "split.count"),
        ((part(0, 65535, ["a"], first=True),), "split.count"),
        ((part(1, 2, ["a"], first=True), part(0, 2, ["b"])), "split.no"),
        ((part(0, 2, ["a"], first=True), part(0, 2, ["b"])), "split.no"),
        ((part(0, 2, ["a"], 9, first=True), part(1, 2, ["b"])), "split.tensors.count"),
        ((part(0, 2, ["a"], -1, first=True), part(1, 2, ["b"])), "split.tensors.count"),
    ],
)
def test_parts_that_contradict_are_refused(tmp_path: Path, parts: tuple[bytes, ...], field: str) -> None:
    with pytest.raises(FormatError, match=f"m-0000.*“{field}”") as caught:
        local.read(put(tmp_path, *parts))
    assert caught.value.facts["field"] == field


def test_a_part_under_another_name_is_refused_and_a_whole_model_is_not(tmp_path: Path) -> None:
    (tmp_path / "renamed.gguf").write_bytes(part(0, 2, ["a"], first=True))
    with pytest.raises(FormatError, match=r"“split\.count” says 2 parts, but there are 1"):
        local.read(tmp_path / "renamed.gguf")
    (tmp_path / "renamed.gguf").write_bytes(part(0, 1, ["a"], first=True))
    assert local.read(tmp_path / "renamed.gguf").weights == 128


def test_a_name_alone_makes_no_part(tmp_path: Path) -> None:
    plain, named = tmp_path / "model.gguf", tmp_path / "model-00001-of-00009.gguf"
    plain.write_bytes(ggufs.build())
    named.write_bytes(ggufs.build())
    assert local.read(named) == local.read(plain)


def test_a_file_that_was_cut_short_is_refused(tmp_path: Path) -> None:
    whole = ggufs.build()
    (tmp_path / "cut.gguf").write_bytes(whole[:-2000])
    with pytest.raises(FormatError, match=r"cut\.gguf is truncated"):
        local.read(tmp_path / "cut.gguf")
