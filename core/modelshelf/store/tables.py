"""The tables. A change here needs a migration in `migrations/versions`; a test compares the two."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy import false as sa_false
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


def now() -> datetime:
    """The present moment in UTC."""
    return datetime.now(UTC)


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC, also on databases that forget the zone."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: D102
        return value.astimezone(UTC).replace(tzinfo=None) if value else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: D102
        return value.replace(tzinfo=UTC) if value else None


class Base(DeclarativeBase):
    """Common to all tables."""

    type_annotation_map = {datetime: UtcDateTime, dict: JSON, list: JSON}  # noqa: RUF012


BigId = BigInteger().with_variant(Integer, "sqlite")


class EventRow(Base):
    """An event on its way to the other processes."""

    __tablename__ = "event"
    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    at: Mapped[datetime] = mapped_column(default=now)
    process: Mapped[str] = mapped_column(String(64))
    kind: Mapped[str] = mapped_column(String(32))
    payload: Mapped[str] = mapped_column(Text)
    __table_args__ = ({"sqlite_autoincrement": True},)


# By the first migration too; whoever changes a trigger writes a migration and changes it here.
AUDIT_TRIGGERS = tuple(
    f"CREATE TRIGGER audit_{deed.lower()} BEFORE {deed} ON audit "
    "BEGIN SELECT RAISE(ABORT, 'audit rows are only ever added'); END"
    for deed in ("UPDATE", "DELETE")
)


class AuditRow(Base):
    """A deed or a refusal; rows are only ever added (a trigger refuses the rest)."""

    __tablename__ = "audit"
    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    at: Mapped[datetime] = mapped_column(default=now)
    principal: Mapped[str] = mapped_column(String(128))
    role: Mapped[str] = mapped_column(String(16))
    action: Mapped[str] = mapped_column(String(64))
    target: Mapped[str] = mapped_column(Text, default="")
    outcome: Mapped[str] = mapped_column(String(16))
    detail: Mapped[str] = mapped_column(Text, default="")
    __table_args__ = ({"sqlite_autoincrement": True},)


class LoginRow(Base):
    """A browser's login or a one-time owner link; only the SHA-256 of its secret is kept."""

    __tablename__ = "login"
    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    principal: Mapped[str] = mapped_column(String(128))
    role: Mapped[str] = mapped_column(String(16))
    created: Mapped[datetime] = mapped_column(default=now)
    expires: Mapped[datetime]


class JobRow(Base):
    """A download: intent and history. The journal beside the part file is the truth about bytes.

    The highest `priority` goes first, then the lowest `position`. `held` are the files, with why they failed, that
    are not tried again. `copied` are the bytes that engines will hold besides. `rate_limit` is in bytes per second.
    Those that were asked for together share a `batch`. `unseen` means that nobody has said yet that they saw how it
    ended, or that it waits.
    """

    __tablename__ = "job"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    source: Mapped[str] = mapped_column(String(40))
    repo: Mapped[str] = mapped_column(String(200))
    revision: Mapped[str] = mapped_column(String(200), default="")
    commit: Mapped[str] = mapped_column(String(64), default="")
    wanted: Mapped[list[str]] = mapped_column(JSON, default=list)
    plan: Mapped[dict[str, object]] = mapped_column(JSON, default=dict)
    status: Mapped[str] = mapped_column(String(16), default="queued")
    detail: Mapped[str] = mapped_column(Text, default="")
    request: Mapped[str] = mapped_column(String(16), default="")
    error: Mapped[dict[str, object]] = mapped_column(JSON, default=dict)
    result: Mapped[dict[str, object]] = mapped_column(JSON, default=dict)
    priority: Mapped[int] = mapped_column(default=0)
    bytes_total: Mapped[int] = mapped_column(BigInteger, default=0)
    bytes_done: Mapped[int] = mapped_column(BigInteger, default=0)
    principal: Mapped[str] = mapped_column(String(128), default="")
    owner: Mapped[str] = mapped_column(String(128), default="")
    lease_until: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)
    created: Mapped[datetime] = mapped_column(default=now)
    started: Mapped[datetime | None]
    ended: Mapped[datetime | None]
    position: Mapped[float] = mapped_column(default=0.0, server_default="0")
    rate_limit: Mapped[float] = mapped_column(default=0.0, server_default="0")
    until: Mapped[datetime | None]
    held: Mapped[dict[str, object]] = mapped_column(JSON, default=dict, server_default="{}")
    copied: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    retries: Mapped[int] = mapped_column(default=0, server_default="0")
    fetched: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    seconds: Mapped[float] = mapped_column(default=0.0, server_default="0")
    batch: Mapped[str] = mapped_column(String(32), default="", server_default="")
    unseen: Mapped[bool] = mapped_column(default=False, server_default=sa_false())
    # The first holds all that the order of the queue goes by: plans are long, and need not be read past for that.
    __table_args__ = (
        Index("job_line", "status", "priority", "position", "created", "id"),
        Index("job_created", "created", "id"),
        Index("job_ended", "ended"),
        Index("job_owner", "owner"),
        Index("job_repo", "repo", "commit"),
        Index("job_batch", "batch"),
        Index("job_unseen", "unseen", "status"),
    )


