"""Answers that need no calculation, and what is added to those that do."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from modelshelf.catalog.types import RepoCard
from modelshelf.compat.types import Compatibility, Confidence, Fix, RankedFile, Reason
from modelshelf.errors import AccessError, ModelshelfError

GB = 1_000_000_000
WORTH = 3  # points another file must bring to be proposed


def elsewhere(model: str, provider: str, label: str) -> Compatibility:
    """A provider that does not run files of this machine, and does not serve the model: no score."""
    reason = Reason("NOT_SERVED", f"{label} does not offer this model, and files cannot be given to it from here.")
    return Compatibility(model, provider, None, False, Confidence.UNKNOWN, reasons=(reason,), summary=reason.detail)


def not_for_this_key(model: str, provider: str, label: str, named: str) -> Compatibility:
    """A service that is known to have the model and does not list it: to this key it is closed."""
    told = f"{label} is known to have {named}, but does not list it for your key: it may need another plan or region."
    reason = Reason("KEY_NO_ACCESS", told, {"model": named})
    return Compatibility(model, provider, None, False, Confidence.UNKNOWN, reasons=(reason,), summary=reason.detail)


def not_found(model: str, provider: str, error: ModelshelfError) -> Compatibility:
    """A model of which nothing could be learnt."""
    reason = Reason("NOT_KNOWN", error.message, {"error": error.code, "remedy": error.remedy})
    return Compatibility(model, provider, None, False, Confidence.UNKNOWN, reasons=(reason,), summary=reason.detail)


def unknown(model: str, provider: str) -> Compatibility:
    """Nothing is known that could be judged."""
    reason = Reason("SIZE_UNKNOWN", "Neither its size nor its parameters are known yet.")
    return Compatibility(model, provider, None, True, Confidence.UNKNOWN, reasons=(reason,), summary=reason.detail)


def no_weights(model: str, provider: str) -> Compatibility:
    """A repository without a model in a known format."""
    reason = Reason("FORMAT_UNSUPPORTED", "It holds no weights in a format that is known here.")
    return Compatibility(model, provider, 0, False, Confidence.HEADER, reasons=(reason,), summary=reason.detail)


def gated(answer: Compatibility, card: RepoCard) -> Compatibility:
    """Say that the publisher wants to be asked first."""
    if not card.gated:
        return answer
    reason = Reason("GATED", "Its publisher wants to be asked before anyone downloads.")
    return replace(answer, reasons=(*answer.reasons, reason))


def unread(answer: Compatibility, error: ModelshelfError) -> Compatibility:
    """The header could not be read: the sizes had to do."""
    figures = {"error": error.code, "remedy": error.remedy}
    if isinstance(error, AccessError):
        reason = Reason("GATED_NO_ACCESS", f"{error.message} {error.remedy}", figures)
        return replace(answer, available=False, confidence=Confidence.ESTIMATE, reasons=(*answer.reasons, reason))
    reason = Reason("HEADER_UNREAD", f"Judged by its size alone: {error.message}", figures)
    return replace(answer, confidence=Confidence.ESTIMATE, reasons=(*answer.reasons, reason))


def chosen_file(answer: Compatibility, name: str, count: int) -> Compatibility:
    """Say which of a repository's files was judged."""
    reason = Reason("BEST_FILE", f"{name} does best here, of {count} files.", {"file": name, "count": count})
    return replace(answer, reasons=(*answer.reasons, reason))


def with_other_file(answer: Compatibility, ranked: Sequence[RankedFile], files: Sequence[str]) -> Compatibility:
    """Propose the file of the repository that does best here, if it does better."""
    best = max(ranked, key=lambda row: row.compatibility.score or 0, default=None)
    if best is None or best.files == tuple(files):
        return answer
    score = best.compatibility.score or 0
    if score < (answer.score or 0) + WORTH:
        return answer
    name = best.quantisation or best.files[0]
    fix = Fix("FILE", f"Take {name} instead ({best.size / GB:.1f} GB).", score, {"file": best.files[0]})
    return replace(answer, fixes=(fix, *answer.fixes))


def with_disk(answer: Compatibility, size: int, folder: Path) -> Compatibility:
    """Say when the disk cannot hold the files. Looks at the disk: call it in a thread."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if size <= free:
        return answer
    reason = Reason(
        "DISK_SHORT",
        f"The download needs {size / GB:.1f} GB of disk, and {free / GB:.1f} GB are free.",
        {"need": size, "free": free},
    )
    return replace(answer, available=False, reasons=(*answer.reasons, reason))
