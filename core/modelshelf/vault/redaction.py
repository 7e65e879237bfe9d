"""Keeps secrets out of the logs: the values this process knows, and whatever has the shape of one.

`install()` hooks into the making of log records. Handlers come and go, also those of libraries; every record is made
in one place, and what is taken out of it there no handler can write.
"""

import base64
import json
import logging
import re
import threading
import traceback
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, quote_plus

HIDDEN = "(secret)"
SHORTEST = 8
"""Shorter values are not looked for: they would be found in every other word."""
MOST = 4096
LONGEST_SHAPED = 500_000

_HEADERS = r"(?:proxy-)?authorization|(?:(?:x|xi|x-goog)-)?api-key|x-auth-token"
_FIELDS = (
    r"(?:api|master|private)[_-]?key|(?:(?:access|refresh|auth|id|hf)[_-]?)?token"
    r"|(?:(?:client|app)[_-]?)?secret|passw(?:or)?d"
)
_QUOTE = r"""(?:b?\\*['"])?"""
_SCHEME = r"(?:(?:bearer|basic|token)\s+)?"
_NOT_YET = r"(?!\(secret\))"
_SHAPES = (
    # Keys that say by their first letters what they are.
    (
        re.compile(r"(?<![A-Za-z0-9])(?:sk|rk|csk|pplx|nvapi|xai|hf|gsk|fw|r8|ghp|github_pat|glpat)[-_][\w-]{8,}"),
        HIDDEN,
    ),
    (re.compile(r"(?<![A-Za-z0-9])AIza[\w-]{20,}"), HIDDEN),
    # Headers: as text, as a mapping, as pairs of bytes.
    (
        re.compile(
            rf"(?i)(?>((?<![\w-])(?:{_HEADERS}){_QUOTE}\s*(?:[:=]|(?<=['\"]),)\s*{_QUOTE}{_SCHEME}))"
            rf"""{_NOT_YET}[^\s'",;)}}\]\\]+"""
        ),
        rf"\1{HIDDEN}",
    ),
    (
        re.compile(rf"(?i)(?>((?<![\w-])(?:set-)?cookie{_QUOTE}\s*[:=]\s*{_QUOTE})){_NOT_YET}[^'\"\r\n\\]+"),
        rf"\1{HIDDEN}",
    ),
    (re.compile(rf"(?i)(\bbearer\s+){_NOT_YET}[\w.~+/=-]{{8,}}"), rf"\1{HIDDEN}"),
    # Addresses: a query, a password before the host, our own one-time link.
    (re.compile(rf"(?i)([?&;](?:key|sig|signature|x-amz-\w+|{_FIELDS})=){_NOT_YET}[^&\s'\"#]+"), rf"\1{HIDDEN}"),
    (re.compile(r"(?i)(\b[a-z][a-z0-9+.-]{0,20}://)[^/\s@'\"]*:[^/\s@'\"]*@"), rf"\1{HIDDEN}@"),
    (re.compile(r"(/login#)[\w-]{8,}"), rf"\1{HIDDEN}"),
    # Fields of JSON and of Python's reprs.
    (
        re.compile(rf"""(?i)((?<![a-z0-9])(?:{_FIELDS}){_QUOTE}\s*[:=]\s*\\*)(['"]){_NOT_YET}[^'"]+\2"""),
        rf"\1\2{HIDDEN}\2",
    ),
)

_known: OrderedDict[str, None] = OrderedDict()
_lock = threading.Lock()


def remember(value: str) -> None:
    """Leave this value out of the logs from now on, also as it looks in JSON, in an address or in Base64."""
    if len(value.strip()) < SHORTEST:
        return
    with _lock:
        if value in _known:
            _known.move_to_end(value)
            return
        for form in _forms(value):
            _known[form] = None
        while len(_known) > MOST:
            _known.popitem(last=False)


def redact(text: str) -> str:
    """The text without the secrets that are known here, and without what looks like one."""
    with _lock:
        known = list(_known)
    # The longest first: a secret may be a part of another one.
    for value in sorted((value for value in known if value in text), key=len, reverse=True):
        text = text.replace(value, HIDDEN)
    if len(text) <= LONGEST_SHAPED:
        for shape, instead in _SHAPES:
            text = shape.sub(instead, text)
    return text


def install() -> None:
    """From now on, no record of any logger of this process carries a secret. To call it again changes nothing."""
    before = logging.getLogRecordFactory()
    if getattr(before, "redacts", False):
        return

    def make(*args: Any, **kwargs: Any) -> logging.LogRecord:
        return _cleaned(before(*args, **kwargs))

    make.redacts = True  # type: ignore[attr-defined] # how a second call knows it
    logging.setLogRecordFactory(make)


def _forms(value: str) -> set[str]:
    data = value.encode("utf-8", "surrogatepass")
    plain = {value, value.strip()}
    escaped = {json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1], repr(value)[1:-1]}
    packed = {base64.b64encode(data).decode().rstrip("="), base64.urlsafe_b64encode(data).decode().rstrip("=")}
    return plain | escaped | packed | {quote(data, safe=""), quote(data), quote_plus(data)}


def _cleaned(record: logging.LogRecord) -> logging.LogRecord:
    _clean_message(record)
    if record.exc_info and record.exc_info[0] is not None:
        said = "".join(traceback.format_exception(*record.exc_info)).rstrip("\n")
        cleaned = redact(said)
        if cleaned != said:
            # A formatter writes this text and asks no further; one that formats by itself finds nothing to format.
            record.exc_text, record.exc_info = cleaned, None
    if record.stack_info:
        record.stack_info = redact(record.stack_info)
    return record


def _clean_message(record: logging.LogRecord) -> None:
    """Clean texts in their places, since some formatters read them there; the rest as it will be written."""
    if isinstance(record.args, Mapping):
        record.args = {name: _clean(value) for name, value in record.args.items()}
    elif record.args:
        record.args = tuple(_clean(value) for value in record.args)
    try:
        said = record.getMessage()
    except Exception:  # noqa: BLE001 - any object may be logged; logging itself complains of it, with these arguments
        record.msg, record.args = _clean(record.msg), tuple(f"({type(value).__name__})" for value in record.args or ())
        return
    cleaned = redact(said)
    if cleaned != said:
        record.msg, record.args = cleaned, None


def _clean(value: object) -> object:
    return redact(value) if isinstance(value, str) else value