class TrafficRow(Base):
    """How many bytes downloads fetched on a day, as the calendar of this machine has it."""

    __tablename__ = "traffic"
    day: Mapped[str] = mapped_column(String(10), primary_key=True)
    fetched: Mapped[int] = mapped_column(BigInteger, default=0)


class TransferRow(Base):
    """One transfer of a file, to its end or until it broke off.

    `received` bytes came over the network, `refetched` of them again or in vain; `seconds` include pauses between
    tries; `rate` is in bytes per second; `connections` is the most at once; `host` is who sent the bytes; `outcome` is
    done, stopped, or the code of the error.
    """

    __tablename__ = "transfer"
    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    at: Mapped[datetime] = mapped_column(default=now)
    source: Mapped[str] = mapped_column(String(40))
    repo: Mapped[str] = mapped_column(String(200))
    commit: Mapped[str] = mapped_column(String(64))
    path: Mapped[str] = mapped_column(String(500))
    host: Mapped[str] = mapped_column(String(255), default="")
    size: Mapped[int] = mapped_column(BigInteger)
    received: Mapped[int] = mapped_column(BigInteger)
    refetched: Mapped[int] = mapped_column(BigInteger)
    seconds: Mapped[float]
    rate: Mapped[float]
    retries: Mapped[int]
    connections: Mapped[int]
    outcome: Mapped[str] = mapped_column(String(40))
    __table_args__ = (Index("transfer_at", "at"), Index("transfer_host", "host", "at"))


class RefMoveRow(Base):
    """A branch or tag in the library that is about to lead, or leads, to another commit; written before it moves."""

    __tablename__ = "ref_move"
    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    repo: Mapped[str] = mapped_column(String(200))
    ref: Mapped[str] = mapped_column(String(200))
    before: Mapped[str] = mapped_column(String(64), default="")
    after: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime] = mapped_column(default=now)
    __table_args__ = (Index("ref_move_repo", "repo", "ref", "id"),)


class FileRow(Base):
    """A file in the library whose SHA-256 is known.

    `source` is empty for files that other programs put there; `damaged` means that the last look found other bytes.
    """

    __tablename__ = "file"
    repo: Mapped[str] = mapped_column(String(200), primary_key=True)
    commit: Mapped[str] = mapped_column(String(64), primary_key=True)
    path: Mapped[str] = mapped_column(String(500), primary_key=True)
    source: Mapped[str] = mapped_column(String(40), default="")
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    size: Mapped[int] = mapped_column(BigInteger)
    verified: Mapped[datetime] = mapped_column(default=now)
    damaged: Mapped[bool] = mapped_column(default=False)


class VerdictRow(Base):
    """What vetting said of some bytes under some version of the rules."""

    __tablename__ = "verdict"
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    rules: Mapped[str] = mapped_column(String(32), primary_key=True)
    verdict: Mapped[str] = mapped_column(String(16))
    findings: Mapped[list[dict[str, str]]] = mapped_column(JSON, default=list)
    at: Mapped[datetime] = mapped_column(default=now)


