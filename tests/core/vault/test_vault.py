import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from modelshelf.access import AccessService, Principal, Role, acting_as
from modelshelf.config import ConfigManager
from modelshelf.errors import NotFound, RoleRequired, UsageError, VaultError
from modelshelf.shelf import open_shelf
from modelshelf.store import Store
from modelshelf.vault import Secret, Vault

KEY = Secret("sk-canary-0123456789")
TOKEN = Secret("hf_canary9876543210")


def edit(database: Path, statement: str, *values: Any) -> None:
    """Change the database as somebody would who has the file but no key."""
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(statement, values)


async def test_what_is_saved_comes_back(vault: Vault) -> None:
    told = await vault.put("provider/openai/1", KEY)
    assert (told.name, told.last4, told.fingerprint) == ("provider/openai/1", "6789", KEY.fingerprint)
    assert await vault.get("provider/openai/1") == KEY
    await vault.put("provider/openai/1", TOKEN)
    assert await vault.get("provider/openai/1") == TOKEN
    await vault.put("source/hf/token", KEY)
    assert [item.name for item in await vault.info()] == ["provider/openai/1", "source/hf/token"]
    assert [item.name for item in await vault.info("source/")] == ["source/hf/token"]
    await vault.delete("provider/openai/1")
    for call in (vault.get, vault.delete):
        with pytest.raises(NotFound, match="provider/openai/1"):
            await call("provider/openai/1")


async def test_nothing_is_made_until_something_is_saved(vault: Vault, keys: Path, config: ConfigManager) -> None:
    await vault.start()
    assert (await vault.status()).state == "empty"
    assert await vault.info() == ()
    with pytest.raises(NotFound):
        await vault.get("provider/openai/1")
    assert await vault.rotate_data_key() == await vault.rotate_master()
    assert not keys.exists()
    await vault.put("provider/openai/1", KEY)
    (file,) = keys.iterdir()
    assert (file.stat().st_mode & 0o777, keys.stat().st_mode & 0o777) == (0o600, 0o700)
    assert not file.is_relative_to(config.home)


async def test_neither_the_database_nor_the_record_of_deeds_holds_a_secret(
    vault: Vault, config: ConfigManager, access: AccessService
) -> None:
    await vault.put("provider/openai/1", KEY)
    await vault.get("provider/openai/1")
    await vault.rotate_data_key()
    for file in config.home.rglob("*"):
        if file.is_file():
            assert KEY.reveal().encode() not in file.read_bytes(), file
    deeds = [(row["action"], row["target"], row["outcome"]) for row in await access.audit()]
    assert deeds == [("secret.rotate", "", "allowed"), ("secret.save", "provider/openai/1", "allowed")]


async def test_only_administrators_change_secrets(vault: Vault) -> None:
    await vault.put("provider/openai/1", KEY)
    with acting_as(Principal("op", Role.OPERATOR)):
        changes: list[Callable[[], Any]] = [
            lambda: vault.put("provider/openai/1", TOKEN),
            lambda: vault.delete("provider/openai/1"),
            vault.rotate_data_key,
            vault.rotate_master,
        ]
        for change in changes:
            with pytest.raises(RoleRequired, match="admin"):
                await change()
        assert await vault.get("provider/openai/1") == KEY  # to ask a provider, an operator's question needs its key


@pytest.mark.parametrize("name", ["", "/a", "a b", "ä", "a" * 201, "a\n"])
async def test_a_name_that_makes_no_sense_is_refused(vault: Vault, name: str) -> None:
    with pytest.raises(UsageError, match="name"):
        await vault.put(name, KEY)


async def test_an_empty_or_endless_secret_is_refused_without_being_told(vault: Vault) -> None:
    for secret in (Secret(""), Secret("x" * 70_000)):
        with pytest.raises(UsageError) as caught:
            await vault.put("provider/openai/1", secret)
        assert "xxx" not in str(caught.value)


async def test_of_a_short_secret_nothing_is_told(vault: Vault) -> None:
    told = await vault.put("provider/local/1", Secret("hunter2"))
    assert (told.last4, told.fingerprint) == ("", "")


