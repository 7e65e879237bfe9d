"""Where the master key may be, and what is said when it is not where it should be."""

import base64
from collections.abc import Callable
from pathlib import Path

import pytest
from keyring.backend import KeyringBackend
from keyring.backends.fail import Keyring as FailingKeyring
from keyring.errors import KeyringLocked, PasswordDeleteError

from modelshelf.config import ConfigManager
from modelshelf.errors import UsageError, VaultError
from modelshelf.shelf import open_shelf
from modelshelf.vault import Secret, Vault
from modelshelf.vault.keychain import Keychain
from modelshelf.vault.masters import Masters

SECRET = Secret("sk-canary-0123456789")
FIRST, SECOND = (base64.b64encode(bytes(range(start, start + 32))).decode() for start in (1, 101))

Open = Callable[..., Vault]


class MemoryKeychain(KeyringBackend):
    """A desktop's keychain; a locked one refuses."""

    priority: float = 5
    name = "memory"

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}
        self.asked = 0
        self.locked = False

    def get_password(self, service: str, username: str) -> str | None:
        self._ask()
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self._ask()
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        self._ask()
        if self.kept.pop((service, username), None) is None:
            raise PasswordDeleteError

    def _ask(self) -> None:
        self.asked += 1
        if self.locked:
            raise KeyringLocked("the person said no")


def settings(config: ConfigManager, **environ: str) -> ConfigManager:
    return ConfigManager(config.home, {**config.environ, **environ})


