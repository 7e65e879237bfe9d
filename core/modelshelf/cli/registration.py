"""register, unregister, registrations: which providers have which models of the library."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from modelshelf.cli.output import Output, file_size
from modelshelf.cli.shared import Json, with_shelf

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelshelf.registration import Finding, Offer, Plan, Registration
    from modelshelf.shelf import Shelf

NO_COPY = "no copy"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("register")(register_)
    app.command()(unregister)
    app.command()(registrations)


def register_(
    model: Annotated[str, typer.Argument(help="An installed model.")],
    provider: Annotated[
        str, typer.Option(help="Only this one, whatever it copies; else all that are given models by themselves.")
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what it would mean.")] = False,
    as_json: Json = False,
) -> None:
    """Give a model to the providers that do well with it, by the cheapest way of each; exit 1 if one failed."""
    output = Output(as_json)

    async def work(shelf: "Shelf") -> "tuple[Plan, Sequence[Registration]]":
        plan = await shelf.registration.plan(model, provider)
        return plan, () if dry_run else await shelf.registration.register(model, provider)

    plan, made = with_shelf(work)
    output.document(plan.as_dict() if dry_run else {"registrations": [item.as_dict() for item in made]})
    if dry_run:
        _show_plan(plan, output)
        return
    _show(made, output)
    if not made:
        output.line("No provider is given it by itself; --dry-run says why.")
    if any(item.status == "failed" for item in made):
        raise typer.Exit(1)


def unregister(
    model: Annotated[str, typer.Argument(help="A model, or the id of a registration.")],
    provider: Annotated[str, typer.Option(help="Only this one; all if left out.")] = "",
    as_json: Json = False,
) -> None:
    """Have providers forget a model; the library keeps it, and it is not given again by itself."""
    from modelshelf.errors import NotFound

    output = Output(as_json)

    async def work(shelf: "Shelf") -> "list[Registration]":
        service = shelf.registration
        known = await service.list()
        found = [item for item in known if item.id == model] or list(await service.list(model))
        chosen = [
            item
            for item in found
            if provider in {"", item.provider} and item.status != "undone" and item.provider != "builtin"
        ]
        if not chosen:
            raise NotFound(f"No provider was given {model}.", remedy="`modelshelf registrations` lists what they have.")
        return [await service.undo(item.id) for item in chosen]

    done = with_shelf(work)
    output.document({"registrations": [item.as_dict() for item in done]})
    _show(done, output)
    if any(item.status == "failed" for item in done):
        raise typer.Exit(1)


def registrations(
    model: Annotated[str | None, typer.Argument(help="One model; all if left out.")] = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Look at every provider's own list, and register again what it lost.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List which providers have which models; with --repair, exit 1 if something is left to do."""
    output = Output(as_json)

    async def work(shelf: "Shelf") -> "tuple[Sequence[Registration], Sequence[Finding]]":
        findings = await shelf.registration.repair() if repair else ()
        return await shelf.registration.list(model or ""), findings

    found, findings = with_shelf(work)
    told: dict[str, Any] = {"registrations": [item.as_dict() for item in found]}
    output.document(told | ({"findings": [finding.as_dict() for finding in findings]} if repair else {}))
    _show(found, output)
    for finding in findings:
        item = finding.registration
        undo = f"modelshelf unregister {item.id}" if finding.deed == "undo" else ""
        output.line(f"{finding.problem}: {finding.detail} {'Registered again.' if finding.done else undo}")
    if repair and not findings:
        output.line("Every provider lists what it was given.")
    if any(not finding.done for finding in findings):
        raise typer.Exit(1)


def _show(items: "Sequence[Registration]", output: Output) -> None:
    output.table(
        ("Id", "Model", "Provider", "As", "Way", "Copied", "State"),
        [
            (
                item.id,
                item.repo,
                item.provider,
                item.name,
                item.way,
                file_size(item.copied) if item.copied else NO_COPY,
                item.status.value,
            )
            for item in items
        ],
    )
    for item in items:
        if item.error:
            output.line(f"{item.repo}, {item.provider}: {item.error} {item.remedy}")
        if item.command and item.status == "to start":
            output.line(f"Start {item.provider} with it: {item.command}")


def _show_plan(plan: "Plan", output: Output) -> None:
    output.table(
        ("Provider", "File", "As", "Fit", "Way", "Copies", "By itself"),
        [
            (
                offer.label,
                offer.path or plan.repo,
                offer.taking.name if offer.possible else "—",
                "—" if offer.score is None else offer.score,
                offer.taking.way.value if offer.possible else "—",
                file_size(offer.taking.copies) if offer.taking.copies else NO_COPY,
                _by_itself(offer),
            )
            for offer in plan.offers
        ],
        right=("Fit",),
    )
    for name, command in plan.commands.items():
        output.line(f"{name}: {command}")


def _by_itself(offer: "Offer") -> str:
    if not offer.possible:
        return f"no: {offer.taking.refused} {offer.taking.remedy}".strip()
    if offer.registration is not None and offer.registration.status == "registered":
        return "registered"
    return "yes" if offer.automatic else f"no: {offer.why}"
