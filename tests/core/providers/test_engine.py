"""The built-in engine: what becomes of its children when somebody dies, hangs, or wants too much."""

import asyncio
import os
import select
import signal
import subprocess
import sys
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from modelshelf.config import ConfigManager
from modelshelf.errors import EngineFailed, ModelDoesNotFit, NotFound, ProviderError
from modelshelf.providers.adapters.builtin import BuiltinProvider
from modelshelf.providers.engine import Engine, EngineModel, EngineProcess
from modelshelf.providers.engine.fit import fitted
from modelshelf.providers.engine.log import EngineLog
from modelshelf.providers.engine.process import ending, installed_version, scrubbed
from modelshelf.providers.http import Endpoint
from tests.core.providers.conftest import ask, children, collect, install
from tests.shapes import SHAPES, write

LONG = 3000


def unchecked(model: EngineModel) -> EngineModel:
    """For files whose header cannot be read."""
    return model


@pytest.fixture
def stuck(tmp_path: Path) -> Path:
    """A file whose loading never ends: a pipe nobody writes to."""
    pipe = tmp_path / "stuck.gguf"
    os.mkfifo(pipe)
    return pipe


async def test_the_child_killed_in_mid_answer_is_told_clearly_and_the_next_question_works(
    builtin: BuiltinProvider,
) -> None:
    chunks = builtin.chat("tiny-llama", ask("Once", max_tokens=LONG, ignore_eos=True))
    await anext(chunks)
    [pid] = await children()
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(EngineFailed, match=r"ended unexpectedly \(signal 9\)") as caught:
        await collect(chunks)
    assert "Ask again" in caught.value.remedy
    text, _ = await collect(builtin.chat("tiny-llama", ask("Once upon a time")))
    assert text.strip()
    assert pid not in await children()


async def test_closing_an_answer_stops_the_engine_s_work(builtin: BuiltinProvider, engine: Engine) -> None:
    async with aclosing(builtin.chat("tiny-llama", ask("Once", max_tokens=LONG, ignore_eos=True))) as chunks:
        await anext(chunks)
    [process] = builtin._engine.loaded
    endpoint = Endpoint("the child", process.url, headers={"Authorization": f"Bearer {process.key}"})
    async with aclosing(endpoint):
        async with asyncio.timeout(3):
            while (await endpoint.json("GET", "slots"))[0]["is_processing"]:
                await asyncio.sleep(0.01)
        [slot] = await endpoint.json("GET", "slots")
    assert slot["next_token"][0]["n_decoded"] < LONG / 2


async def test_unloading_in_mid_answer_says_so(builtin: BuiltinProvider) -> None:
    chunks = builtin.chat("tiny-llama", ask("Once", max_tokens=LONG, ignore_eos=True))
    await anext(chunks)
    await builtin.unload("tiny-llama")
    with pytest.raises(EngineFailed, match="was unloaded while it answered"):
        await collect(chunks)


async def test_a_conversation_beyond_the_context_is_told_in_plain_words(
    builtin: BuiltinProvider, config: ConfigManager
) -> None:
    config.set("engine.context", 256)
    with pytest.raises(ProviderError, match="longer than tiny-llama can take in") as caught:
        await collect(builtin.chat("tiny-llama", ask("once upon a time " * 500)))
    assert "Start a new one" in caught.value.remedy


async def test_an_interrupt_of_the_whole_group_does_not_end_the_engine(engine: Engine, model: EngineModel) -> None:
    async with engine.hold(model) as process:
        os.kill(process.pid, signal.SIGINT)
        assert not await process.ended(0.5)


async def test_a_child_that_dies_unused_is_told(config: ConfigManager, model: EngineModel) -> None:
    told = asyncio.Event()
    async with aclosing(Engine(config, changed=told.set)) as engine:
        async with engine.hold(model) as process:
            told.clear()
        os.kill(process.pid, signal.SIGKILL)
        async with asyncio.timeout(5):
            await told.wait()
        assert engine.loaded == ()