class QuarantineRow(Base):
    """A file that is held back."""

    __tablename__ = "quarantine"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64))
    size: Mapped[int] = mapped_column(BigInteger)
    source: Mapped[str] = mapped_column(String(40))
    repo: Mapped[str] = mapped_column(String(200))
    commit: Mapped[str] = mapped_column(String(64))
    path: Mapped[str] = mapped_column(String(500))
    findings: Mapped[list[dict[str, str]]] = mapped_column(JSON, default=list)
    at: Mapped[datetime] = mapped_column(default=now)


class ProviderRow(Base):
    """A configured provider. Secrets are not kept here."""

    __tablename__ = "provider"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    kind: Mapped[str] = mapped_column(String(40))
    name: Mapped[str] = mapped_column(String(100))
    url: Mapped[str] = mapped_column(String(500), default="")
    enabled: Mapped[bool] = mapped_column(default=True)
    position: Mapped[int] = mapped_column(default=0)
    settings: Mapped[dict[str, object]] = mapped_column(JSON, default=dict)
    created: Mapped[datetime] = mapped_column(default=now)


class HealthRow(Base):
    """One look at a provider."""

    __tablename__ = "health"
    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    provider: Mapped[str] = mapped_column(String(40))
    at: Mapped[datetime] = mapped_column(default=now)
    status: Mapped[str] = mapped_column(String(16))
    latency_ms: Mapped[float | None]
    detail: Mapped[str] = mapped_column(Text, default="")
    remedy: Mapped[str] = mapped_column(Text, default="", server_default="")
    version: Mapped[str] = mapped_column(String(100), default="", server_default="")
    __table_args__ = (Index("health_provider_at", "provider", "at"),)


class OfferRow(Base):
    """What a provider offered when it was last asked; `digest` tells a change without reading `models`."""

    __tablename__ = "offer"
    provider: Mapped[str] = mapped_column(String(40), primary_key=True)
    models: Mapped[str] = mapped_column(Text, default="{}")
    digest: Mapped[str] = mapped_column(String(64), default="")
    error: Mapped[str] = mapped_column(Text, default="")
    at: Mapped[datetime] = mapped_column(default=now)


class MeasurementRow(Base):
    """One deed that was timed on a machine.

    `deed` is chat or load; `rate` is tokens per second of a chat, bytes per second of a load; `moved` are the bytes
    that one token was reckoned to move, or those that were loaded.
    """

    __tablename__ = "measurement"
    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    machine: Mapped[str] = mapped_column(String(64))
    engine: Mapped[str] = mapped_column(String(40))
    model: Mapped[str] = mapped_column(String(400))
    deed: Mapped[str] = mapped_column(String(8))
    rate: Mapped[float]
    moved: Mapped[float]
    at: Mapped[datetime] = mapped_column(default=now)
    __table_args__ = (Index("measurement_machine", "machine", "engine", "id"),)


class ProviderKeyRow(Base):
    """Which key a provider uses for which models. The key itself is in the vault, or in the environment (`env`)."""

    __tablename__ = "provider_key"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    provider: Mapped[str] = mapped_column(String(40), index=True)
    pattern: Mapped[str] = mapped_column(String(200), default="*")
    label: Mapped[str] = mapped_column(String(100), default="")
    env: Mapped[str] = mapped_column(String(100), default="")
    position: Mapped[int] = mapped_column(default=0)
    created: Mapped[datetime] = mapped_column(default=now)


class ModelSettingRow(Base):
    """How a provider is to load one of its models."""

    __tablename__ = "model_setting"
    provider: Mapped[str] = mapped_column(String(40), primary_key=True)
    model: Mapped[str] = mapped_column(String(300), primary_key=True)
    settings: Mapped[dict[str, object]] = mapped_column(JSON, default=dict)


class DataKeyRow(Base):
    """A key that encrypts secrets, itself encrypted (AES-256-GCM) by the master key of fingerprint `master`."""

    __tablename__ = "data_key"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    nonce: Mapped[bytes] = mapped_column(LargeBinary)
    wrapped: Mapped[bytes] = mapped_column(LargeBinary)
    master: Mapped[str] = mapped_column(String(64))
    active: Mapped[bool] = mapped_column(default=True)
    created: Mapped[datetime] = mapped_column(default=now)


