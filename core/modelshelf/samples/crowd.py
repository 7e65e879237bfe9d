"""As many models as one likes, of which a hub has only what a list shows: for trials with large hubs."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from modelshelf.samples.repository import Commit, HubFile, HubRepo, hub_file

STEMS = ("llama", "qwen", "mistral", "gemma", "phi", "falcon", "whisper", "bert", "mixtral", "deepseek")
SIZES = ("1b", "3b", "7b", "13b", "70b")
LICENCES = ("apache-2.0", "mit", "other", "llama3.1")
BEGAN = datetime(2024, 1, 1, tzinfo=UTC)


def crowd(count: int) -> Iterator[HubRepo]:
    """So many repositories, always the same; their files hold nothing that a download could use."""
    weights = hub_file("model-Q4_K_M.gguf", b"no model")
    for number in range(count):
        yield _repo(number, weights)


def _repo(number: int, weights: HubFile) -> HubRepo:
    created = BEGAN + timedelta(minutes=37 * number)
    changed = created + timedelta(days=number % 90)
    stem, size = STEMS[number % 10], SIZES[number // 10 % 5]
    return HubRepo(
        f"crowd-{number % 997}/{stem}-{size}-{number}-GGUF",
        (Commit(f"{number:040x}", {weights.path: weights}, _iso(changed)),),
        tags=("gguf", f"license:{LICENCES[number % 4]}"),
        task="text-generation",
        library="gguf" if number % 3 else None,
        gguf={"total": (number % 70 + 1) * 10**9, "architecture": stem, "context_length": 4096 << number % 4},
        downloads=10**7 // (number + 1),
        likes=number % 500,
        created=_iso(created),
    )


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")
