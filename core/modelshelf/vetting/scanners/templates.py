"""Chat templates: their tree is checked first, then they are tried out in a sandbox with a time limit."""

import json
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from modelshelf.vetting.scanners.template_tree import TreeChecker, Unsafe
from modelshelf.vetting.spec import Content, Desk
from modelshelf.vetting.types import Finding

if TYPE_CHECKING:
    from jinja2 import Environment

MAX_TEMPLATE = 1_000_000
SECONDS = 2.0  # of processor time: a busy machine is not the template's fault
AGAIN = 0.5  # after that it is interrupted once more: an interruption can be lost within a destructor
_TALK = [
    {"role": "system", "content": "You are kind."},
    {"role": "user", "content": "Hello?"},
    {"role": "assistant", "content": "Hello!"},
    {"role": "user", "content": "Tell me more."},
]


class TemplateScanner:
    """Stand-alone template files."""

    formats = frozenset({"jinja"})
    modules = ("jinja2.sandbox", "jinja2.ext", "modelshelf.vetting.scanners.templates")

    def scan(self, content: Content, desk: Desk) -> Iterator[Finding]:
        """Check the whole file as one template."""
        data = content.read(0, MAX_TEMPLATE + 1)
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            yield Finding("TEMPLATE_BROKEN", content.name, "The template is not UTF-8.")
            return
        yield from check_template(text, content.name)


def check_template(text: str, where: str) -> Iterator[Finding]:
    """Find what a template could do besides writing text."""
    from jinja2 import TemplateSyntaxError

    if len(text) > MAX_TEMPLATE:
        yield Finding("TEMPLATE_TOO_LONG", where, f"The template has more than {MAX_TEMPLATE:,} characters.")
        return
    try:
        tree = _environment().parse(text)
        TreeChecker(tree).check()
        ends = _ends(text)
    except TemplateSyntaxError as error:
        yield Finding("TEMPLATE_BROKEN", f"{where}, line {error.lineno}", f"It is no template: {error.message}.")
    except RecursionError:
        yield Finding("TEMPLATE_NESTING", where, "The template nests too deeply.")
    except Unsafe as unsafe:
        yield Finding("TEMPLATE_UNSAFE", where, f"The template {unsafe}.")
    else:
        if not ends:
            yield Finding(
                "TEMPLATE_ENDLESS", where, f"The template does not come to an end within {SECONDS:.0f} seconds."
            )


@cache
def _environment() -> "Environment":
    from jinja2 import nodes
    from jinja2.ext import Extension, LoopControlExtension
    from jinja2.parser import Parser
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Generation(Extension):
        """`{% generation %}` marks what the model says; it changes nothing."""

        tags = {"generation"}  # noqa: RUF012

        def parse(self, parser: Parser) -> nodes.Node:
            line = next(parser.stream).lineno
            body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
            return nodes.Scope(body, lineno=line)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[LoopControlExtension, Generation]
    )
    environment.filters |= {"from_json": json.loads, "fromjson": json.loads, "tojson": _to_json}
    return environment


def warm() -> None:
    """Make what every template needs, in a process that scans many: it takes longer than most templates do."""
    _environment().from_string("{% for m in messages %}{{ m.role }}{% endfor %}").render(messages=_TALK)


class _Late(Exception):
    pass


def _ends(text: str) -> bool:
    """Whether the template comes to an end on a short talk; errors are an end, memory running out is none."""
    from jinja2 import TemplateError

    known = {"messages": _TALK, "bos_token": "<s>", "eos_token": "</s>", "add_generation_prompt": True}
    known |= {"raise_exception": _refuse, "strftime_now": lambda form: "", "tools": None, "documents": None}
    try:
        with _time_limit(SECONDS):
            _environment().from_string(text).render(known)
    except (_Late, MemoryError):
        return False
    except (NameError, SyntaxError):
        # What Jinja makes of it is no Python: an infinite number, or blocks in too many others.
        raise Unsafe("cannot be compiled") from None
    except (TemplateError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError, RecursionError):
        return True
    return True


def _to_json(value: Any, **_: Any) -> str:
    return json.dumps(value, default=str)


def _refuse(message: str) -> None:
    raise ValueError(message)


@contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """Interrupt what runs too long. Only a main thread can be interrupted; the scanning process has no other."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def late(*_: Any) -> None:
        raise _Late

    former = signal.signal(signal.SIGPROF, late)
    signal.setitimer(signal.ITIMER_PROF, seconds, AGAIN)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, former)