class SecretRow(Base):
    """A secret, encrypted by a data key. Of the plain text only the last four characters and a fingerprint are kept."""

    __tablename__ = "secret"
    name: Mapped[str] = mapped_column(String(200), primary_key=True)
    data_key: Mapped[str] = mapped_column(String(32), index=True)
    nonce: Mapped[bytes] = mapped_column(LargeBinary)
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    last4: Mapped[str] = mapped_column(String(4), default="")
    fingerprint: Mapped[str] = mapped_column(String(32), default="")
    updated: Mapped[datetime] = mapped_column(default=now)


class ProfileRow(Base):
    """A named way to ask: provider, model, parameters and a system prompt, with others to fall back on."""

    __tablename__ = "profile"
    name: Mapped[str] = mapped_column(String(60), primary_key=True)
    purpose: Mapped[str] = mapped_column(String(40), index=True)
    model: Mapped[str] = mapped_column(String(350))
    system: Mapped[str] = mapped_column(Text, default="")
    parameters: Mapped[dict[str, object]] = mapped_column(JSON, default=dict)
    fallbacks: Mapped[list[str]] = mapped_column(JSON, default=list)
    default: Mapped[bool] = mapped_column("is_default", default=False)
    position: Mapped[int] = mapped_column(default=0)
    created: Mapped[datetime] = mapped_column(default=now)


class AnswerRow(Base):
    """The last good answer of a source to a question."""

    __tablename__ = "answer"
    source: Mapped[str] = mapped_column(String(40), primary_key=True)
    question: Mapped[str] = mapped_column(String(200), primary_key=True)
    payload: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(default=now)


class FactsRow(Base):
    """What a header of a commit said, compressed; rows of another `version` of the readers are not used."""

    __tablename__ = "facts"
    source: Mapped[str] = mapped_column(String(40), primary_key=True)
    repo: Mapped[str] = mapped_column(String(200), primary_key=True)
    commit: Mapped[str] = mapped_column(String(64), primary_key=True)
    file: Mapped[str] = mapped_column(String(500), primary_key=True, default="")
    exact: Mapped[bool] = mapped_column(primary_key=True)
    version: Mapped[int]
    payload: Mapped[bytes] = mapped_column(LargeBinary)
    read_at: Mapped[datetime] = mapped_column(default=now)
    used_at: Mapped[datetime] = mapped_column(default=now, index=True)


class SavedSearchRow(Base):
    """A search that a person keeps under a name; `looked` is when that person last looked at its answer."""

    __tablename__ = "saved_search"
    person: Mapped[str] = mapped_column(String(128), primary_key=True)
    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    query: Mapped[str] = mapped_column(Text)
    sort: Mapped[str] = mapped_column(String(40), default="downloads")
    looked: Mapped[datetime] = mapped_column(default=now)
    created: Mapped[datetime] = mapped_column(default=now)


class MarkedModelRow(Base):
    """A model, `source:org/name`, that a person likes (`favourite`) or looked at (`recent`)."""

    __tablename__ = "marked_model"
    person: Mapped[str] = mapped_column(String(128), primary_key=True)
    mark: Mapped[str] = mapped_column(String(20), primary_key=True)
    model: Mapped[str] = mapped_column(String(300), primary_key=True)
    at: Mapped[datetime] = mapped_column(default=now)


