"""Figures, help topics and texts."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import modelshelf_dashboard
from modelshelf.config import ConfigManager
from modelshelf.downloads.types import JobStatus
from modelshelf.providers.spec import HealthStatus
from modelshelf.shelf import Shelf
from modelshelf_dashboard import figures, texts
from modelshelf_dashboard.help import TOPICS
from modelshelf_dashboard.state_words import health_word, job_word, service_word

SOURCES = Path(modelshelf_dashboard.__file__).parent


@pytest.mark.parametrize(
    ("count", "told"),
    [
        (None, "—"),
        (0, "0.0 kB"),
        (820, "0.8 kB"),
        (3_500_000, "3.5 MB"),
        (5_000_000_000, "5.0 GB"),
        (2 * 10**12, "2,000.0 GB"),
    ],
)
def test_files_are_in_powers_of_ten(count: int | None, told: str) -> None:
    assert figures.size(count) == told


@pytest.mark.parametrize(
    ("count", "told"), [(None, "—"), (2**30, "1.0 GiB"), (24 * 2**30, "24.0 GiB"), (2**20, "1.0 MiB")]
)
def test_memory_is_in_powers_of_two(count: int | None, told: str) -> None:
    assert figures.memory(count) == told


@pytest.mark.parametrize(
    ("count", "told"), [(None, "—"), (3, "3"), (1200, "1.2 k"), (980_000, "980 k"), (2_100_000, "2.1 M")]
)
def test_counts(count: int | None, told: str) -> None:
    assert figures.number(count) == told


@pytest.mark.parametrize(
    ("since", "told"),
    [
        (timedelta(seconds=5), "just now"),
        (timedelta(minutes=1), "1 minute ago"),
        (timedelta(hours=3), "3 hours ago"),
        (timedelta(days=12), "12 days ago"),
        (timedelta(days=800), "2 years ago"),
    ],
)
def test_times_as_people_say_them(since: timedelta, told: str) -> None:
    assert figures.ago(datetime.now(UTC) - since) == told


def test_every_state_has_its_word() -> None:
    assert all(job_word(status) for status in JobStatus)
    assert all(health_word(status) for status in HealthStatus)


def test_services_are_called_by_what_they_do(config: ConfigManager) -> None:
    names = set(Shelf(config).services)
    words = {service_word(name) for name in names}
    assert len(words) == len(names)
    assert not words & names
    assert service_word("fleet") == "fleet"


def test_every_help_key_in_use_has_its_topic() -> None:
    known = {topic.key for topic in TOPICS}
    used = set()
    for path in [*SOURCES.rglob("*.py"), *SOURCES.rglob("*.js")]:
        text = path.read_text("utf-8")
        used |= set(re.findall(r'(?:data-help=|"help": |help=|topic=|"topic": )"(\w+)"', text))
    assert len(used) > 10
    assert used <= known


def test_topics_have_unique_keys_and_plain_words() -> None:
    assert len({topic.key for topic in TOPICS}) == len(TOPICS)
    for topic in TOPICS:
        assert "!" not in topic.text
        assert len(topic.text) > 30
        for name in ("modelLibrary", "searchFiltering", "downloadProcess", "storageManagement"):
            assert name in {other.key for other in TOPICS}


def test_an_unknown_language_shows_the_english_texts() -> None:
    texts.choose("xx")
    assert texts._("Download") == "Download"
    assert texts._n("{n} model", "{n} models", 1200) == "1,200 models"
