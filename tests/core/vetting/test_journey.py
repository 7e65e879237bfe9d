"""The malicious sample on its way: seen before the download, held, released with a reason; and the policy's say."""

from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from modelshelf.access import Principal, Role, acting_as
from modelshelf.downloads.types import Job
from modelshelf.errors import ChecksumMismatch, NotFound, RoleRequired, UsageError
from modelshelf.shelf import Shelf
from modelshelf.vetting import Verdict
from tests.core.vetting import ggufs, pickled, safe, stock
from tests.core.vetting.others import SYSTEM

EVIL = "samples/suspicious-pickle"
REASON = "It is our own sample, and only prints a line."


async def ended(shelf: Shelf, job: str) -> Job:
    async with aclosing(shelf.downloads.follow(job)) as steps:
        async for step in steps:
            last = step
    return last


async def test_what_is_unsafe_is_seen_before_the_download(shelf: Shelf) -> None:
    found = await shelf.vetting.prescan(EVIL)
    assert found.verdict is Verdict.BLOCK
    assert found.hub.status == "done"
    rules = {finding.rule for finding in found.findings}
    assert {"HUB_UNSAFE", "PICKLE_IMPORT"} <= rules
    assert 0 < found.fetched < 3_000_000


async def test_a_good_model_is_looked_at_for_a_few_bytes(shelf: Shelf) -> None:
    found = await shelf.vetting.prescan("samples/tiny-llama-GGUF")
    assert found.verdict is Verdict.PASS
    assert found.reports
    assert not found.unseen
    assert found.as_dict()["verdict"] == "pass"


async def test_held_explained_and_released_by_an_administrator_with_a_reason(shelf: Shelf) -> None:
    job = await ended(shelf, await shelf.downloads.start(EVIL))
    assert job.status == "quarantined"
    held = await shelf.vetting.quarantine.items()
    assert {item.path for item in held} >= {"pytorch_model.bin"}
    assert all(item.findings for item in held)
    for item in held:
        with acting_as(Principal("guest", Role.OPERATOR)), pytest.raises(RoleRequired):
            await shelf.vetting.quarantine.release(item.id, REASON)
        with pytest.raises(UsageError, match="needs a reason"):
            await shelf.vetting.quarantine.release(item.id, "ok")
        await shelf.vetting.quarantine.release(item.id, REASON)
        with pytest.raises(NotFound):
            await shelf.vetting.quarantine.release(item.id, REASON)
    assert await shelf.vetting.quarantine.items() == ()
    deeds = [(row["action"], row["outcome"]) for row in await shelf.access.audit()]
    assert ("quarantine.release", "done") in deeds
    assert ("quarantine.release", "refused") in deeds
    again = await ended(shelf, await shelf.downloads.start(EVIL))
    assert again.status == "done", (again.error, again.result)


async def test_what_changed_in_quarantine_is_not_released(shelf: Shelf) -> None:
    await ended(shelf, await shelf.downloads.start(EVIL))
    (item, *_) = await shelf.vetting.quarantine.items()
    place = shelf.vetting.quarantine.folder / item.id
    place.chmod(0o600)
    place.write_bytes(place.read_bytes()[:-1] + b"x")
    with pytest.raises(ChecksumMismatch, match="is not released"):
        await shelf.vetting.quarantine.release(item.id, REASON)
    assert item.id in {held.id for held in await shelf.vetting.quarantine.items()}


def policy(shelf: Shelf, text: str) -> None:
    Path(shelf.vetting.policy_file).write_text(text, "utf-8")


async def test_a_forbidden_publisher_is_not_even_fetched(shelf: Shelf) -> None:
    policy(shelf, '[[rule]]\npublisher = "SAMPLES"\ndecision = "block"\nreason = "Not these."\n')
    job = await ended(shelf, await shelf.downloads.start("samples/tiny-llama-GGUF"))
    assert job.status == "quarantined"
    assert job.fetched == 0
    assert "Not these." in job.error
    assert await shelf.vetting.quarantine.items() == ()
    found = await shelf.vetting.prescan("samples/tiny-llama-GGUF")
    assert found.verdict is Verdict.BLOCK


async def test_a_policy_that_is_wrong_lets_nothing_in_and_says_why(shelf: Shelf) -> None:
    policy(shelf, 'decision = "perhaps"\n')
    job = await ended(shelf, await shelf.downloads.start("samples/tiny-llama-GGUF"))
    assert job.status == "failed"
    assert "“decision” is 'perhaps'" in job.error
    policy(shelf, "")
    await shelf.downloads.retry(job.id)
    assert (await ended(shelf, job.id)).status == "done"


async def test_a_format_that_a_person_must_decide_on_waits_until_somebody_accepts_it(shelf: Shelf) -> None:
    policy(shelf, '[formats]\ngguf = "review"\n')
    job = await ended(shelf, await shelf.downloads.start("samples/tiny-llama-GGUF"))
    assert job.status == "review"
    assert {finding["rule"] for finding in job.result["findings"]} == {"POLICY_FORMAT"}
    policy(shelf, "")
    again = await ended(shelf, await shelf.downloads.start("samples/tiny-llama-GGUF"))
    assert again.status == "done"


async def published(shelf: Shelf, name: str, files: dict[str, bytes], **more: Any) -> str:
    """A repository of the test's own on the sample hub."""
    await shelf.catalog.detail(EVIL)  # the hub starts with the first question
    source: Any = shelf.catalog.source("samples")
    server, _ = source._running
    await server.add(f"samples/{name}", files, **more)
    return f"samples/{name}"


