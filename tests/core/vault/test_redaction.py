"""Nothing secret is written by any logger of the process, however it got there."""

import io
import json
import logging
import traceback
from collections.abc import Iterator
from typing import NoReturn
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelshelf.vault import Secret, redaction
from modelshelf.vault.redaction import redact

CANARY = "canary-3f9c1e77b2&/ä\"'x"


@pytest.fixture(autouse=True)
def known() -> Iterator[None]:
    """The canary is a secret of this process, and its logs are kept clean, until the end of the test."""
    before = logging.getLogRecordFactory()
    Secret(CANARY)
    redaction.install()
    yield
    logging.setLogRecordFactory(before)


@pytest.fixture(params=["modelshelf.providers", "aiohttp.client", "uvicorn.error", "asyncio", "sqlalchemy.engine"])
def logger(request: pytest.FixtureRequest) -> logging.Logger:
    return logging.getLogger(request.param)


@pytest.fixture
def written(logger: logging.Logger) -> Iterator[io.StringIO]:
    """What a handler writes that somebody else added, with everything a formatter can show."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield stream
    logger.removeHandler(handler)
    logger.setLevel(level)


def fail(text: str) -> NoReturn:
    raise RuntimeError(text)


def test_messages_arguments_tracebacks_and_stacks(logger: logging.Logger, written: io.StringIO) -> None:
    logger.warning("sent %s", CANARY)
    logger.warning("sent %r and %s", CANARY, {"key": CANARY})
    logger.warning("sent %(key)s", {"key": CANARY})
    logger.warning("sent %s", Shown())
    logger.warning(f"sent {CANARY}")
    logger.warning(RuntimeError(CANARY))
    logger.warning("stack", stack_info=True)
    headers = {"Authorization": f"Bearer {CANARY}", "X-Api-Key": CANARY}
    try:
        fail(f"the request failed: {headers!r}")
    except RuntimeError as error:
        logger.exception("it failed")
        logger.error("later", exc_info=error)
    text = written.getvalue()
    assert "canary" not in text
    assert text.count(redaction.HIDDEN) >= 8
    assert "RuntimeError: the request failed" in text
    assert "in fail" in text  # the traceback itself is there


def raised(text: str) -> RuntimeError:
    try:
        fail(text)
    except RuntimeError as error:
        return error


class Shown:
    def __str__(self) -> str:
        return f"Shown({CANARY})"


class Broken:
    def __str__(self) -> str:
        raise RuntimeError(CANARY)


def test_a_formatter_that_shows_exceptions_by_itself_has_nothing_to_show(logger: logging.Logger) -> None:
    seen: list[str] = []

    class Own(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.extend(traceback.format_exception(*record.exc_info) if record.exc_info else ["nothing"])

    handler = Own()
    logger.addHandler(handler)
    try:
        for cause in (CANARY, "harmless"):
            logger.error("failed", exc_info=raised(cause))
    finally:
        logger.removeHandler(handler)
    assert seen[0] == "nothing"
    assert "harmless" in "".join(seen)
    assert "canary" not in "".join(seen)


def test_a_record_that_cannot_be_written_shows_no_arguments(
    logger: logging.Logger, written: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    # The message is taken to pieces by the handler above, which complains on standard error, and by pytest's own.
    with pytest.raises((TypeError, RuntimeError)):
        logger.warning("%s %s", {"key": CANARY})
    with pytest.raises((TypeError, RuntimeError)):
        logger.warning("%d", Broken())
    assert "canary" not in capsys.readouterr().err + written.getvalue()


def test_what_holds_no_secret_stays_as_it_was(logger: logging.Logger) -> None:
    record = logger.makeRecord(logger.name, logging.INFO, __file__, 1, "%s of %d for %s", ("a", 3, {"b": 1}), None)
    assert (record.msg, record.args) == ("%s of %d for %s", ("a", 3, {"b": 1}))
    access = ("127.0.0.1:1", "GET", f"/v1/models?key={quote(CANARY)}", "1.1", 200)
    record = logger.makeRecord(logger.name, logging.INFO, __file__, 1, '%s - "%s %s HTTP/%s" %d', access, None)
    assert isinstance(record.args, tuple)
    assert record.args[2] == "/v1/models?key=(secret)"  # each part in its place, as uvicorn's own formatter wants it
    assert record.args[4] == 200


def test_a_second_call_adds_nothing() -> None:
    factory = logging.getLogRecordFactory()
    redaction.install()
    assert logging.getLogRecordFactory() is factory


@pytest.mark.parametrize(
    "form", [CANARY, json.dumps(CANARY), repr(CANARY), quote(CANARY), quote(CANARY, safe=""), json.dumps({"a": CANARY})]
)
def test_a_known_secret_in_every_form(form: str) -> None:
    assert "canary" not in redact(f"<{form}>")


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("key sk-proj-abcdefgh12345678 is wrong", "key (secret) is wrong"),
        ("hf_abcdefghijklmnop", "(secret)"),
        ("gsk_abcdefghijklmnop, xai-abcdefghijkl", "(secret), (secret)"),
        ("AIzaSyA-1234567890abcdefghijkl", "(secret)"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer (secret)"),
        ("authorization: Basic dXNlcjpwYXNz", "authorization: Basic (secret)"),
        ("'Authorization': 'Bearer abc'", "'Authorization': 'Bearer (secret)'"),
        ("(b'authorization', b'Bearer abc')", "(b'authorization', b'Bearer (secret)')"),
        ("x-api-key: abc, accept: */*", "x-api-key: (secret), accept: */*"),
        ('{"x-goog-api-key": "abc"}', '{"x-goog-api-key": "(secret)"}'),
        (r"{\"x-api-key\": \"abc\"}", r"{\"x-api-key\": \"(secret)\"}"),
        ("Cookie: a=b; c=d", "Cookie: (secret)"),
        ("token bearer abcdefghij", "token bearer (secret)"),
        ("https://a.example/v1?key=abc&b=1", "https://a.example/v1?key=(secret)&b=1"),
        ("https://a.example/v1?b=1&api_key=abc", "https://a.example/v1?b=1&api_key=(secret)"),
        ("https://me:pass@a.example/v1", "https://(secret)@a.example/v1"),
        ("http://127.0.0.1:5006/login#abcdefgh1234", "http://127.0.0.1:5006/login#(secret)"),
        ("api_key='abc', model='m'", "api_key='(secret)', model='m'"),
        ('{"access_token": "abc", "token": "x"}', '{"access_token": "(secret)", "token": "(secret)"}'),
        ("MODELSHELF_MASTER_KEY='abc'", "MODELSHELF_MASTER_KEY='(secret)'"),
    ],
)
def test_what_looks_like_a_secret_is_taken_for_one(text: str, clean: str) -> None:
    assert redact(text) == clean
    assert redact(clean) == clean


@pytest.mark.parametrize(
    "text",
    [
        "skipped 3 of 5 tokens, max_tokens=512",
        "the bearer of bad news",
        "https://huggingface.co:443/org/model?limit=20&sort=downloads",
        "12:30:01 samples/tiny-llama-GGUF is in the library",
        "token 'Once' follows 'upon'",
        "hf_hub and sk-learn",
        "monkey='banana'",
    ],
)
def test_ordinary_sentences_stay(text: str) -> None:
    assert redact(text) == text


@given(st.text(st.characters(), max_size=400))
def test_any_text_can_be_cleaned(text: str) -> None:
    assert CANARY not in redact(text + CANARY + text)


def test_long_lines_take_no_long_time() -> None:
    for piece in ("a.", "x-api-key ", "cookie", "://", "?key", "bearer ", "token:'", "sk-"):
        redact(piece * 50_000)
