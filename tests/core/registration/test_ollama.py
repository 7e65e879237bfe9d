"""A model that lands turns up in Ollama without a byte being copied, and goes from there with the library's."""

from pathlib import Path

from ollama import AsyncClient

from modelshelf.downloads import JobStatus
from modelshelf.providers.profile_spec import Profile
from modelshelf.registration import Status
from modelshelf.samples import CHAT_REPO
from modelshelf.shelf import Shelf
from tests.core.registration.conftest import fetch, reached, stock, with_provider
from tests.engines.faults import Fault
from tests.engines.ollama import OllamaSimulator


async def listed(ollama: OllamaSimulator) -> list[str | None]:
    """What Ollama's own client reads back."""
    client = AsyncClient(host=ollama.url)
    try:
        return [model.model for model in (await client.list()).models]
    finally:
        await client.close()


async def test_a_download_turns_up_in_ollama_by_hard_link(
    shelf: Shelf, ollama: OllamaSimulator, store_folder: Path
) -> None:
    job = await fetch(shelf)
    assert job.status is JobStatus.DONE, job
    made = await with_provider(shelf, "ollama")
    assert (made.status, made.way, made.copied, made.error) == (Status.REGISTERED, "hard link", 0, ""), made
    assert {"provider": "ollama", "name": made.name, "status": "registered"} in job.result["registrations"]
    model = await shelf.library.get(CHAT_REPO)
    [file] = [file for file in model.files if file.path.endswith(".gguf")]
    blob = store_folder / "blobs" / f"sha256-{file.sha256}"
    assert blob.stat().st_ino == file.blob.stat().st_ino
    assert not ollama.blobs, "nothing was uploaded"
    assert await listed(ollama) == [f"{made.name}:latest"]


async def test_undo_lets_ollama_forget_and_leaves_the_library(
    shelf: Shelf, gguf: Path, ollama: OllamaSimulator, store_folder: Path
) -> None:
    await stock(shelf, gguf)
    made = await with_provider(shelf, "ollama")
    undone = await shelf.registration.undo(made.id)
    assert (undone.status, undone.error) == (Status.UNDONE, "")
    assert await listed(ollama) == []
    assert not list((store_folder / "blobs").iterdir())
    model = await shelf.library.get(CHAT_REPO)
    assert all(file.blob.is_file() for file in model.files)
    # What a person took back is not given again by itself.
    await shelf.registration.landed(CHAT_REPO, model.commit)
    assert (await with_provider(shelf, "ollama")).status is Status.UNDONE
    [again] = await shelf.registration.register(CHAT_REPO, "ollama")
    assert again.status is Status.REGISTERED


async def test_a_model_of_that_name_is_not_replaced(shelf: Shelf, gguf: Path, ollama: OllamaSimulator) -> None:
    ollama.add("tiny-llama")
    await stock(shelf, gguf)
    made = await with_provider(shelf, "ollama")
    assert made.name == "samples/tiny-llama"
    await shelf.registration.undo(made.id)
    assert await listed(ollama) == ["tiny-llama:latest"]


async def test_what_became_another_s_is_not_deleted(shelf: Shelf, gguf: Path, ollama: OllamaSimulator) -> None:
    await stock(shelf, gguf)
    made = await with_provider(shelf, "ollama")
    ollama.models[f"{made.name}:latest"].made = "by hand"
    assert (await shelf.registration.undo(made.id)).status is Status.UNDONE
    assert await listed(ollama) == [f"{made.name}:latest"]


async def test_what_ollama_has_already_is_neither_given_nor_taken(
    shelf: Shelf, gguf: Path, ollama: OllamaSimulator, store_folder: Path
) -> None:
    await stock(shelf, gguf)
    made = await with_provider(shelf, "ollama")
    await shelf.registration.undo(made.id)
    model = await shelf.library.get(CHAT_REPO)
    [file] = [file for file in model.files if file.path.endswith(".gguf")]
    (store_folder / "blobs" / f"sha256-{file.sha256}").write_bytes(file.blob.read_bytes())
    ollama.keep("mine", [f"sha256:{file.sha256}"])
    ollama.add("mine")
    [there] = await shelf.registration.register(CHAT_REPO, "ollama")
    assert (there.name, there.given, there.status) == ("mine:latest", False, Status.REGISTERED)
    await shelf.registration.undo(there.id)
    assert await listed(ollama) == ["mine:latest"]


