from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelshelf.config import ConfigManager, hub_cache
from modelshelf.errors import ConfigError


def manager(home: Path, **environ: str) -> ConfigManager:
    return ConfigManager(home, {"HOME": str(home), **environ})


def test_defaults_then_file_then_environment(home: Path) -> None:
    assert manager(home).config.downloads.concurrent_jobs == 3
    manager(home).set("downloads.concurrent_jobs", 5)
    assert manager(home).config.downloads.concurrent_jobs == 5
    assert manager(home, MODELSHELF_DOWNLOADS__CONCURRENT_JOBS="7").config.downloads.concurrent_jobs == 7


def test_a_wrong_value_names_key_value_and_what_is_allowed_and_changes_nothing(home: Path) -> None:
    settings = manager(home)
    settings.set("downloads.concurrent_jobs", 5)
    before = settings.file.read_bytes()
    with pytest.raises(ConfigError) as caught:
        settings.set("downloads.concurrent_jobs", 99)
    assert "downloads.concurrent_jobs" in str(caught.value)
    assert "99" in str(caught.value)
    assert "16" in str(caught.value)
    assert settings.file.read_bytes() == before
    assert settings.config.downloads.concurrent_jobs == 5


@pytest.mark.parametrize("key", ["downloads.speed", "nonsense", "nonsense.key", "downloads", ""])
def test_unknown_settings_are_refused_with_the_known_ones(home: Path, key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        manager(home).set(key, 1)
    assert "downloads.concurrent_jobs" in caught.value.remedy


def test_unknown_variables_are_refused(home: Path) -> None:
    with pytest.raises(ConfigError, match="MODELSHELF_DOWNLOADS__SPEED"):
        manager(home, MODELSHELF_DOWNLOADS__SPEED="1")


@pytest.mark.parametrize("content", [b"[downloads\n", b"\xff\xfe\x00", b"downloads = 3\n", b"[downloads]\nspeed = 1\n"])
def test_a_corrupt_file_is_one_sentence_and_left_alone(home: Path, content: bytes) -> None:
    home.mkdir()
    (home / "config.toml").write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        manager(home)
    assert caught.value.remedy
    assert "Traceback" not in str(caught.value)
    assert (home / "config.toml").read_bytes() == content


def test_export_and_import_carry_everything_that_differs(home: Path, tmp_path: Path) -> None:
    settings = manager(home)
    settings.set("engine.context", 8192)
    settings.set("sources", [{"name": "lab", "kind": "huggingface", "url": "https://lab.example"}])
    other = manager(tmp_path / "other")
    other.import_(settings.export())
    assert other.config == settings.config
    with pytest.raises(ConfigError):
        other.import_("[engine]\ncontext = -1\n")
    assert other.config == settings.config


def test_a_home_that_cannot_be_written_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(ConfigError, match="cannot be written"):
        manager(tmp_path / "file" / "home").set("engine.context", 8192)


@given(st.integers(min_value=1, max_value=16))
def test_every_allowed_value_comes_back(value: int) -> None:
    settings = ConfigManager(Path("/nonexistent"), {"MODELSHELF_DOWNLOADS__CONNECTIONS_PER_FILE": str(value)})
    assert settings.get("downloads.connections_per_file") == value


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"HF_HUB_CACHE": "/a/hub"}, "/a/hub"),
        ({"HF_HOME": "/a"}, "/a/hub"),
        ({"XDG_CACHE_HOME": "/c"}, "/c/huggingface/hub"),
        ({"HF_HUB_CACHE": "/a/hub", "HF_HOME": "/b"}, "/a/hub"),
    ],
)
def test_the_cache_is_where_huggingface_hub_has_it(environ: dict[str, str], expected: str) -> None:
    assert hub_cache(environ) == Path(expected)


def test_parts_lie_on_the_file_system_of_the_cache(home: Path, tmp_path: Path) -> None:
    paths = manager(home, HF_HUB_CACHE=str(tmp_path / "hub")).paths
    assert paths.parts.is_relative_to(home)
    assert paths.quarantine.is_relative_to(home)


def test_what_the_owner_wrote_around_a_setting_stays(home: Path) -> None:
    home.mkdir(parents=True, exist_ok=True)
    (home / "config.toml").write_text("# mine\n[server]\nport = 5010 # because\n", "utf-8")
    settings = manager(home)
    settings.set("server.host", "127.0.0.2")
    settings.set("ui.theme", "dark")
    text = settings.file.read_text("utf-8")
    assert "# mine" in text
    assert "port = 5010 # because" in text
    assert manager(home).config.server.host == "127.0.0.2"
    assert manager(home).config.ui.theme == "dark"
    settings.import_(text)
    assert settings.file.read_text("utf-8") == text


def test_a_file_that_cannot_be_put_in_place_leaves_nothing_behind(home: Path) -> None:
    settings = manager(home)
    settings.file.mkdir(parents=True)
    with pytest.raises(ConfigError, match="cannot be"):
        settings.import_("[ui]\ntheme = 'dark'\n")
    assert [item.name for item in home.iterdir()] == ["config.toml"]
