import asyncio
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from modelshelf.config import ConfigManager
from modelshelf.errors import StoreError
from modelshelf.events import ProviderChanged, ServiceChanged
from modelshelf.shelf import Shelf, open_shelf


async def test_services_start_in_order_and_stop_in_reverse(config: ConfigManager) -> None:
    shelf = Shelf(config)
    with shelf.events.subscribe() as events:
        await shelf.start()
        await shelf.stop()
        changes: list[tuple[str, str]] = []
        while ("store", "stopped") not in changes:
            event = await anext(events)
            if isinstance(event, ServiceChanged):
                changes.append((event.service, event.status))
    started = [name for name, status in changes if status == "running"]
    assert started == list(shelf.services)
    assert [name for name, status in changes if status == "stopped"] == started[::-1]


async def test_a_service_that_fails_is_shown_with_its_remedy_and_the_others_run(config: ConfigManager) -> None:
    shelf = Shelf(config)

    async def fail() -> None:
        raise StoreError("The catalogue is ill.", remedy="Wait until it is well.")

    shelf.catalog.start = fail  # type: ignore[method-assign] # the one way to make a healthy part fail on purpose
    await shelf.start()
    try:
        assert shelf.services["catalog"].status == "failed"
        assert shelf.services["catalog"].error == "The catalogue is ill."
        assert shelf.services["catalog"].remedy == "Wait until it is well."
        assert shelf.services["library"].status == "running"
        assert await shelf.library.models() == ()
    finally:
        await shelf.stop()


async def test_a_corrupt_database_leaves_a_shelf_that_says_so(config: ConfigManager) -> None:
    config.paths.database.parent.mkdir(parents=True, exist_ok=True)
    await asyncio.to_thread(config.paths.database.write_bytes, b"not a database" * 500)
    async with open_shelf(config=config) as shelf:
        assert shelf.services["store"].status == "failed"
        assert "modelshelf.db" in shelf.services["store"].error


async def test_services_left_out_are_not_started(config: ConfigManager) -> None:
    async with open_shelf(config=config, without={"health", "downloads"}) as shelf:
        assert shelf.services["health"].status == "stopped"
        assert shelf.services["downloads"].status == "stopped"
        assert shelf.services["library"].status == "running"
        assert await shelf.downloads.jobs() == ()


async def test_opening_and_closing_leaves_no_task_behind(config: ConfigManager) -> None:
    before = asyncio.all_tasks()
    async with open_shelf(config=config) as shelf:
        await shelf.catalog.find("tiny")
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before


async def test_state_follows_what_happens(shelf: Shelf, tmp_path: Path) -> None:
    job = await shelf.downloads.start("samples/tiny-llama-GGUF")
    async for step in shelf.downloads.follow(job):
        assert step.repo == "samples/tiny-llama-GGUF"
    await _until(lambda: _settled(shelf, job))


def _settled(shelf: Shelf, job: str) -> bool:
    """Whether library, provider and download all show the sample model."""
    builtin, state = shelf.providers_state.find("builtin"), shelf.downloads_state.find(job)
    served = [model.name for model in builtin.models] if builtin else []
    percent = state.percent() if state else 0
    return shelf.models_state.has("samples/tiny-llama-GGUF") and served == ["tiny-llama"] and percent == 100


async def test_a_notebook_opens_by_await_and_closes_by_hand(config: ConfigManager) -> None:
    shelf = await open_shelf(config=config, without={"health"})
    await asyncio.sleep(0)
    assert shelf.services["store"].status == "running"
    assert await shelf.downloads.jobs() == ()
    await shelf.stop()
    assert {status.status for status in shelf.services.values()} == {"stopped"}


async def test_an_error_that_has_passed_is_not_shown_on(shelf: Shelf) -> None:
    state = shelf.providers_state
    await _until(lambda: bool(state.providers))
    state.error = "The database failed."
    shelf.events.publish(ProviderChanged(provider="builtin"))
    await _until(lambda: not state.error)


async def _until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.02)


def test_a_second_start_loads_neither_pandas_nor_what_migrates(home: Path) -> None:
    """Short commands start a shelf each time: what is slow to load is for those that need it."""
    code = (
        "import asyncio, pathlib, sys\n"
        "from modelshelf.config import ConfigManager\n"
        "from modelshelf.shelf import open_shelf\n"
        "async def once():\n"
        "    config = ConfigManager(pathlib.Path(sys.argv[1]), {'HOME': sys.argv[1]})\n"
        "    async with open_shelf(config=config, without={'health', 'downloads', 'state'}):\n"
        "        print(sorted({'pandas', 'alembic', 'panel', 'transformers'} & set(sys.modules)))\n"
        "asyncio.run(once())"
    )
    told = [
        subprocess.run([sys.executable, "-c", code, str(home)], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]
    assert told[1].strip() == "[]"
