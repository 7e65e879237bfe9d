"""Judge a file on this machine: no network, no database, no server."""

from dataclasses import replace
from pathlib import Path

from modelshelf.compat.devices import as_engine_sees, engine_devices
from modelshelf.compat.engines import engine, engines, on_this, on_thought_of
from modelshelf.compat.hardware import find_machine
from modelshelf.compat.judge import judge
from modelshelf.compat.machine import Machine
from modelshelf.compat.score import Question
from modelshelf.compat.types import Compatibility, Settings
from modelshelf.errors import UsageError
from modelshelf.metadata import local

BUILTIN = "builtin"


def fit_file(
    path: Path | str,
    settings: Settings | None = None,
    machine: Machine | None = None,
    *,
    provider: str = "builtin",
    keep_context: bool | None = None,
    needs: frozenset[str] = frozenset(),
) -> Compatibility:
    """How well a model's file, or any part of a split one, does on a machine; this machine if none is given.

    A context other than the default is taken as required, unless `keep_context` says otherwise. `provider` is the kind
    of an engine that runs here. `needs` are abilities without which the score is 0.

    Raises:
        NotFound: there is no such file.
        FormatError: it is no model file, or its header is broken.
        UsageError: the provider runs nothing on this machine.
    """
    runs = engine(provider)
    if runs is None:
        raise UsageError(f"{provider} runs no files of this machine.", remedy=f"Choose one of: {', '.join(engines())}.")
    facts = local.read(path)
    wanted = settings or Settings()
    keep = required(settings) if keep_context is None else keep_context
    if machine is None:
        machine = seen_by(provider, find_machine())
        runs = on_this(runs, machine)
    else:
        runs = on_thought_of(runs, machine)
    question = Question(facts, wanted, machine, runs, keep, needs=needs)
    return judge(question, model=str(path), provider=provider)


def seen_by(kind: str, machine: Machine) -> Machine:
    """This machine with the cards that an engine will use: the built-in one is asked, where there are any. Blocking."""
    if kind != BUILTIN or not machine.gpus:
        return machine
    return as_engine_sees(machine, devices) if (devices := engine_devices()) else replace(machine, gpus=())


def required(settings: Settings | None) -> bool:
    """Whether the context was chosen on purpose: then it must not be shortened."""
    return settings is not None and settings.context != Settings().context