async def test_a_store_elsewhere_costs_a_copy_and_is_asked_for(
    shelf: Shelf, gguf: Path, ollama: OllamaSimulator, store_folder: Path, tmp_path: Path
) -> None:
    ollama.store = None  # it looks into another folder than the one we see
    (store_folder / "blobs" / f"sha256-{'0' * 64}").touch()
    await stock(shelf, gguf)
    assert [item.provider for item in await shelf.registration.list()] == ["builtin"]
    [offer] = (await shelf.registration.plan(CHAT_REPO, "ollama")).offers
    assert (offer.taking.way, offer.taking.copies, offer.automatic) == ("upload", offer.size, False)
    assert "only when you ask: that copies 3.5 MB" in offer.why
    [made] = await shelf.registration.register(CHAT_REPO, "ollama")
    assert (made.status, made.way, made.copied) == (Status.REGISTERED, "upload", offer.size)
    assert len(ollama.blobs) == 1


async def test_one_that_is_down_is_given_the_model_when_it_answers(
    shelf: Shelf, gguf: Path, ollama: OllamaSimulator
) -> None:
    ollama.faults.everywhere(Fault.HALF)
    await shelf.health.check("ollama")
    await stock(shelf, gguf)
    waiting = await with_provider(shelf, "ollama")
    assert (waiting.status, waiting.error) == (Status.WAITING, "Ollama does not answer.")
    ollama.faults.clear()
    await shelf.health.check("ollama")
    assert (await reached(shelf, "ollama", Status.REGISTERED)).way == "hard link"
    assert len(await listed(ollama)) == 1


async def test_one_that_is_down_forgets_the_model_when_it_answers(
    shelf: Shelf, gguf: Path, ollama: OllamaSimulator
) -> None:
    await stock(shelf, gguf)
    made = await with_provider(shelf, "ollama")
    ollama.faults.everywhere(Fault.HALF)
    await shelf.health.check("ollama")
    later = await shelf.registration.undo(made.id)
    assert (later.status, later.wish) == (Status.WAITING, "undo")
    ollama.faults.clear()
    await shelf.health.check("ollama")
    await reached(shelf, "ollama", Status.UNDONE)
    assert await listed(ollama) == []


async def test_what_it_lists_no_more_is_found_and_registered_again(
    shelf: Shelf, gguf: Path, ollama: OllamaSimulator
) -> None:
    await stock(shelf, gguf)
    made = await with_provider(shelf, "ollama")
    await ollama_forgets(ollama, made.name)
    await shelf.health.check("ollama")
    gone = await reached(shelf, "ollama", Status.GONE)
    assert "does not list it any more" in gone.error
    [finding] = await shelf.registration.repair()
    assert (finding.problem, finding.deed, finding.done) == ("file there but not listed", "register", True)
    assert await listed(ollama) == [f"{made.name}:latest"]
    assert await shelf.registration.check() == ()


async def ollama_forgets(ollama: OllamaSimulator, name: str) -> None:
    """Somebody deletes a model by Ollama's own client."""
    client = AsyncClient(host=ollama.url)
    try:
        await client.delete(name)
    finally:
        await client.close()


async def test_removing_the_model_takes_it_from_ollama_too(
    shelf: Shelf, gguf: Path, ollama: OllamaSimulator, store_folder: Path
) -> None:
    await stock(shelf, gguf)
    await shelf.profiles.save(Profile("talk", "ollama/tiny-llama"))
    breaks = await shelf.registration.breaks(CHAT_REPO)
    assert [item.provider for item in breaks.registrations] == ["ollama"]
    assert (breaks.profiles, breaks.others) == (("talk",), ())
    removal = await shelf.library.remove(CHAT_REPO)
    assert removal.freed > 3_000_000
    assert await listed(ollama) == []
    assert not list((store_folder / "blobs").iterdir())
    assert await shelf.registration.list() == ()
    await stock(shelf, gguf)
    assert (await with_provider(shelf, "ollama")).status is Status.REGISTERED, "what comes again is new"
