"""The policy: what it may say, what it says when it is wrong, and what it does to verdicts."""

from pathlib import Path

import pytest

from modelshelf.errors import ConfigError
from modelshelf.vetting import Finding, ScanReport, Verdict
from modelshelf.vetting.origin import Origin
from modelshelf.vetting.policy import Policy, load_policy, parse_policy

HF = Origin("hf", "TheOrg/model", "c0ffee" * 6, "Apache-2.0")
CODE = Finding("REMOTE_CODE", "config.json: auto_map", "It names code.", Verdict.REVIEW)
CLEAN = ScanReport("model.gguf", Verdict.PASS, (), "gguf")


def verdict(text: str, report: ScanReport = CLEAN, origin: Origin = HF, path: str = "model.gguf") -> Verdict:
    return parse_policy(text).apply(report, origin, path).verdict


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('decision = "maybe"', "“decision” is 'maybe'; allowed is 'allow', 'review' or 'block'"),
        ("colour = 1", "“colour” is nothing that a policy can say"),
        ('[[rule]]\npublisher = "a"\n[[rule]]\ndecision = "no"', "“rule.2.decision” is 'no'"),
        ('[formats]\nword = "block"', "“formats.word” is 'word'; allowed is 'gguf'"),
        ("version = 2", "“version” is '2'; allowed is 1"),
        ("decision = ", "is no TOML"),
        ("[[rule]]\nreason = 5\n", "“rule.1.reason” is '5'"),
    ],
)
def test_a_wrong_policy_is_refused_in_a_clear_sentence(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says.replace("(", r"\(")):
        parse_policy(text)


def test_without_a_file_nothing_is_decided(tmp_path: Path) -> None:
    assert load_policy(tmp_path / "policy.toml") == Policy()
    assert Policy().apply(CLEAN, HF, "model.gguf").verdict is Verdict.PASS
    (tmp_path / "policy.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_policy(tmp_path / "policy.toml")
    (tmp_path / "policy.toml").write_text("# x\n" * 400_000)
    with pytest.raises(ConfigError, match="is larger"):
        load_policy(tmp_path / "policy.toml")


def test_sources_and_publishers_are_allowed_reviewed_or_blocked() -> None:
    text = '[[rule]]\nsource = "hf"\ndecision = "review"\n'
    text += '[[rule]]\npublisher = "theorg"\ndecision = "{}"\nreason = "We know."'
    assert verdict(text.format("allow")) is Verdict.PASS
    assert verdict(text.format("block")) is Verdict.BLOCK
    assert verdict(text.format("allow"), origin=Origin("hf", "other/m")) is Verdict.REVIEW
    assert verdict('decision = "block"', origin=Origin("x", "y")) is Verdict.BLOCK
    found = parse_policy(text.format("block")).about(HF)
    assert [finding.detail for finding in found] == ["The policy forbids models of TheOrg: We know."]


def test_licences_count_whatever_their_case() -> None:
    assert verdict('[licences]\n"apache-2.0" = "block"') is Verdict.BLOCK
    assert verdict('other_licences = "review"\n[licences]\n"apache-2.0" = "allow"') is Verdict.PASS
    assert verdict('other_licences = "review"') is Verdict.REVIEW
    assert verdict('unknown_licence = "block"', origin=Origin("hf", "a/b")) is Verdict.BLOCK
    special = '[licences]\n"apache-2.0" = "block"\n[[rule]]\npublisher = "the*"\nlicences = { "apache-2.0" = "allow" }'
    assert verdict(special) is Verdict.PASS


def test_formats_are_by_content_and_torch_archives_are_pickles() -> None:
    assert verdict('[formats]\ngguf = "block"') is Verdict.BLOCK
    torch = ScanReport("m.bin", Verdict.PASS, (), "zip")
    assert verdict('[formats]\npickle = "review"', torch, path="pytorch_model.bin") is Verdict.REVIEW
    assert verdict('[formats]\npickle = "review"', torch, path="texts.zip") is Verdict.PASS


def test_code_in_repositories_is_let_through_only_for_a_named_commit() -> None:
    doubtful = ScanReport("config.json", Verdict.REVIEW, (CODE,), "json")
    trusted = '[[rule]]\npublisher = "TheOrg"\nremote_code = "allow"'
    assert verdict("", doubtful) is Verdict.REVIEW
    assert verdict(trusted, doubtful) is Verdict.PASS
    assert verdict(trusted, doubtful, Origin("hf", "TheOrg/model")) is Verdict.REVIEW
    assert verdict('remote_code = "block"', doubtful) is Verdict.BLOCK


def test_no_policy_lets_through_what_is_unsafe() -> None:
    unsafe = ScanReport("m.pkl", Verdict.BLOCK, (Finding("PICKLE_IMPORT", "m.pkl", "It runs commands."),), "pickle")
    everything = 'decision = "allow"\nremote_code = "allow"\n[formats]\npickle = "allow"'
    assert verdict(everything, unsafe) is Verdict.BLOCK
