"""The policy file: what a person decides beforehand, by source and publisher, licence, format and remote code.

`policy.toml` in the home. A policy makes verdicts worse, and lets code in repositories through where it says so; what
is unsafe stays blocked whatever it says.
"""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from modelshelf.errors import ConfigError
from modelshelf.vetting.origin import Origin
from modelshelf.vetting.types import Finding, ScanReport, Verdict, worst

FILE = "policy.toml"
MAX_BYTES = 1 << 20
_TORCH = frozenset({".pt", ".pth", ".bin", ".ckpt", ".pkl", ".ptl"})
_CODE_RULES = frozenset({"REMOTE_CODE", "CODE", "TARGET", "YAML_TAG"})


class Decision(StrEnum):
    """What is to become of something."""

    ALLOW = "allow"
    REVIEW = "review"
    BLOCK = "block"

    @property
    def verdict(self) -> Verdict:
        """As a verdict; to allow is to add nothing."""
        return Verdict.PASS if self is Decision.ALLOW else Verdict(self.value)


Format = Literal[
    "gguf", "safetensors", "pickle", "zip", "onnx", "hdf5", "npy", "savedmodel", "tar", "gzip", "json", "yaml", "text",
    "unknown",
]  # fmt: skip
Decisions = Mapping[str, Decision]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Rule(_Part):
    """What holds for the models of a source and publisher; both may hold `*` for any letters.

    What is left out is as the file says for all. `remote_code` lets code in the repositories through or not.
    """

    source: str = "*"
    publisher: str = "*"
    decision: Decision = Decision.ALLOW
    reason: Annotated[str, Field(max_length=300)] = ""
    remote_code: Decision | None = None
    formats: dict[Format, Decision] = {}
    licences: dict[str, Decision] = {}

    def matches(self, origin: Origin) -> bool:
        """Whether the rule is about what comes from there."""
        publisher = origin.publisher.lower()
        return fnmatchcase(origin.source, self.source) and fnmatchcase(publisher, self.publisher.lower())


class Policy(_Part):
    """All decisions. Without a file nothing is decided beforehand."""

    version: Literal[1] = 1
    decision: Decision = Decision.ALLOW
    remote_code: Decision = Decision.REVIEW
    unknown_licence: Decision = Decision.ALLOW
    other_licences: Decision = Decision.ALLOW
    licences: dict[str, Decision] = {}
    formats: dict[Format, Decision] = {}
    rule: tuple[Rule, ...] = ()

    def about(self, origin: Origin) -> Sequence[Finding]:
        """What the policy says of everything from there, whatever is in the files."""
        return [*self._from(origin), *self._licensed(origin)]

    def apply(self, report: ScanReport, origin: Origin, path: str) -> ScanReport:
        """The report with what the policy adds, and without the doubts about code that it takes away."""
        found = [finding for finding in report.findings if not self._settles(finding, origin)]
        remote = self._remote_code(origin)
        if remote is Decision.BLOCK and any(finding.rule in _CODE_RULES for finding in found):
            found.append(Finding("POLICY_CODE", path, "The policy forbids code in repositories."))
        found += self.about(origin)
        decision = self._for_format(_kinds(report.format, path), origin)
        if decision is not Decision.ALLOW:
            word = "forbids" if decision is Decision.BLOCK else "wants a person to decide on"
            found.append(Finding("POLICY_FORMAT", path, f"The policy {word} files of the kind {report.format}.",
                                 decision.verdict))  # fmt: skip
        return replace(report, verdict=worst(found), findings=tuple(found))

    def _rules(self, origin: Origin) -> Iterator[Rule]:
        """The rules about it, the last one first: what comes later is more special."""
        yield from (rule for rule in reversed(self.rule) if rule.matches(origin))

    def _from(self, origin: Origin) -> Iterator[Finding]:
        rule = next(self._rules(origin), None)
        decision = rule.decision if rule else self.decision
        if decision is not Decision.ALLOW:
            word = "forbids" if decision is Decision.BLOCK else "wants a person to decide on"
            why = f": {rule.reason.rstrip('.')}" if rule and rule.reason else ""
            detail = f"The policy {word} models of {origin.publisher or origin.source}{why}."
            yield Finding("POLICY_SOURCE", str(origin), detail, decision.verdict)

    def _licensed(self, origin: Origin) -> Iterator[Finding]:
        licence = (origin.licence or "").lower()
        decision = self.unknown_licence if not licence else None
        for decisions in [rule.licences for rule in self._rules(origin)] + [self.licences]:
            decision = decision or next((said for name, said in decisions.items() if name.lower() == licence), None)
        decision = decision or self.other_licences
        if decision is not Decision.ALLOW:
            named = f"the licence {licence}" if licence else "models without a stated licence"
            word = "forbids" if decision is Decision.BLOCK else "wants a person to decide on"
            yield Finding("POLICY_LICENCE", str(origin), f"The policy {word} {named}.", decision.verdict)

    def _remote_code(self, origin: Origin) -> Decision:
        said = (rule.remote_code for rule in self._rules(origin) if rule.remote_code is not None)
        return next(said, self.remote_code)

    def _settles(self, finding: Finding, origin: Origin) -> bool:
        """Whether a doubt is none where code is allowed; only for a commit that is named, whose files never change."""
        doubt = finding.rule in _CODE_RULES and finding.verdict is Verdict.REVIEW
        return doubt and bool(origin.commit) and self._remote_code(origin) is Decision.ALLOW

    def _for_format(self, kinds: frozenset[str], origin: Origin) -> Decision:
        for decisions in [*(rule.formats for rule in self._rules(origin)), self.formats]:
            said = [decision for name, decision in decisions.items() if name in kinds]
            if said:
                return max(said, key=lambda decision: decision.verdict.severity)
        return Decision.ALLOW


