"""The words for states, the same everywhere."""

from modelshelf.compat.types import Confidence
from modelshelf.downloads.types import FileState, JobStatus
from modelshelf.providers.profile_spec import Cause, ProfileState, ProfileStatus
from modelshelf.providers.spec import HealthStatus
from modelshelf_dashboard.texts import N_, _

_JOBS = {
    JobStatus.QUEUED: N_("waits for its turn"),
    JobStatus.PLANNING: N_("planning"),
    JobStatus.WAITING: N_("waiting"),
    JobStatus.TRANSFERRING: N_("downloading"),
    JobStatus.VERIFYING: N_("verifying"),
    JobStatus.VETTING: N_("scanning"),
    JobStatus.LANDING: N_("moving into the library"),
    JobStatus.REGISTERING: N_("telling the providers"),
    JobStatus.PAUSED: N_("paused"),
    JobStatus.DONE: N_("done"),
    JobStatus.REVIEW: N_("needs a decision"),
    JobStatus.QUARANTINED: N_("held in quarantine"),
    JobStatus.FAILED: N_("failed"),
    JobStatus.CANCELLED: N_("cancelled"),
}
_TONES = {
    JobStatus.DONE: "good",
    JobStatus.REVIEW: "warn",
    JobStatus.WAITING: "warn",
    JobStatus.QUARANTINED: "bad",
    JobStatus.FAILED: "bad",
}
_HEALTH = {
    HealthStatus.WELL: (N_("well"), "well"),
    HealthStatus.SLOW: (N_("slow"), "slow"),
    HealthStatus.DOWN: (N_("does not answer"), "bad"),
    HealthStatus.REFUSED: (N_("refuses us"), "bad"),
    HealthStatus.UNKNOWN: (N_("not looked at yet"), ""),
}
_PROFILES = {
    ProfileStatus.OK: (N_("well"), "well"),
    ProfileStatus.FALLBACK: (N_("by a fallback"), "slow"),
    ProfileStatus.BROKEN: (N_("cannot answer"), "bad"),
}
_CONFIDENCE = {
    Confidence.EXACT: N_("exact, from the file's header"),
    Confidence.HEADER: N_("from the start of the header"),
    Confidence.BOUNDED: N_("between bounds: a shape we do not know in detail"),
    Confidence.ESTIMATE: N_("estimated, no header yet"),
    Confidence.UNKNOWN: N_("not known"),
}
_SERVICES = {
    "store": N_("Database"),
    "events": N_("News between programs"),
    "access": N_("Logins and record of deeds"),
    "vault": N_("Saved keys"),
    "hooks": N_("Rules and messages of others"),
    "catalog": N_("Search"),
    "catalog sync": N_("List of all models"),
    "metadata": N_("Facts of models"),
    "registration": N_("Models with providers"),
    "vetting": N_("Safety checks"),
    "library": N_("Installed models"),
    "providers": N_("Providers"),
    "health": N_("Watch over providers"),
    "compatibility": N_("Fit"),
    "downloads": N_("Downloads"),
    "adoption": N_("Models of other programs"),
    "bundles": N_("Bundles for other machines"),
    "state": N_("What this page shows"),
}


_REASONS = {
    "network": N_("waits for the network"),
    "disk": N_("waits for room on the disk"),
    "budget": N_("waits for its budget"),
    "gate": N_("waits for access"),
}


def job_word(status: JobStatus, detail: str = "") -> str:
    """What a download does, with what it waits for."""
    if not detail or status is not JobStatus.WAITING:
        return _(_JOBS[status])
    reason, colon, sentence = detail.partition(": ")
    if colon and reason in _REASONS:
        return f"{_(_REASONS[reason])}: {sentence}"
    return f"{_(_JOBS[status])}: {detail}"


_FILES = {
    "waiting": N_("waits"),
    "moving": N_("downloading"),
    "failed": N_("failed"),
    "done": N_("checked"),
    "vetting": N_("being scanned"),
    "pass": N_("checked and scanned"),
    "review": N_("needs a decision"),
    "block": N_("unsafe, held back"),
}


def file_state(file: FileState, status: JobStatus) -> str:
    """Where a file of a job stands, with what the scanner says of it."""
    if file.verdict:
        return file.verdict
    return "vetting" if file.status == "done" and status is JobStatus.VETTING else file.status


def file_word(file: FileState, status: JobStatus) -> str:
    """Where a file of a job stands, in words."""
    state = file_state(file, status)
    return _(_FILES[state]) if state in _FILES else state


def file_tone(file: FileState, status: JobStatus) -> str:
    """good, warn, bad or nothing."""
    return {"failed": "bad", "block": "bad", "review": "warn", "pass": "good"}.get(file_state(file, status), "")


def job_tone(status: JobStatus) -> str:
    """good, warn, bad or nothing."""
    return _TONES.get(status, "")


def health_word(status: HealthStatus) -> str:
    """How a provider is."""
    return _(_HEALTH[status][0])


def health_dot(status: HealthStatus) -> str:
    """The dot that goes with the word."""
    return _HEALTH[status][1]


def profile_word(how: ProfileState | None) -> str:
    """How a profile is; None before it was looked at."""
    if how is None:
        return _("not looked at yet")
    return _("well for now") if how.cause is Cause.DEPRECATED else _(_PROFILES[how.status][0])


def profile_dot(how: ProfileState | None) -> str:
    """The dot that goes with the word."""
    return ("slow" if how.cause is Cause.DEPRECATED else _PROFILES[how.status][1]) if how else "off"


def confidence_word(confidence: Confidence) -> str:
    """How a score was come by."""
    return _(_CONFIDENCE[confidence])


def service_word(name: str) -> str:
    """What a service is for; a service that was added by others has its own name only."""
    return _(_SERVICES[name]) if name in _SERVICES else name