class RegistrationRow(Base):
    """A model of the library in a provider's list, or on its way there; `path` is its first file, empty for a folder.

    `wish` is register or undo: what is still to be done while the status is waiting. `links` are the names that were
    made in the provider's folder, each with what tells it from another file of that name; `mark` is the same for what
    the provider lists. `given` is False where the provider had the model already. The process in `owner` is at it until
    `lease_until`.
    """

    __tablename__ = "registration"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    provider: Mapped[str] = mapped_column(String(40))
    repo: Mapped[str] = mapped_column(String(200))
    commit: Mapped[str] = mapped_column(String(64))
    path: Mapped[str] = mapped_column(String(500), default="")
    name: Mapped[str] = mapped_column(String(300), default="")
    way: Mapped[str] = mapped_column(String(16), default="")
    status: Mapped[str] = mapped_column(String(16))
    wish: Mapped[str] = mapped_column(String(8), default="register")
    size: Mapped[int] = mapped_column(BigInteger, default=0)
    copied: Mapped[int] = mapped_column(BigInteger, default=0)
    place: Mapped[str] = mapped_column(Text, default="")
    links: Mapped[list[dict[str, object]]] = mapped_column(JSON, default=list)
    mark: Mapped[str] = mapped_column(String(200), default="")
    given: Mapped[bool] = mapped_column(default=True)
    automatic: Mapped[bool] = mapped_column(default=False)
    command: Mapped[str] = mapped_column(Text, default="")
    error: Mapped[str] = mapped_column(Text, default="")
    remedy: Mapped[str] = mapped_column(Text, default="")
    principal: Mapped[str] = mapped_column(String(128), default="")
    owner: Mapped[str] = mapped_column(String(128), default="")
    lease_until: Mapped[datetime | None]
    created: Mapped[datetime] = mapped_column(default=now)
    updated: Mapped[datetime] = mapped_column(default=now)
    __table_args__ = (
        UniqueConstraint("provider", "repo", "commit", "path", name="registration_place"),
        Index("registration_repo", "repo"),
    )


class WebhookDeliveryRow(Base):
    """A message to a webhook: `status` is pending, delivered or given up; `answer` what its last try met with.

    Who sends it holds it until `lease_until`; the next try is at `next_at`.
    """

    __tablename__ = "webhook_delivery"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    webhook: Mapped[str] = mapped_column(String(40))
    event: Mapped[str] = mapped_column(String(32))
    about: Mapped[str] = mapped_column(String(300), default="")
    payload: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(String(16), default="pending")
    attempts: Mapped[int] = mapped_column(default=0)
    answer: Mapped[str] = mapped_column(Text, default="")
    next_at: Mapped[datetime] = mapped_column(default=now)
    lease_until: Mapped[datetime | None]
    created: Mapped[datetime] = mapped_column(default=now)
    ended: Mapped[datetime | None]
    __table_args__ = (
        Index("webhook_delivery_due", "status", "next_at"),
        Index("webhook_delivery_created", "created"),
    )


class FoundFileRow(Base):
    """A file of another program's store, as it was when its bytes were read: of other size or time it counts as new.

    `led` says that the library leads to it by a link; `given` is when it was made one with another file.
    """

    __tablename__ = "found_file"
    path: Mapped[str] = mapped_column(String(1000), primary_key=True)
    device: Mapped[str] = mapped_column(String(20), default="")
    inode: Mapped[str] = mapped_column(String(20), default="")
    size: Mapped[int] = mapped_column(BigInteger, default=0)
    mtime_ns: Mapped[int] = mapped_column(BigInteger, default=0)
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    led: Mapped[bool] = mapped_column(default=False, server_default=sa_false())
    given: Mapped[datetime | None]
    at: Mapped[datetime] = mapped_column(default=now)


class PinRow(Base):
    """A repository in the library that is kept as it is: neither updated nor cleared away with others."""

    __tablename__ = "pin"
    repo: Mapped[str] = mapped_column(String(200), primary_key=True)
    at: Mapped[datetime] = mapped_column(default=now)


class MendingRow(Base):
    """A conflict that was resolved: `undo` is what takes it back, empty where nothing can."""

    __tablename__ = "mending"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    conflict: Mapped[str] = mapped_column(String(32))
    kind: Mapped[str] = mapped_column(String(20))
    text: Mapped[str] = mapped_column(Text)
    undo: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    undone: Mapped[bool] = mapped_column(default=False)
    at: Mapped[datetime] = mapped_column(default=now, index=True)


class PreferenceRow(Base):
    """What a person prefers under a name, as JSON: columns that are not shown, the moment a list was looked at."""

    __tablename__ = "preference"
    person: Mapped[str] = mapped_column(String(128), primary_key=True)
    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    value: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(default=now)
