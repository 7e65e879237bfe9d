"""The scanner's rules in plain words: what was found, and what to do about it."""

from collections.abc import Sequence
from typing import Any

from modelshelf.vetting.types import Finding, Verdict
from modelshelf_dashboard.texts import N_, _, _n

_OTHER_FORMAT = N_("Take the same model as safetensors or GGUF: those formats hold no code.")
_OTHER_SOURCE = N_("Do not use it. Take the model from its own publisher, and tell them if it is theirs.")
_AGAIN = N_("Delete it and download it again; if that does not help, tell the publisher.")
_READ_CODE = N_("Let somebody who knows Python read it, at this very commit, before an administrator accepts it.")
_POLICY = N_("An administrator can change the policy, in policy.toml.")

# By the rule, or by what it begins with: the longest that fits counts.
_RULES: dict[str, tuple[str, str]] = {
    "PICKLE": (N_("A pickle that does more than hold data"), _OTHER_FORMAT),
    "PICKLE_IMPORT": (N_("Code that runs when the file is loaded"), _OTHER_FORMAT),
    "PICKLE_CALL": (N_("A call that runs when the file is loaded"), _OTHER_FORMAT),
    "PICKLESCAN": (N_("A second scanner objects, too"), _OTHER_FORMAT),
    "MODELAUDIT": (N_("A second scanner objects, too"), _OTHER_FORMAT),
    "TORCH": (N_("An archive of torch that is not as torch writes it"), _OTHER_FORMAT),
    "NPY": (N_("An array that holds more than numbers"), _OTHER_FORMAT),
    "KERAS": (N_("A Keras model that brings code"), _OTHER_FORMAT),
    "HDF5": (N_("A Keras file that is not what it claims"), _AGAIN),
    "ONNX": (N_("An ONNX model that reaches beyond itself"), _OTHER_SOURCE),
    "ONNX_OPERATOR": (N_("An operator of its own"), _READ_CODE),
    "TENSORFLOW": (N_("An operator that reads, writes or runs something"), _OTHER_FORMAT),
    "ZIP": (N_("An archive that is not what it seems"), _OTHER_SOURCE),
    "TAR": (N_("An archive that is not what it seems"), _OTHER_SOURCE),
    "ARCHIVE": (N_("Archives within archives"), _OTHER_SOURCE),
    "PACKED": (N_("Something packed that cannot be looked into"), _OTHER_SOURCE),
    "GGUF": (N_("A GGUF header that breaks the rules"), _AGAIN),
    "GGUF_TEMPLATE": (N_("A chat template that does more than write text"), _OTHER_SOURCE),
    "IMATRIX": (N_("A table of importance that is not whole"), _AGAIN),
    "PIECES": (N_("A tokenizer that breaks the rules"), _AGAIN),
    "NOT_SCANNED": (N_("Not scanned yet"), N_("Scan it.")),
    "TEMPLATE": (N_("A chat template that does more than write text"), _OTHER_SOURCE),
    "SAFETENSORS": (N_("A safetensors header that breaks the rules"), _AGAIN),
    "HEADER": (N_("A header that breaks the rules"), _AGAIN),
    "JSON": (N_("Settings that two programs may read differently"), _AGAIN),
    "YAML": (N_("Settings that make more than settings"), _READ_CODE),
    "REGEX": (N_("A pattern that may take for ever"), _OTHER_SOURCE),
    "INDEX": (N_("An index that leads out of the model"), _OTHER_SOURCE),
    "REMOTE_CODE": (N_("It brings code of its own"), _READ_CODE),
    "CODE": (N_("A file of code"), _READ_CODE),
    "TARGET": (N_("Settings that name what is to be run"), _READ_CODE),
    "EXECUTABLE": (N_("A program or a script"), _OTHER_SOURCE),
    "POLYGLOT": (N_("One file that can be read as two things"), _OTHER_SOURCE),
    "NAME_AND_CONTENT": (N_("The content is not what the name says"), _OTHER_SOURCE),
    "FILE_NAME": (N_("A name that leads elsewhere"), _OTHER_SOURCE),
    "FILE_KIND": (N_("No plain file"), _OTHER_SOURCE),
    "UNKNOWN": (N_("A kind of file that nobody here knows"), N_("Accept it only if you know what it is for.")),
    "SCAN_FAILED": (N_("The scan did not come to an end"), N_("Scan again; what cannot be scanned does not pass.")),
    "FILE_CHANGED": (N_("It changed while it was scanned"), N_("Wait until nothing writes to it, then scan again.")),
    "SCANNER_MISSING": (N_("A scanner is missing here"), N_("Install Modelshelf anew.")),
    "HUB_UNSAFE": (N_("The source's own scanners call it unsafe"), _OTHER_SOURCE),
    "HUB_DOUBT": (N_("The source's own scanners have doubts"), N_("Look at the model's page before you go on.")),
    "POLICY": (N_("Your policy forbids it, or wants a decision"), _POLICY),
}
_LONGEST_FIRST = sorted(_RULES, key=len, reverse=True)