def _kinds(kind: str, path: str) -> frozenset[str]:
    """What a file is: torch's archives count as the pickles that they hold."""
    torch = kind == "zip" and PurePosixPath(path).suffix.lower() in _TORCH
    return frozenset({kind, "pickle"} if torch else {kind})


class PolicyFile:
    """A policy on the disk, read anew when its file changed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read: tuple[tuple[int, int], Policy] | None = None

    def read(self) -> Policy:
        """As `load_policy`."""
        try:
            found = self.path.stat()
        except OSError:
            return load_policy(self.path)
        stamp = (found.st_mtime_ns, found.st_size)
        if self._read is None or self._read[0] != stamp:
            self._read = stamp, load_policy(self.path)
        return self._read[1]


def load_policy(file: Path) -> Policy:
    """The policy in a file; one that decides nothing if there is no such file.

    Raises:
        ConfigError: it cannot be read, is no TOML, or holds something that is not allowed; the sentence says what.
    """
    try:
        text = file.read_text("utf-8") if file.stat().st_size <= MAX_BYTES else None
    except FileNotFoundError:
        return Policy()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"The policy {file} cannot be read: {error}.", remedy="Mend the file or remove it.") from None
    if text is None:
        raise ConfigError(f"The policy {file} is larger than {MAX_BYTES:,} bytes.", remedy="Make it shorter.")
    return parse_policy(text, str(file))


def parse_policy(text: str, where: str = FILE) -> Policy:
    """The policy in a text.

    Raises:
        ConfigError: it is no TOML, or holds something that is not allowed.
    """
    try:
        return Policy.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{where} is no TOML: {error}.", remedy="Mend the line that is named.") from None
    except ValidationError as error:
        raise ConfigError(
            f"{where}: {_explained(error)}", remedy="docs/vetting.md shows what a policy may say."
        ) from None


def _explained(error: ValidationError) -> str:
    first = error.errors()[0]
    place = [part for part in first["loc"] if part != "[key]"]
    key = ".".join(f"{part + 1}" if isinstance(part, int) else str(part) for part in place)
    if first["type"] == "extra_forbidden":
        return f"“{key}” is nothing that a policy can say."
    allowed = _allowed(first)
    return f"“{key}” is {str(first['input'])[:40]!r}; {allowed}."


def _allowed(error: Mapping[str, Any]) -> str:
    expected = error.get("ctx", {}).get("expected")
    return f"allowed is {expected}" if expected else str(error["msg"])[:1].lower() + str(error["msg"])[1:]
