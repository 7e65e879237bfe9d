"""profiles: named ways to ask, with fallbacks."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from modelshelf.cli import profile_input as given
from modelshelf.cli.output import Output
from modelshelf.cli.shared import Json, with_shelf, writing_to

if TYPE_CHECKING:
    from modelshelf.providers import Profile, ProfileState
    from modelshelf.shelf import Shelf

UNREACHABLE = 6
GONE = 5

app = typer.Typer(
    help="The profiles: a model under a name of yours, asked as `modelshelf chat @NAME`.",
    invoke_without_command=True,
    rich_markup_mode=None,
)

Name = Annotated[str, typer.Argument(help="The profile's name.")]


def register(root: typer.Typer) -> None:
    """Add the commands."""
    root.add_typer(app, name="profiles")


@app.callback()
def profiles(context: typer.Context, as_json: Json = False) -> None:
    """List the profiles, and whether each can answer."""
    if context.invoked_subcommand is None:
        list_(as_json)


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List the profiles, and whether each can answer."""
    output = Output(as_json)

    async def work(shelf: "Shelf") -> None:
        found = await shelf.profiles.list()
        states = {state.name: state for state in await shelf.profiles.states()}
        output.document([_document(item, states.get(item.name)) for item in found])
        if not found:
            output.line("There are no profiles yet. Make one: modelshelf profiles save NAME --model PROVIDER/MODEL")
        output.table(
            ("Profile", "Purpose", "Model", "Default", ""),
            [
                (item.name, item.purpose, item.model, "yes" if item.default else "", _told(states.get(item.name)))
                for item in found
            ],
        )

    with_shelf(work)


@app.command()
def show(name: Name, as_json: Json = False) -> None:
    """Show all of a profile."""
    output = Output(as_json)

    async def work(shelf: "Shelf") -> None:
        profile = await shelf.profiles.get(name)
        output.document(profile.as_dict())
        output.line(f"{profile.name}, for {profile.purpose}{' (the default)' if profile.default else ''}")
        output.line(f"model        {profile.model}")
        for model in profile.fallbacks:
            output.line(f"falls back   {model}")
        for key, value in profile.parameters.as_dict().items():
            output.line(f"{key:12} {value}")
        if profile.system:
            output.line(f"system       {profile.system}")

    with_shelf(work)


@app.command()
def save(
    name: Name,
    model: Annotated[str | None, typer.Option(metavar="PROVIDER/MODEL", help="Needed for a new profile.")] = None,
    purpose: Annotated[str | None, typer.Option(help="chat, coding, writing, embedding or any word.")] = None,
    system: Annotated[str | None, typer.Option(metavar="TEXT|@FILE", help="The system prompt.")] = None,
    temperature: Annotated[float | None, typer.Option(help="0 to 5; 0 always gives the same answer.")] = None,
    top_p: Annotated[float | None, typer.Option(help="0 to 1.")] = None,
    max_tokens: Annotated[int | None, typer.Option(help="Tokens of an answer at most.")] = None,
    seed: Annotated[int | None, typer.Option(help="The same seed, the same dice.")] = None,
    stop: Annotated[list[str] | None, typer.Option(help="A text that ends the answer; may be repeated.")] = None,
    extra: Annotated[str | None, typer.Option(metavar="JSON", help="More for the provider, as it is.")] = None,
    fallback: Annotated[list[str] | None, typer.Option(help="Asked while the model cannot; may be repeated.")] = None,
    unset: Annotated[list[str] | None, typer.Option(help="A parameter to leave to the provider again.")] = None,
    default: Annotated[bool, typer.Option("--default", help="Make it the default of its purpose.")] = False,
    as_json: Json = False,
) -> None:
    """Make a profile, or change what is given of one that is there."""
    asked = _set(temperature=temperature, top_p=top_p, max_tokens=max_tokens, seed=seed, stop=stop or None)
    asked |= _set(extra=None if extra is None else given.table(extra))
    told = _set(model=model, purpose=purpose, system=given.text(system), default=default or None)
    told |= _set(fallbacks=tuple(fallback) if fallback else None)

    async def work(shelf: "Shelf") -> "Profile":
        from modelshelf.providers.profile_checks import parameters

        before = await given.before(shelf, name, model)
        merged = parameters(given.without(before, unset or []) | asked)
        return await shelf.profiles.save(replace(before, **told, parameters=merged))

    _changed(as_json, work, "saved")