def private(file: Path, text: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch(mode=0o600)
    file.write_text(text)
    return file


def credentials(tmp_path: Path, text: str) -> str:
    return str(private(tmp_path / "credentials" / "modelshelf-master-key", text).parent)


@pytest.mark.parametrize("form", ["base64", "urlsafe", "unpadded", "hex", "spaced"])
async def test_a_key_from_the_environment_in_every_form(open_vault: Open, config: ConfigManager, form: str) -> None:
    raw = base64.b64decode(FIRST)
    text = {
        "base64": FIRST,
        "urlsafe": base64.urlsafe_b64encode(raw).decode(),
        "unpadded": FIRST.rstrip("="),
        "hex": raw.hex(),
        "spaced": f"\n {FIRST} \n",
    }[form]
    await open_vault(settings(config, MODELSHELF_MASTER_KEY=FIRST)).put("a", SECRET)
    assert await open_vault(settings(config, MODELSHELF_MASTER_KEY=text)).get("a") == SECRET


async def test_what_is_given_is_used_and_nothing_is_written(
    open_vault: Open, config: ConfigManager, keys: Path, tmp_path: Path
) -> None:
    for number, environ in enumerate(
        (
            {"MODELSHELF_MASTER_KEY": FIRST},
            {"CREDENTIALS_DIRECTORY": credentials(tmp_path, FIRST)},
            {"MODELSHELF_VAULT__KEY_FILE": str(private(tmp_path / "own.key", FIRST))},
        )
    ):
        vault = open_vault(settings(config, **environ))
        await vault.put(f"name/{number}", SECRET)
        assert await vault.get("name/0") == SECRET
        source = ("environment", "credential", "key file")[number]
        assert ((await vault.status()).state, (await vault.status()).source) == ("well", source)
    assert not keys.exists()


@pytest.mark.parametrize(
    "text", ["hunter2", "0" * 64, "A" * 43 + "=", FIRST + FIRST, "ä" * 44, base64.b64encode(b"x" * 32).decode()]
)
async def test_what_is_no_key_is_refused_and_not_told(vault: Vault, config: ConfigManager, text: str) -> None:
    config.environ["MODELSHELF_MASTER_KEY"] = text
    with pytest.raises(VaultError, match="MODELSHELF_MASTER_KEY holds no master key") as caught:
        await vault.start()
    assert "openssl" in caught.value.remedy
    assert text not in str(caught.value)


async def test_two_places_that_disagree_are_refused(vault: Vault, config: ConfigManager, tmp_path: Path) -> None:
    config.environ["MODELSHELF_MASTER_KEY"] = FIRST
    config.environ["CREDENTIALS_DIRECTORY"] = credentials(tmp_path, FIRST)
    await vault.start()
    config.set("vault.key_file", str(private(tmp_path / "own.key", SECOND)))
    with pytest.raises(VaultError, match="two different master keys") as caught:
        await vault.start()
    assert "MODELSHELF_MASTER_KEY" in str(caught.value)
    assert "own.key" in str(caught.value)
    with pytest.raises(VaultError, match="two different"):
        await vault.put("a", SECRET)


async def test_another_key_than_the_secrets_were_saved_with_is_refused(
    vault: Vault, open_vault: Open, config: ConfigManager, keys: Path
) -> None:
    await vault.put("a", SECRET)
    config.environ["MODELSHELF_MASTER_KEY"] = SECOND
    with pytest.raises(VaultError, match="not the one with which") as caught:
        await vault.start()
    (file,) = keys.iterdir()
    assert str(file) in str(caught.value)  # where the right one is
    assert SECOND not in str(caught.value)
    status = await vault.status()
    assert (status.state, status.secrets) == ("closed", 1)
    del config.environ["MODELSHELF_MASTER_KEY"]
    assert await vault.get("a") == SECRET


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
async def test_a_key_that_others_can_read_is_refused(vault: Vault, keys: Path, tmp_path: Path, mode: int) -> None:
    await vault.put("a", SECRET)
    (file,) = keys.iterdir()
    file.chmod(mode)
    with pytest.raises(VaultError, match="Others") as caught:
        await vault.start()
    assert f"chmod 600 {file}" in caught.value.remedy
    file.chmod(0o600)
    await vault.start()


async def test_a_key_file_is_made_when_it_is_first_needed(
    vault: Vault, open_vault: Open, config: ConfigManager, keys: Path, tmp_path: Path
) -> None:
    file = tmp_path / "stick" / "shelf.key"
    config.set("vault.key_file", str(file))
    with pytest.raises(VaultError, match="cannot be written"):  # the stick is not there: no folder is made in its place
        await open_vault().put("a", SECRET)
    file.parent.mkdir()
    await open_vault().put("a", SECRET)
    assert file.stat().st_mode & 0o777 == 0o600
    assert not keys.exists()
    assert await open_vault().get("a") == SECRET
    file.unlink()
    with pytest.raises(VaultError, match="missing"):
        await vault.start()


async def test_the_keychain_is_used_where_there_is_one_and_only_when_it_is_needed(
    vault: Vault, open_vault: Open, config: ConfigManager, keys: Path
) -> None:
    keychain = MemoryKeychain()
    vault.masters.keychain = Keychain(lambda: True, lambda: keychain)
    await vault.start()
    assert keychain.asked == 0
    await vault.put("a", SECRET)
    (text,) = keychain.kept.values()
    assert not keys.exists()

    other = open_vault()
    other.masters.keychain = Keychain(lambda: True, lambda: keychain)
    keychain.asked = 0
    await other.start()
    await other.info()
    assert keychain.asked == 0
    assert await other.get("a") == SECRET
    assert await other.get("a") == SECRET
    assert keychain.asked == 1
    assert (await other.status()).place == "the keychain (memory)"

    await other.rotate_master()
    assert len(keychain.kept) == 1
    assert text not in keychain.kept.values()
    assert await vault.get("a") == SECRET

    keychain.locked = True
    third = open_vault(settings(config, MODELSHELF_VAULT__KEYCHAIN="false"))
    third.masters.keychain = Keychain(lambda: True, lambda: keychain)
    for call in (third.get("a"), third.put("b", SECRET)):
        with pytest.raises(VaultError, match="said no") as caught:
            await call
        assert "Unlock" in caught.value.remedy
    assert not keys.exists()  # what a person refused the keychain is not written into a file instead


async def test_a_keychain_that_is_none_is_not_used(config: ConfigManager) -> None:
    class Plain(MemoryKeychain):
        priority = 0.5

    class Broken(MemoryKeychain):
        @property
        def priority(self) -> float:  # type: ignore[override] # as the real ones do it
            raise RuntimeError("no session bus")

    class Chain(MemoryKeychain):
        backends = (FailingKeyring(), MemoryKeychain())

    for backend in (FailingKeyring, Plain, Broken, Chain):
        assert not Keychain(lambda: True, backend).usable
    assert not Keychain(lambda: False, MemoryKeychain).usable
    assert Keychain(lambda: True, MemoryKeychain).usable
    assert not Masters(config).keychain.usable


async def test_a_master_key_that_others_keep_is_changed_by_them(open_vault: Open, config: ConfigManager) -> None:
    vault = open_vault(settings(config, MODELSHELF_MASTER_KEY=FIRST))
    await vault.put("a", SECRET)
    with pytest.raises(VaultError, match="MODELSHELF_MASTER_KEY") as caught:
        await vault.rotate_master()
    assert "--key-stdin" in caught.value.remedy
    assert await vault.get("a") == SECRET
    with pytest.raises(UsageError, match="neither Base64 nor"):
        await vault.rotate_master(Secret("correct horse battery staple"))
    await vault.rotate_master(Secret(SECOND))
    assert await open_vault(settings(config, MODELSHELF_MASTER_KEY=SECOND)).get("a") == SECRET
    with pytest.raises(VaultError, match="not the one with which"):
        await vault.start()


async def test_a_copied_home_opens_wherever_it_lies(
    vault: Vault, config: ConfigManager, tmp_path: Path, keys: Path
) -> None:
    await vault.put("a", SECRET)
    config.home.rename(tmp_path / "moved")
    async with open_shelf(config=ConfigManager(tmp_path / "moved", config.environ), without={"health"}) as shelf:
        assert await shelf.vault.get("a") == SECRET
