"""LiteLLM's proxy, a stranger's server of OpenAI's shape, in an environment of its own: it pins other versions."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from pathlib import Path

import pytest
import yaml

from modelshelf.config import ConfigManager
from modelshelf.errors import NotSignedIn
from modelshelf.library import ModelLibrary
from modelshelf.providers import HealthStatus, ProviderConfig, ProviderContext
from modelshelf.providers.adapters.compatible import CompatibleProvider
from modelshelf.vault import Secret
from tests.browser.simulated import simulated
from tests.conftest import LoopRunner
from tests.core.providers.conftest import ask, collect
from tests.engines.compatible import CompatibleSimulator

pytestmark = [pytest.mark.deep, pytest.mark.timeout(1200)]

KEY = "sk-litellm-0123456789"
START_SECONDS = 180


@pytest.fixture(scope="module")
def litellm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The proxy's command, installed beside us."""
    folder = tmp_path_factory.mktemp("litellm")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    pip: list[str | Path] = [folder / "bin" / "python", "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
    subprocess.run([*pip, "litellm[proxy]"], check=True)
    return folder / "bin" / "litellm"


@contextmanager
def proxy(command: Path, folder: Path, engine: str, key: str) -> Iterator[str]:
    """The proxy in front of an engine; its address."""
    models = [
        {
            "model_name": name,
            "litellm_params": {"model": f"openai/{name}", "api_base": f"{engine}/v1", "api_key": "none"},
        }
        for name in ("tiny-llama", "tiny-embed")
    ]
    settings = {"general_settings": {"master_key": key}} if key else {}
    config = folder / f"config-{bool(key)}.yaml"
    config.write_text(yaml.safe_dump({"model_list": models, **settings}))
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = int(found.getsockname()[1])
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder), "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    if not key:
        environ["LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY"] = "True"
    line: list[str | Path] = [
        command,
        "--config",
        config,
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--telemetry",
        "False",
    ]
    with (folder / "proxy.log").open("a") as log, subprocess.Popen(line, env=environ, stdout=log, stderr=log) as child:
        try:
            _wait_for(f"http://127.0.0.1:{port}/health/liveliness", child, folder / "proxy.log")
            yield f"http://127.0.0.1:{port}"
        finally:
            child.terminate()
            child.wait(30)


def _wait_for(url: str, child: "subprocess.Popen[bytes]", log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and child.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=2).close()
        except (OSError, urllib.error.URLError):
            time.sleep(0.5)
        else:
            return
    raise AssertionError(f"the proxy did not start: {log.read_text()[-2000:]}")


@pytest.mark.parametrize("key", ["", KEY], ids=["open", "with a key"])
def test_the_proxy_is_spoken_to(
    litellm: Path, tmp_path: Path, loop: LoopRunner, config: ConfigManager, library: ModelLibrary, key: str
) -> None:
    config.set("providers.timeout_seconds", 30.0)
    engine = CompatibleSimulator()
    with simulated(engine), proxy(litellm, tmp_path, engine.url, key) as url:
        loop.runner.run(_speak(config, library, url, key))


async def _speak(config: ConfigManager, library: ModelLibrary, url: str, key: str) -> None:
    held: list[Secret | None] = [Secret(key) if key else None]

    async def find(_config: ProviderConfig, _model: str) -> Secret | None:
        return held[0]

    context = ProviderContext(config, library, key=find)
    made = CompatibleProvider(ProviderConfig("proxy", "openai-compatible", "LiteLLM", url), context)
    async with aclosing(made) as provider:
        assert (await provider.health()).status is HealthStatus.WELL
        assert {model.name for model in await provider.models()} == {"tiny-llama", "tiny-embed"}
        text, pieces = await collect(provider.chat("tiny-llama", ask("hello", max_tokens=5)))
        assert text.startswith("word0")
        assert pieces[-1].finish in {"stop", "length"}
        assert len((await provider.embed("tiny-embed", ["one", "two"])).vectors) == 2
        if key:
            await provider.check_key()
            held[0] = Secret("sk-litellm-wrong-0000")
            with pytest.raises(NotSignedIn):
                await provider.check_key()
