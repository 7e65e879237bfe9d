"""What a row of a list says about a repository, and the one action that is true for it now."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modelshelf.catalog.types import RepoCard
from modelshelf.compat.types import Compatibility
from modelshelf.downloads.types import JobStatus
from modelshelf_dashboard import figures
from modelshelf_dashboard.texts import _

if TYPE_CHECKING:
    from modelshelf.state import DownloadState

FORMATS = {"gguf": "GGUF", "safetensors": "safetensors", "pytorch": "PyTorch", "onnx": "ONNX"}
LICENCES = {"apache-2.0": "Apache 2.0", "mit": "MIT", "gemma": "Gemma"}


@dataclass(frozen=True, slots=True)
class Standing:
    """How a repository stands on this machine."""

    installed: bool = False
    job: "DownloadState | None" = None


def columns() -> list[dict[str, Any]]:
    """The columns of Discover."""
    return [
        {"key": "file", "label": _("Size"), "kind": "figure", "width": "112px", "wide": True},
        {"key": "context", "label": _("Context"), "kind": "figure", "width": "64px", "wide": True},
        {"key": "downloads", "label": _("Downloads"), "kind": "figure", "width": "84px", "wide": True},
        {"key": "likes", "label": _("Likes"), "kind": "figure", "width": "64px", "wide": True, "off": True},
        {"key": "task", "label": _("Task"), "kind": "text", "width": "140px", "wide": True, "off": True},
        {"key": "updated", "label": _("Updated"), "kind": "text", "width": "110px", "wide": True, "off": True},
        {"key": "fit", "label": _("Fit"), "kind": "fit", "width": "86px"},
    ]


def row(
    card: RepoCard, fit: Compatibility | None, standing: Standing, mark: dict[str, Any] | None = None
) -> dict[str, Any]:
    """A repository as a row."""
    kind = format_words(card)
    return {
        "id": str(card.id),
        "title": card.id.name,
        "mark": mark,
        "sub": " · ".join(part for part in about(card) if part),
        "more": " ".join(part for part in (figures.size(card.size) if card.size else "", kind) if part),
        "cells": {
            "file": {"main": figures.size(card.size), "sub": kind},
            "context": {"main": figures.tokens(card.context)},
            "downloads": {"main": figures.number(card.downloads)},
            "likes": {"main": figures.number(card.likes)},
            "task": {"main": card.task or ""},
            "updated": {"main": figures.ago(card.modified)},
            "fit": {"score": fit.score if fit else None, "explains": fit is not None},
        },
        "actions": [action(card, fit, standing)],
    }


def about(card: RepoCard) -> list[str]:
    """Author, parameters, licence, and whether one must ask."""
    gated = _("gated") if card.gated else ""
    return [figures.isolated(card.id.author), figures.parameters(card.parameters), licence_word(card.licence), gated]


def licence_word(licence: str | None) -> str:
    """A licence as people write it."""
    return LICENCES.get(licence, licence) if licence else _("no licence named")


def format_words(card: RepoCard) -> str:
    """Format and quantisation: `GGUF Q4_K_M`, or `GGUF, 5 kinds`."""
    formats = ", ".join(FORMATS.get(name, name) for name in card.formats)
    kinds = card.quantisations
    if len(kinds) == 1:
        return f"{formats} {kinds[0]}".strip()
    if kinds and not formats:
        return _("{n} kinds", n=len(kinds))
    return _("{format}, {n} kinds", format=formats, n=len(kinds)) if kinds else formats


def action(card: RepoCard, fit: Compatibility | None, standing: Standing) -> dict[str, Any]:
    """The one action that is true now."""
    job = standing.job
    if job is not None and job.active:
        if job.status is JobStatus.PAUSED:
            return {"do": "resume", "word": _("Resume"), "help": "downloadProcess", "context": {"job": job.id}}
        return {"do": "pause", "word": _("Pause"), "help": "downloadProcess", "context": {"job": job.id}}
    if standing.installed:
        return {"do": "installed", "word": _("Installed"), "help": "storageManagement"}
    if job is not None and job.status in {JobStatus.QUARANTINED, JobStatus.REVIEW}:
        return {"do": "quarantine", "word": _("See why"), "help": "quarantine"}
    if not card.repo.isascii():
        why = _("No hub has names in other scripts: it can be found here, but not fetched.")
        return {"do": "download", "word": _("Download"), "help": "downloadProcess", "why": why}
    if card.gated:
        return {"do": "open", "word": _("Ask access"), "help": "gatedModels"}
    if fit is not None and fit.score == 0:
        return {"do": "open", "word": _("See why"), "help": "compatibilityScore"}
    return {"do": "download", "word": _("Download"), "help": "downloadProcess"}


def latest(jobs: Sequence["DownloadState"], repo: str) -> "DownloadState | None":
    """The newest job of a repository; jobs come newest first."""
    return next((job for job in jobs if job.repo == repo), None)
