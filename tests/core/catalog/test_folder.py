from pathlib import Path

import pytest

from modelshelf.catalog.sources.folder import FolderSource
from modelshelf.config import ConfigManager, SourceConfig
from modelshelf.errors import FileNotInRepository, RepositoryNotFound, RevisionNotFound, Unreachable


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "models"
    (root / "org" / "llama-GGUF" / "sub").mkdir(parents=True)
    (root / "org" / "llama-GGUF" / "llama-Q4_K_M.gguf").write_bytes(b"x" * 7)
    (root / "org" / "llama-GGUF" / "sub" / "llama-Q8_0.gguf").write_bytes(b"x" * 9)
    (root / "org" / "llama-GGUF" / "README.md").write_text("hello")
    (root / "org" / "notes").mkdir()
    (root / "org" / "notes" / "todo.txt").write_text("no model")
    (root / "My  model (v2).Q8_0.gguf").write_bytes(b"y" * 3)
    return root


@pytest.fixture
def disk(folder: Path, config: ConfigManager) -> FolderSource:
    return FolderSource(SourceConfig(name="disk", kind="folder", path=str(folder)), config)


async def test_models_are_found(disk: FolderSource, folder: Path) -> None:
    loose, llama = await disk.search("")
    assert (loose.repo, loose.size, loose.formats) == ("local/My-model-v2.Q8_0", 3, ("gguf",))
    assert (llama.repo, llama.quantisations, llama.size) == ("org/llama-GGUF", ("Q4_K_M", "Q8_0"), 7)
    assert [card.repo for card in await disk.search("ORG llama")] == ["org/llama-GGUF"]
    detail = await disk.detail("org/llama-GGUF")
    assert [file.path for file in detail.files] == ["README.md", "llama-Q4_K_M.gguf", "sub/llama-Q8_0.gguf"]
    assert detail.readme == "hello"
    location = await disk.locate("org/llama-GGUF", detail.commit, "sub/llama-Q8_0.gguf")
    assert location.path == folder.resolve() / "org" / "llama-GGUF" / "sub" / "llama-Q8_0.gguf"


async def test_a_changed_file_makes_another_commit(disk: FolderSource, folder: Path) -> None:
    before = await disk.detail("org/llama-GGUF")
    (folder / "org" / "llama-GGUF" / "llama-Q4_K_M.gguf").write_bytes(b"other")
    assert (await disk.detail("org/llama-GGUF")).commit != before.commit
    with pytest.raises(RevisionNotFound, match="has changed"):
        await disk.detail("org/llama-GGUF", before.commit)


async def test_links_that_lead_out_are_not_followed(disk: FolderSource, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.gguf").write_bytes(b"secret")
    (folder / "secret.gguf").symlink_to(tmp_path / "secret.gguf")
    (folder / "loop.gguf").symlink_to("loop.gguf")
    (folder / "up").symlink_to(tmp_path)
    inside = folder / "org" / "llama-GGUF" / "again-Q4_K_M.gguf"
    inside.symlink_to(folder / "org" / "llama-GGUF" / "llama-Q4_K_M.gguf")
    assert [card.repo for card in await disk.search("")] == ["local/My-model-v2.Q8_0", "org/llama-GGUF"]
    assert len((await disk.detail("org/llama-GGUF")).files) == 4


async def test_what_is_not_there_is_said(disk: FolderSource, config: ConfigManager, tmp_path: Path) -> None:
    with pytest.raises(RepositoryNotFound, match="org/none"):
        await disk.detail("org/none")
    with pytest.raises(FileNotInRepository, match="etc/passwd"):
        await disk.locate("org/llama-GGUF", "main", "../../etc/passwd")
    gone = FolderSource(SourceConfig(name="disk", kind="folder", path=str(tmp_path / "gone")), config)
    with pytest.raises(Unreachable, match="does not exist") as caught:
        await gone.search("")
    assert "disk" in caught.value.remedy
