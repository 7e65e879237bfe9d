"""The doctor says what is wrong and how to mend it, each thing by itself, on the real thing."""

import os
import sqlite3
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock
from sqlalchemy.orm import Session

from modelshelf.config import ConfigManager
from modelshelf.hooks import POINTS
from modelshelf.integration import Check, diagnose
from modelshelf.integration.doctor import examine
from modelshelf.integration.places import on_disk, orphans
from modelshelf.integration.surroundings import around, clock, packages
from modelshelf.shelf import open_shelf
from modelshelf.store.tables import JobRow, WebhookDeliveryRow, now

if TYPE_CHECKING:
    from modelshelf.shelf import Shelf


def found(checks: list[Check]) -> dict[str, Check]:
    return {check.name: check for check in checks}


async def test_a_fresh_home_is_well(config: ConfigManager) -> None:
    checks = found(await diagnose(config))
    assert not [check for check in checks.values() if check.status == "wrong"]
    assert checks.keys() >= {
        "python", "packages", "port", "processes", "certificates", "home", "library", "work", "settings", "database",
        "locks", "secrets", "source samples", "catalogue", "provider builtin", "downloads", "part files",
    }  # fmt: skip
    assert all(check.remedy for check in checks.values() if check.status != "well")


async def test_settings_that_cannot_be_read_are_told_without_a_traceback(home: Path) -> None:
    home.mkdir()
    (home / "config.toml").write_text("[server\n")
    os.environ["MODELSHELF_HOME"] = str(home)
    try:
        checks = found(await diagnose())
    finally:
        del os.environ["MODELSHELF_HOME"]
    assert checks["settings"].status == "wrong"
    assert "Mend the file" in checks["settings"].remedy


def test_a_file_of_settings_that_others_may_write_is_noted(config: ConfigManager) -> None:
    config.file.chmod(0o666)
    assert found(on_disk(config))["settings"].status == "note"


def test_a_home_that_cannot_be_written_is_wrong(environ: dict[str, str]) -> None:
    check = found(on_disk(ConfigManager(Path("/proc/1/home"), environ)))["home"]
    assert check.status == "wrong"
    assert "MODELSHELF_HOME" in check.remedy


async def test_a_damaged_database_is_wrong_and_a_newer_one_too(shelf: "Shelf") -> None:
    config = shelf.config
    file = config.paths.database
    assert found(on_disk(config))["database"].status == "well"
    await shelf.stop()
    with sqlite3.connect(file) as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    database.close()
    newer = found(on_disk(config))
    assert newer["database"].status == "well"
    assert newer["migrations"].status == "wrong"
    assert "newest Modelshelf" in newer["migrations"].remedy
    data = bytearray(file.read_bytes())
    for start in range(8192, len(data), 4096):
        data[start : start + 2000] = os.urandom(2000)
    file.write_bytes(data)
    check = found(on_disk(config))["database"]
    assert check.status == "wrong"
    assert "models on disk are found again" in check.remedy


def test_part_files_that_nobody_needs_are_counted(tmp_path: Path) -> None:
    parts = tmp_path / "parts"
    used, young, old = parts / "a" / "1.part", parts / "a" / "2.part", parts / "a" / "3.part"
    used.parent.mkdir(parents=True)
    for file in (used, young, old):
        file.write_bytes(bytes(100_000))
    for file in (used, old):
        os.utime(file, (time.time() - 100_000,) * 2)
    check = orphans(parts, frozenset({used}))
    assert check.status == "note"
    assert check.detail.startswith("1 belong to no download")
    assert str(old) in check.detail
    assert orphans(tmp_path / "none", frozenset()).status == "well"


def test_the_last_error_in_the_log_of_the_engine_is_shown(config: ConfigManager) -> None:
    log = config.paths.logs / "engine.log"
    log.parent.mkdir(parents=True)
    log.write_text("0.1 I loading\n0.2 E the file is cut short\n0.3 I exiting\n")
    assert found(on_disk(config))["engine log"].detail == "the file is cut short"
    os.utime(log, (time.time() - 100_000,) * 2)
    assert "engine log" not in found(on_disk(config))


def test_a_lock_that_another_holds_is_told(config: ConfigManager) -> None:
    done, held = threading.Event(), threading.Event()

    def hold() -> None:
        with FileLock(config.home / "vault.lock"):
            held.set()
            done.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    try:
        assert found(on_disk(config))["locks"].status == "note"
    finally:
        done.set()
        thread.join()
    assert found(on_disk(config))["locks"].status == "well"


async def test_a_port_in_use_certificates_and_a_proxy_that_are_not_there(config: ConfigManager) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        config.set("server.port", taken.getsockname()[1])
        config.set("network.ca_file", str(config.home / "none.pem"))
        config.set("network.proxy", "http://127.0.0.1:9")
        checks = found(await around(config))
    assert checks["port"].status == "note"
    assert "--port" in checks["port"].remedy
    assert checks["certificates"].status == "wrong"
    assert checks["proxy"].status == "wrong"


def test_the_packages_that_are_needed_are_there() -> None:
    assert packages().status == "well"


@pytest.mark.parametrize(("minutes", "status"), [(0, "well"), (4, "well"), (30, "wrong"), (-300, "wrong")])
def test_the_clock_is_held_against_that_of_a_source(minutes: int, status: str) -> None:
    moment = datetime(2026, 11, 27, 12, tzinfo=UTC)
    check = clock("Fri, 27 Nov 2026 12:00:00 GMT", moment + timedelta(minutes=minutes))
    assert check.status == status
    assert clock("no date", moment).status == "well"


class Broken:
    points = POINTS

    def __call__(self, point: str, about: object) -> None:
        raise ValueError("out of order")


async def test_hooks_messages_and_downloads_that_went_wrong_are_told(config: ConfigManager) -> None:
    """Without the workers, which would mend some of it meanwhile."""
    async with open_shelf(config=config, without={"downloads", "hooks", "health", "catalog sync"}) as shelf:
        await look_at_what_went_wrong(shelf)


async def look_at_what_went_wrong(shelf: "Shelf") -> None:
    shelf.config.set("hooks.use", ["no_such_module:Thing"])
    shelf.config.set("hooks.webhooks", [{"name": "ci", "url": "http://example.org/"}])
    shelf.hooks.add("bad", Broken())
    await shelf.hooks.tell("after_download", {})

    def leave(session: Session) -> None:
        row = WebhookDeliveryRow(id="a", webhook="ci", event="job.done", payload="{}", status="given up", answer="503")
        job = JobRow(id="j", source="samples", repo="a/b", status="transferring", owner="gone")
        job.lease_until = now() - timedelta(hours=1)
        session.add_all([row, job])

    await shelf.store.write(leave)
    checks = found(await examine(shelf))
    assert "no_such_module" in checks["hooks"].detail
    assert (
        "out of order" in checks["hooks that failed"].detail or "cannot be loaded" in checks["hooks that failed"].detail
    )
    assert "not encrypted" in checks["webhooks"].detail
    assert "did not reach ci: 503" in checks["messages"].detail
    assert checks["downloads"].status == "note"
    assert all(checks[name].remedy or name == "webhooks" for name in ("hooks", "messages", "downloads"))