async def test_a_secret_is_given_out_only_for_what_it_was_saved_for(vault: Vault) -> None:
    await vault.put("source/hf/token", TOKEN, bound_to="https://huggingface.co")
    assert await vault.get("source/hf/token", bound_to="https://huggingface.co") == TOKEN
    for other in ("", "https://evil.example"):
        with pytest.raises(NotFound, match=r"huggingface\.co"):
            await vault.get("source/hf/token", bound_to=other)
    await vault.rotate_data_key()
    assert await vault.get("source/hf/token", bound_to="https://huggingface.co") == TOKEN


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE secret SET sealed = randomblob(length(sealed)) WHERE name = 'a'",
        "UPDATE secret SET sealed = x'' WHERE name = 'a'",
        "UPDATE secret SET nonce = x'' WHERE name = 'a'",
        "UPDATE secret SET data_key = 'other' WHERE name = 'a'",
        "UPDATE secret SET (nonce, sealed) = (SELECT nonce, sealed FROM secret WHERE name = 'b') WHERE name = 'a'",
        "UPDATE secret SET name = CASE name WHEN 'a' THEN 'c' ELSE name END",
    ],
)
async def test_a_row_that_was_changed_is_an_error_of_that_secret_alone(
    vault: Vault, config: ConfigManager, statement: str
) -> None:
    await vault.put("a", KEY)
    await vault.put("b", TOKEN)
    edit(config.paths.database, statement)
    name = "c" if "THEN 'c'" in statement else "a"
    with pytest.raises(VaultError, match=f"“{name}”") as caught:
        await vault.get(name)
    assert "anew" in caught.value.remedy
    assert await vault.get("b") == TOKEN
    status = await vault.status()
    assert (status.state, status.damaged) == ("damaged", (name,))

    # What is damaged neither gets lost nor keeps the others from a new key.
    rotation = await vault.rotate_data_key()
    assert (rotation.renewed, rotation.damaged) == (1, (name,))
    assert await vault.get("b") == TOKEN
    await vault.rotate_master()
    assert await vault.get("b") == TOKEN
    await vault.put(name, KEY)
    assert await vault.get(name) == KEY
    assert (await vault.status()).state == "well"


async def test_a_damaged_data_key_says_so(open_vault: Callable[[], Vault], vault: Vault, config: ConfigManager) -> None:
    await vault.put("a", KEY)
    edit(config.paths.database, "UPDATE data_key SET wrapped = randomblob(length(wrapped))")
    other = open_vault()
    with pytest.raises(VaultError, match="“a”"):
        await other.get("a")
    with pytest.raises(VaultError, match="changed from outside"):
        await other.put("b", TOKEN)
    assert (await other.status()).damaged == ("a",)
    await other.delete("a")
    await other.put("b", TOKEN)
    assert await other.get("b") == TOKEN


async def test_two_processes_that_begin_at_once_end_with_one_key(
    open_vault: Callable[[], Vault], keys: Path, store: Store
) -> None:
    vaults = [open_vault() for _ in range(4)]
    await asyncio.gather(*(vault.put(f"name/{number}", KEY) for number, vault in enumerate(vaults)))
    assert len(list(keys.iterdir())) == 1
    for vault in (*vaults, open_vault()):
        for number in range(len(vaults)):
            assert await vault.get(f"name/{number}") == KEY


async def test_the_changes_of_one_process_are_seen_by_the_others(open_vault: Callable[[], Vault]) -> None:
    one, other = open_vault(), open_vault()
    await one.put("a", KEY)
    assert await other.get("a") == KEY
    await one.rotate_data_key()
    await other.put("b", TOKEN)
    await other.rotate_master()
    await one.put("c", KEY)
    assert [await vault.get(name) for vault in (one, other) for name in "abc"] == [KEY, TOKEN, KEY] * 2


async def test_a_shelf_whose_master_key_is_gone_says_so_and_runs(config: ConfigManager, keys: Path) -> None:
    async with open_shelf(config=config, without={"health"}) as shelf:
        await shelf.vault.put("a", KEY)
    (file,) = keys.iterdir()
    away = file.rename(keys.parent / "away")
    async with open_shelf(config=config, without={"health"}) as shelf:
        status = shelf.services["vault"]
        assert status.status == "failed"
        assert "missing" in status.error
        assert str(file) in status.remedy
        assert shelf.services["library"].status == "running"
        assert await shelf.library.models() == ()
        with pytest.raises(VaultError, match="missing"):
            await shelf.vault.get("a")
        with pytest.raises(VaultError, match="missing"):
            await shelf.vault.put("b", TOKEN)
        assert [item.name for item in await shelf.vault.info()] == ["a"]
        away.rename(file)
        assert await shelf.vault.get("a") == KEY  # mended without a new start
        file.unlink()
        await shelf.vault.delete("a")
    async with open_shelf(config=config, without={"health"}) as shelf:
        assert shelf.services["vault"].status == "running"
        await shelf.vault.put("b", TOKEN)  # nothing is lost by a new key
        assert await shelf.vault.get("b") == TOKEN