@app.command()
def remove(
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Remove a profile."""
    output = Output(as_json)

    async def work(shelf: "Shelf") -> None:
        profile = await shelf.profiles.get(name)
        if not yes and not as_json:
            typer.confirm(f"Remove the profile {profile.name}?", abort=True)
        await shelf.profiles.remove(name)
        output.document({"name": profile.name, "done": "removed"})
        output.line(f"{profile.name} is removed.")

    with_shelf(work)


@app.command()
def rename(name: Name, to: Annotated[str, typer.Argument(help="Its new name.")], as_json: Json = False) -> None:
    """Give a profile another name."""
    _changed(as_json, lambda shelf: shelf.profiles.rename(name, to), "its name now")


@app.command("default")
def default_(name: Name, as_json: Json = False) -> None:
    """Make a profile the default of its purpose: what `@PURPOSE` means."""
    _changed(as_json, lambda shelf: shelf.profiles.set_default(name), "the default of its purpose")


@app.command()
def check(
    name: Annotated[str | None, typer.Argument(help="One profile; all of them if left out.")] = None,
    as_json: Json = False,
) -> None:
    """Say whether profiles can answer; exit with 5 when a model is gone, with 6 when it is out of reach."""
    output = Output(as_json)

    async def work(shelf: "Shelf") -> int:
        states = [await shelf.profiles.check(name)] if name else await shelf.profiles.states()
        output.document(states[0].as_dict() if name else [state.as_dict() for state in states])
        for state in states:
            output.line(f"{state.name}: {_told(state)}")
            if state.nearest:
                output.line(f"  The nearest: {', '.join(state.nearest)}. Use it: modelshelf profiles use-nearest …")
        return max((_exit(state) for state in states), default=0)

    if code := with_shelf(work):
        raise typer.Exit(code)


@app.command("use-nearest")
def use_nearest(
    name: Name,
    model: Annotated[str, typer.Option(metavar="PROVIDER/MODEL", help="Another than the nearest.")] = "",
    as_json: Json = False,
) -> None:
    """Put the nearest model in the place of one that is gone."""
    _changed(as_json, lambda shelf: shelf.profiles.use_nearest(name, model), "mended")


@app.command()
def export(
    file: Annotated[Path | None, typer.Argument(help="Where to write; the terminal if left out.")] = None,
    as_json: Json = False,
) -> None:
    """Write all profiles as TOML, without secrets."""
    output = Output(as_json)

    async def work(shelf: "Shelf") -> tuple[str, list[dict[str, Any]]]:
        return await shelf.profiles.export(), [item.as_dict() for item in await shelf.profiles.list()]

    text, found = with_shelf(work)
    if file is None:
        output.document(found)
        if not as_json:
            typer.echo(text, nl=False)
        return
    with writing_to(file):
        file.write_text(text, "utf-8")
    output.document({"file": file, "profiles": len(found)})
    output.line(f"{len(found)} profiles are in {file}.")


@app.command("import")
def import_(
    file: Annotated[str, typer.Argument(help="A file that an export wrote; - reads standard input.")],
    replace_: Annotated[bool, typer.Option("--replace", help="Change profiles that are here and differ.")] = False,
    as_json: Json = False,
) -> None:
    """Add the profiles of an export, all of them or none."""
    output = Output(as_json)
    text = given.read(file)

    async def work(shelf: "Shelf") -> None:
        report = await shelf.profiles.import_(text, replace_)
        told = {part: list(getattr(report, part)) for part in ("added", "changed", "kept", "same")}
        output.document(told)
        for part, word in (("added", "added"), ("changed", "changed"), ("same", "the same already")):
            output.line(f"{len(told[part])} {word}{': ' if told[part] else ''}{', '.join(told[part])}")
        if report.kept:
            output.line(f"{len(report.kept)} left as they are: {', '.join(report.kept)}. --replace changes them.")

    with_shelf(work)


def _set(**told: Any) -> dict[str, Any]:
    return {key: value for key, value in told.items() if value is not None}


def _changed(as_json: bool, work: "Callable[[Shelf], Awaitable[Profile]]", word: str) -> None:
    output = Output(as_json)
    profile = with_shelf(work)
    output.document(profile.as_dict())
    output.line(f"{profile.name} ({profile.model}) is {word}.")


def _document(profile: "Profile", state: "ProfileState | None") -> dict[str, Any]:
    told = state.as_dict() if state else {}
    return profile.as_dict() | {key: value for key, value in told.items() if key != "name"}


def _told(state: "ProfileState | None") -> str:
    if state is None or not state.cause:
        return "well"
    answers = f" {state.uses} answers instead." if state.status.value == "fallback" else ""
    return state.problem + answers


def _exit(state: "ProfileState") -> int:
    if state.status.value != "broken":
        return 0
    return UNREACHABLE if state.cause.value == "down" else GONE