CONFIG = b'{"model_type": "phi3", "auto_map": {"AutoModel": "modeling.Phi"}}'


async def test_custom_code_waits_until_an_administrator_has_read_it(shelf: Shelf) -> None:
    files = {"config.json": CONFIG, "model.safetensors": safe.build(safe.GOOD, 32)}
    repo = await published(shelf, "custom", files)
    assert (await shelf.vetting.prescan(repo)).verdict is Verdict.REVIEW
    waiting = await ended(shelf, await shelf.downloads.start(repo))
    assert waiting.status == "review"
    for finding in waiting.result["findings"]:
        await shelf.vetting.accept(finding["sha256"], finding["file"], "I have read modeling.py.")
    await shelf.downloads.retry(waiting.id)
    assert (await ended(shelf, waiting.id)).status == "done"
    policy(shelf, '[[rule]]\npublisher = "samples"\nremote_code = "block"\n')
    assert (await shelf.vetting.prescan(repo)).verdict is Verdict.BLOCK
    policy(shelf, '[[rule]]\npublisher = "samples"\nremote_code = "allow"\n')
    assert (await shelf.vetting.prescan(repo)).verdict is Verdict.PASS


UNSEEN = {
    "torch": (
        "pytorch_model.bin",
        lambda: stock.torch_file({"data/0": bytes(3 << 20), "data.pkl": SYSTEM, "version": b"3"}),
    ),
    "legacy": ("pytorch_model.bin", lambda: pickled.legacy(body=SYSTEM, tail=bytes(3 << 20))),
    "template": ("model.gguf", lambda: ggufs.with_key(("tokenizer.chat_template", ggufs.STRING, "{{ ''.__class__ }}"))),
    "safetensors": (
        "model.safetensors",
        lambda: safe.build({"a": safe.entry("U8", [2 << 20], 0, 2 << 20)}, (2 << 20) + 1),
    ),
    "jinja": ("chat_template.jinja", lambda: b"{{ ''.__class__ }}"),
    "encrypted": ("pytorch_model.bin", lambda: encrypted(3 << 20)),
}


def encrypted(size: int) -> bytes:
    data = bytearray(stock.torch_file({"data.pkl": pickled.state_dict(), "data/0": bytes(size)}))
    data[data.find(b"PK\1\2") + 8] |= 1
    return bytes(data)


@pytest.mark.parametrize("name", sorted(UNSEEN))
async def test_a_few_bytes_tell_what_is_unsafe(shelf: Shelf, name: str) -> None:
    path, make = UNSEEN[name]
    repo = await published(shelf, name, {path: make()})
    found = await shelf.vetting.prescan(repo, [path])
    assert found.verdict is Verdict.BLOCK, found
    assert found.fetched < 8_500_000


async def test_good_weights_of_every_kind_pass_beforehand(shelf: Shelf) -> None:
    big: pickled.Shapes = {f"l.{n}": ("FloatStorage", (256, 1024)) for n in range(4)}
    files = {
        "a.bin": stock.saved(pickled.state_dict(big), [1 << 20] * 4),
        "b.bin": pickled.legacy(big),
        "c.gguf": ggufs.build(),
        "d.safetensors": safe.build({"a": safe.entry("U8", [2 << 20], 0, 2 << 20)}, 2 << 20),
        "config.json": b"{}",
    }
    repo = await published(shelf, "good", files)
    found = await shelf.vetting.prescan(repo, list(files))
    assert (found.verdict, found.unseen) == (Verdict.PASS, ()), found.findings
    assert len(found.reports) == len(files)


async def test_what_the_hub_says_makes_verdicts_worse_never_better(shelf: Shelf) -> None:
    for word, verdict, status in (
        ("safe", Verdict.PASS, "done"),
        ("queued", Verdict.PASS, "pending"),
        ("caution", Verdict.REVIEW, "done"),
        ("never-heard-of", Verdict.REVIEW, "done"),
        ("unsafe", Verdict.BLOCK, "done"),
    ):
        repo = await published(shelf, f"said-{word}", {"m.gguf": ggufs.build()}, security={"m.gguf": word})
        found = await shelf.vetting.prescan(repo)
        assert (found.verdict, found.hub.status) == (verdict, status), word
        assert found.hub.sentence.endswith(".")
    evil = await published(shelf, "said-well", {"m.pkl": SYSTEM}, security={"m.pkl": "safe"})
    assert (await shelf.vetting.prescan(evil)).verdict is Verdict.BLOCK


async def test_no_path_of_the_library_leads_into_quarantine(shelf: Shelf) -> None:
    await ended(shelf, await shelf.downloads.start(EVIL))
    (item, *_) = await shelf.vetting.quarantine.items()
    folder = shelf.vetting.quarantine.folder
    assert folder.stat().st_dev == shelf.library.cache.stat().st_dev
    assert not folder.resolve().is_relative_to(shelf.library.cache.resolve())
    snapshot = shelf.library.cache / "models--org--sly" / "snapshots" / ("c" * 40)
    snapshot.mkdir(parents=True)
    (snapshot / "m.gguf").symlink_to(folder / item.id)
    models = {model.repo: model for model in await shelf.library.models()}
    assert EVIL not in models
    assert not any(file.file.resolve().is_relative_to(folder) for one in models.values() for file in one.files)
    assert "sly" not in {served.name for served in await shelf.library.served()}