def explained(finding: Finding) -> dict[str, Any]:
    """A finding for the panel: what it is, what it could do, where, and what to do."""
    title, todo = _told(finding.rule)
    return {
        "title": title,
        "rule": finding.rule,
        "where": finding.where,
        "could": finding.detail,
        "todo": todo,
        "tone": finding.verdict.value,
    }


def all_explained(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """Findings, the worst first, each said once."""
    order = sorted(dict.fromkeys(findings), key=lambda finding: -finding.verdict.severity)
    return [explained(finding) for finding in order]


def from_policy(rule: str) -> bool:
    """Whether it is the policy that speaks, which nobody can accept away file by file."""
    return rule.startswith("POLICY")


def shield(kind: str, tip: str = "") -> dict[str, str]:
    """A shield: kind is pass | accepted | review | block | unseen | looked."""
    words, tips = _shields()
    known = kind if kind in words else "unseen"
    return {"kind": known, "word": words[known], "tip": tip or tips[known]}


def of_verdict(verdict: Verdict | str | None, *, accepted: bool = False) -> dict[str, str]:
    """The shield for a verdict; None where nothing was looked at."""
    if accepted and verdict == Verdict.PASS:
        return shield("accepted")
    return shield(str(verdict) if verdict else "unseen")


def counted(findings: Sequence[Finding]) -> str:
    """How many findings there are, and the worst of them."""
    if not findings:
        return _("Nothing was found.")
    worst = max(findings, key=lambda finding: finding.verdict.severity)
    return _n("{n} finding: {first}.", "{n} findings, the worst: {first}.", len(findings), first=_told(worst.rule)[0])


def _told(rule: str) -> tuple[str, str]:
    name = next((name for name in _LONGEST_FIRST if rule.startswith(name)), "")
    if not name:
        return rule.replace("_", " ").capitalize(), _(_OTHER_SOURCE)
    title, todo = _RULES[name]
    return _(title), _(todo)


def _shields() -> tuple[dict[str, str], dict[str, str]]:
    words = {
        "pass": _("scanned, nothing found"),
        "accepted": _("let through"),
        "review": _("needs a decision"),
        "block": _("blocked"),
        "unseen": _("not yet looked at"),
        "looked": _("nothing found so far"),
    }
    tips = {
        "pass": _("Every file was scanned and nothing was found. Press to see by which rules, and when."),
        "accepted": _("Something was found, and an administrator let it pass. Press to see what, who and why."),
        "review": _("Something was found that a person must decide on. Press to see what."),
        "block": _("Something unsafe was found. Press to see what it could do, and what to do."),
        "unseen": _("It was not scanned under the present rules. Press to scan it now."),
        "looked": _("What can be seen before the download is harmless. The whole is scanned after it."),
    }
    return words, tips
