"""The whole corpus: bad files block or wait for a person, good files pass, custom code waits."""

from types import ModuleType

import pytest

from modelshelf.vetting import Verdict, worst
from modelshelf.vetting.content import MemoryContent
from modelshelf.vetting.desk import Examiner, scanners
from tests.core.vetting import bypasses, families, ggufs, lures, others, pickled, safe, stock, templates, zipped

KNOWN = scanners()
BAD = (bypasses, lures, others, pickled, zipped, ggufs, safe, templates)
GOOD = (stock, families, others, pickled, zipped, ggufs, safe, templates)


def label(module: ModuleType) -> str:
    return module.__name__.rpartition(".")[2]


def verdict(name: str, data: bytes) -> Verdict:
    return worst(Examiner(KNOWN).examine(MemoryContent(data, name), name)[1])


@pytest.mark.parametrize("module", BAD, ids=label)
def test_no_bad_file_passes_and_nearly_all_block(module: ModuleType) -> None:
    found = {name: verdict(name, data) for name, data in module.bad()}
    assert [name for name, said in found.items() if said is Verdict.PASS] == []
    waiting = [name for name, said in found.items() if said is Verdict.REVIEW]
    assert len(waiting) <= len(found) // 20, waiting


@pytest.mark.filterwarnings("ignore:Stored array in format 2.0")
@pytest.mark.parametrize("module", GOOD, ids=label)
def test_every_good_file_passes(module: ModuleType) -> None:
    assert [name for name, data in module.good() if verdict(name, data) is not Verdict.PASS] == []


@pytest.mark.parametrize("module", [lures, families, others], ids=label)
def test_what_a_person_must_decide_waits(module: ModuleType) -> None:
    assert {name: said for name, data in module.review() if (said := verdict(name, data)) is not Verdict.REVIEW} == {}


def test_the_corpus_is_large_enough() -> None:
    assert sum(len(list(module.bad())) for module in BAD) >= 300
    assert sum(len(list(module.good())) for module in GOOD) >= 150


@pytest.mark.parametrize("module", [bypasses, lures], ids=label)
def test_bytes_that_are_bad_are_so_under_any_name(module: ModuleType) -> None:
    """Whoever renames a file must not get it through: what passes under no ending must not be a program or pickle."""
    harmful = {"pickle", "zip", "elf", "pe", "script", "bytecode"}
    passed = []
    for name, data in module.bad():
        kind, findings = Examiner(KNOWN).examine(MemoryContent(data, "weights"), "weights")
        if kind in harmful and worst(findings) is Verdict.PASS:
            passed.append(name)
    assert set(passed) <= {"wheel.whl"}  # without its name it is an archive with an empty text in it