async def test_several_questions_share_one_child(builtin: BuiltinProvider) -> None:
    answers = await asyncio.gather(*(collect(builtin.chat("tiny-llama", ask("Once upon a time"))) for _ in range(4)))
    assert all(text.strip() for text, _ in answers)
    assert len(await children()) == 1


async def test_the_child_answers_only_with_the_key_of_its_start(engine: Engine, model: EngineModel) -> None:
    async with engine.hold(model) as process:
        first = process.key
        async with aclosing(Endpoint("the child", process.url)) as stranger:
            assert await stranger.status("GET", "health") == 200
            with pytest.raises(PermissionError):
                await stranger.json("GET", "v1/models")
        child = await asyncio.to_thread(psutil.Process, process.pid)
        seen = await asyncio.to_thread(lambda: [*child.cmdline(), *child.environ().values()])
        assert not [text for text in seen if first in text]
        open_ = await asyncio.to_thread(child.net_connections)
        assert {item.laddr.ip for item in open_ if item.status == psutil.CONN_LISTEN} == {"127.0.0.1"}
    await engine.unload(model.file)
    async with engine.hold(model) as process:
        assert process.key != first


async def test_the_child_s_environment_holds_no_secrets() -> None:
    kept = scrubbed({"PATH": "/bin", "HF_TOKEN": "secret", "HTTPS_PROXY": "http://u:p@x", "CUDA_VISIBLE_DEVICES": "0"})
    assert kept == {"PATH": "/bin", "CUDA_VISIBLE_DEVICES": "0"}


async def test_a_load_that_never_ends_is_ended(config: ConfigManager, stuck: Path) -> None:
    config.set("engine.start_seconds", 0.5)
    async with aclosing(Engine(config, fit=unchecked)) as engine:
        with pytest.raises(EngineFailed, match=r"did not load stuck within 0\.5 s"):
            async with engine.hold(EngineModel(stuck, "stuck")):
                pass
    assert await children() == []


async def test_giving_up_on_a_load_leaves_no_child(config: ConfigManager, stuck: Path) -> None:
    async with aclosing(Engine(config, fit=unchecked)) as engine:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5), engine.hold(EngineModel(stuck, "stuck")):
                pass
    assert await children() == []


