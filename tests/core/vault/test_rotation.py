"""Keys are changed while others work, and while somebody pulls the plug: every secret opens ever after."""

import asyncio
import os
import random
import signal
import sqlite3
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from modelshelf.access import AccessService
from modelshelf.config import ConfigManager
from modelshelf.errors import StoreError
from modelshelf.store import Store
from modelshelf.vault import Secret, Vault

CHILD = Path(__file__).with_name("killed.py")
ROOT = CHILD.parents[3]
SECRETS = {f"name/{number}": Secret(f"sk-canary-{number}-0123456789") for number in range(5)}
KILLS = 4

Open = Callable[..., Vault]


@pytest.fixture(params=["own file", "key file"])
def kept(request: pytest.FixtureRequest, config: ConfigManager, tmp_path: Path, keys: Path) -> Path:
    """The folder in which the master key is kept."""
    if request.param == "own file":
        return keys
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    config.environ["MODELSHELF_VAULT__KEY_FILE"] = str(folder / "shelf.key")
    config.load()
    return folder


@asynccontextmanager
async def changing(config: ConfigManager, when: str) -> AsyncIterator[Process]:
    """Another process that changes the keys of this home."""
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]), **config.environ}
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(CHILD), when, env=environ, stdout=PIPE, stderr=DEVNULL
    )
    try:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def opens(vault: Vault) -> bool:
    return {name: await vault.get(name) for name in SECRETS} == SECRETS


async def filled(vault: Vault) -> None:
    for name, secret in SECRETS.items():
        await vault.put(name, secret)


async def test_both_keys_change_and_nothing_else(open_vault: Open, kept: Path, config: ConfigManager) -> None:
    one, other = open_vault(), open_vault()
    await filled(one)
    before = [file.read_text() for file in kept.iterdir()]
    told = await one.info()
    assert (await one.rotate_data_key()).renewed == len(SECRETS)
    assert (await other.rotate_master()).renewed == len(SECRETS)
    after = [file.read_text() for file in kept.iterdir()]
    assert len(before) == len(after) == 1
    assert before != after
    assert len(after[0].splitlines()) == 1  # the old key is gone
    for vault in (one, other, open_vault()):
        assert await opens(vault)
        assert await vault.info() == told


@pytest.mark.parametrize("when", ["added", "wrapped"])
async def test_a_change_that_was_killed_between_two_steps(
    open_vault: Open, config: ConfigManager, kept: Path, when: str
) -> None:
    vault = open_vault()
    await filled(vault)
    async with changing(config, when) as process:
        assert await process.wait() == -signal.SIGKILL
    assert await opens(open_vault())
    assert await opens(vault)
    await open_vault().rotate_master()
    assert await opens(open_vault())
    status = await vault.status()
    assert status.state == "well"


async def test_a_change_that_was_killed_at_any_moment(open_vault: Open, config: ConfigManager, kept: Path) -> None:
    await filled(open_vault())
    for seed in range(KILLS):
        async with changing(config, "whenever") as process:
            for _ in range(random.Random(seed).randrange(1, 40)):
                assert await opens(open_vault())  # seen from here, no moment is a bad one
            process.send_signal(signal.SIGKILL)
            assert await process.wait() == -signal.SIGKILL
        assert await opens(open_vault())


async def test_a_database_that_refuses_leaves_the_old_key_alone(
    open_vault: Open, config: ConfigManager, kept: Path
) -> None:
    vault = open_vault()
    await filled(vault)
    (file,) = kept.iterdir()
    key = file.read_text()
    with closing(sqlite3.connect(config.paths.database)) as connection:
        connection.execute("CREATE TRIGGER no BEFORE UPDATE ON data_key BEGIN SELECT RAISE(ABORT, 'no'); END")
    with pytest.raises(StoreError, match="no"):
        await vault.rotate_master()
    assert [(file, file.read_text()) for file in kept.iterdir()] == [(file, key)]
    assert await opens(open_vault())


async def test_two_that_change_the_key_at_once(open_vault: Open, kept: Path) -> None:
    vaults = [open_vault() for _ in range(3)]
    await filled(vaults[0])
    await asyncio.gather(*(vault.rotate_master() for vault in vaults))
    await asyncio.gather(*(vault.rotate_data_key() for vault in vaults), return_exceptions=True)
    for vault in (*vaults, open_vault()):
        assert await opens(vault)
    assert sum(len(file.read_text().splitlines()) for file in kept.iterdir()) == 1


def test_any_order_of_changes(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Two processes save, delete and change keys in any order; a third one that knows nothing reads it all."""

    class Interleaved(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            folder = tmp_path_factory.mktemp("any")
            self.config = ConfigManager(folder / "home", {"HOME": str(folder), "MODELSHELF_VAULT__KEYCHAIN": "false"})
            self.runner = asyncio.Runner()
            self.store = Store.at(self.config.paths.database)
            self.runner.run(self.store.start())
            self.access = AccessService(self.store)
            self.vaults = [self.fresh(), self.fresh()]
            self.expected: dict[str, Secret] = {}

        def fresh(self) -> Vault:
            return Vault(self.config, self.store, self.access)

        def teardown(self) -> None:
            self.runner.run(self.store.stop())
            self.runner.close()

        @rule(which=st.integers(0, 1), name=st.sampled_from("abc"), text=st.text(st.characters(), min_size=1))
        def put(self, which: int, name: str, text: str) -> None:
            self.expected[name] = Secret(text)
            self.runner.run(self.vaults[which].put(name, Secret(text)))

        @rule(which=st.integers(0, 1), name=st.sampled_from("abc"))
        def delete(self, which: int, name: str) -> None:
            if self.expected.pop(name, None) is not None:
                self.runner.run(self.vaults[which].delete(name))

        @rule(which=st.integers(0, 1))
        def rotate_data_key(self, which: int) -> None:
            assert self.runner.run(self.vaults[which].rotate_data_key()).renewed == len(self.expected)

        @rule(which=st.integers(0, 1))
        def rotate_master(self, which: int) -> None:
            self.runner.run(self.vaults[which].rotate_master())

        @rule(which=st.integers(0, 1))
        def start_again(self, which: int) -> None:
            self.vaults[which] = self.fresh()
            self.runner.run(self.vaults[which].start())

        @invariant()
        def everything_opens(self) -> None:
            for vault in (*self.vaults, self.fresh()):
                assert {name: self.runner.run(vault.get(name)) for name in self.expected} == self.expected

    run_state_machine_as_test(
        Interleaved,
        settings=settings(
            max_examples=8, stateful_step_count=15, deadline=None, suppress_health_check=[HealthCheck.too_slow]
        ),
    )