async def test_a_file_the_engine_refuses_is_named_with_the_engine_s_reason(
    config: ConfigManager, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF" + b"\x03\0\0\0" + b"\xff" * 100)
    async with aclosing(Engine(config, fit=unchecked)) as engine:
        with pytest.raises(EngineFailed, match=r"cannot load broken: \S+"):
            async with engine.hold(EngineModel(broken, "broken")):
                pass
    assert await children() == []


async def test_a_truncated_model_is_refused_before_a_child_starts(
    builtin: BuiltinProvider, config: ConfigManager, gguf: Path, tmp_path: Path
) -> None:
    cut = tmp_path / "cut.Q8_0.gguf"
    cut.write_bytes(gguf.read_bytes()[:5000])
    install(config.paths.cache, "samples/cut-GGUF", cut)
    with pytest.raises((ValueError, EngineFailed, NotFound)):
        await builtin.load("cut")
    assert await children() == []


async def test_what_does_not_fit_is_refused_with_figures(engine: Engine, tmp_path: Path) -> None:
    shape = SHAPES["llama31_8b"]
    vast = replace(shape, layers=4000, keys={**shape.keys, "block_count": 4000})
    file = await asyncio.to_thread(write, vast, tmp_path / "vast.gguf")
    with pytest.raises(ModelDoesNotFit, match=r"vast needs [\d.]+ GiB of memory, [\d.]+ GiB are free") as caught:
        async with engine.hold(EngineModel(file, "vast")):
            pass
    assert caught.value.facts["need"] > 400e9 > caught.value.facts["free"] > 0
    assert await children() == []


async def test_the_context_is_cut_to_the_model_s_own(model: EngineModel) -> None:
    used = await asyncio.to_thread(fitted, replace(model, context=1_000_000))
    assert used.context < 100_000


async def test_room_is_made_for_another_model_but_not_under_a_running_answer(
    config: ConfigManager, model: EngineModel, gguf: Path, tmp_path: Path
) -> None:
    other = EngineModel(tmp_path / "other.gguf", "other")
    other.file.symlink_to(gguf)
    async with aclosing(Engine(config, held=1)) as engine:
        async with engine.hold(model) as first:
            waiting = asyncio.create_task(_load(engine, other))
            done, _ = await asyncio.wait({waiting}, timeout=0.5)
            assert not done
            assert first.alive
        second = await waiting
        assert not first.alive
        assert [process.pid for process in engine.loaded] == [second.pid]


async def _load(engine: Engine, model: EngineModel) -> EngineProcess:
    async with engine.hold(model) as process:
        return process


@pytest.mark.skipif(sys.platform != "linux", reason="looks at processes as Linux shows them")
@pytest.mark.parametrize("moment", ["serving", "loading"])
async def test_a_killed_parent_takes_its_child_along(moment: str, gguf: Path, stuck: Path) -> None:
    file = gguf if moment == "serving" else stuck
    script = f"""
import asyncio, pathlib, psutil
from modelshelf.providers.engine import EngineModel, EngineProcess
from modelshelf.providers.engine.log import EngineLog
async def main():
    model = EngineModel(pathlib.Path({str(file)!r}), "tiny", context=512)
    start = asyncio.create_task(EngineProcess.start(model, EngineLog(pathlib.Path("/dev/null")), 60))
    if {moment == "serving"}:
        await start
    while not (found := psutil.Process().children()) or "-I" not in found[0].cmdline():
        await asyncio.sleep(0.01)
    if {moment == "loading"}:
        # A pipe that can be opened for writing without waiting has its reader: the load has begun.
        import os
        while True:
            try:
                os.close(os.open({str(file)!r}, os.O_WRONLY | os.O_NONBLOCK))
            except OSError:
                await asyncio.sleep(0.01)
            else:
                break
    print(found[0].pid, flush=True)
    await asyncio.sleep(600)
asyncio.run(main())
"""
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", script, stdout=subprocess.PIPE)
    assert parent.stdout
    child = int(await parent.stdout.readline())
    handle = os.pidfd_open(child)
    try:
        parent.kill()
        await parent.wait()
        # Ended, also when nobody is there to reap it.
        ready, _, _ = await asyncio.to_thread(select.select, [handle], [], [], 10)
        assert ready
    finally:
        os.close(handle)


def test_the_engine_s_version_is_known_without_loading_it() -> None:
    assert installed_version()
    assert installed_version("no_such_engine") is None
    assert "xllamacpp" not in sys.modules


def test_the_log_is_bounded_and_keeps_the_reason(tmp_path: Path) -> None:
    log = EngineLog(tmp_path / "logs" / "engine.log", limit=10_000)
    for number in range(1000):
        log.add(f"0.00.001 I srv  line {number}")
    log.add("0.00.002 E gguf_init_from_reader: failed to read key-value pairs")
    log.add("0.00.003 E srv  load_model: failed to load model, 'x'")
    written = list((tmp_path / "logs").iterdir())
    assert sum(file.stat().st_size for file in written) <= 2 * 10_100
    assert log.reason() == "gguf_init_from_reader: failed to read key-value pairs"
    assert len(log.tail) == 40


def test_an_engine_that_was_killed_is_told_from_one_that_gave_up() -> None:
    said, remedy = ending(-9)
    assert "memory runs out" in said
    assert "smaller file" in remedy
    said, remedy = ending(3)
    assert said == "it ended with status 3"
    assert "another file" in remedy
