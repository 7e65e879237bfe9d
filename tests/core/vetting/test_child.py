"""The confined process, folders and links: limits hold, nothing goes out, and whatever fails blocks."""

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

import pytest

from modelshelf.vetting import SecurityScanner, Verdict, scan_path
from modelshelf.vetting.content import MemoryContent
from modelshelf.vetting.desk import OURS, Examiner
from tests.core.vetting import others, pickled

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux confines by seccomp")


def plugin(folder: Path, body: str) -> None:
    """A scanner by the same door as ours: it takes the texts, and does what `body` says."""
    (folder / "naughty.py").write_text(
        "class Naughty:\n    formats = frozenset({'text'})\n    modules = ()\n"
        "    def scan(self, content, desk):\n"
        + textwrap.indent(textwrap.dedent(body), " " * 8)
        + "        yield from ()\n"
    )
    info = folder / "naughty-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: naughty\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[modelshelf.scanners]\nnaughty = naughty:Naughty\n")


def scanned(folder: Path, seconds: float = 30) -> dict[str, object]:
    """Scan a text in another interpreter that has the plug-in installed."""
    (folder / "text.txt").write_text("hello")
    code = (
        "import json, sys; from pathlib import Path; from modelshelf.vetting import SecurityScanner\n"
        f"with SecurityScanner(seconds={seconds}) as scanner:\n"
        "    report = scanner.scan_file(Path(sys.argv[1])); again = scanner.scan_file(Path(sys.argv[1]))\n"
        "    print(json.dumps({**report.as_dict(), 'again': again.verdict, 'confined': scanner.confined}))"
    )
    environ = {**os.environ, "PYTHONPATH": str(folder)}
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder / "text.txt")], env=environ, capture_output=True, text=True, check=True
    )
    found: dict[str, object] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("raise RuntimeError('no')\n", id="error"),
        pytest.param("bytearray(4 << 30)\n", id="memory"),
        pytest.param("import os; os._exit(3)\n", id="end"),
        pytest.param("import os, signal; os.abort()\n", id="abort"),
        pytest.param("import sys; sys.setrecursionlimit(10**9); f = lambda: f(); f()\n", id="recursion"),
        pytest.param("import sys; sys.exit(0)\n", id="exit"),
    ],
)
def test_a_scanner_that_fails_blocks_and_the_next_scan_works_as_well(tmp_path: Path, body: str) -> None:
    plugin(tmp_path, body)
    found = scanned(tmp_path)
    assert found["verdict"] == found["again"] == "block"
    assert "SCAN_FAILED" in json.dumps(found["findings"])


def together(folder: Path, texts: Sequence[str], seconds: float = 30) -> list[str]:
    """Scan texts in one process of another interpreter that has the plug-in installed; their verdicts in order."""
    for number, text in enumerate(texts):
        (folder / f"{number}.txt").write_text(text)
    code = (
        "import os, sys; from modelshelf.vetting import SecurityScanner\n"
        f"with SecurityScanner(seconds={seconds}) as scanner:\n"
        "    files = [(os.open(name, os.O_RDONLY), name, name) for name in sys.argv[1:]]\n"
        "    print(*(report.verdict for report in scanner.scan_together(files)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *(f"{number}.txt" for number in range(len(texts)))],
        cwd=folder, env={**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.split()


@pytest.mark.parametrize(
    "deed", ["raise RuntimeError('no')", "bytearray(4 << 30)", "import os; os._exit(3)", "import os; os.abort()"]
)
def test_one_that_fails_takes_no_other_with_it(tmp_path: Path, deed: str) -> None:
    plugin(tmp_path, f"if content.read(0, 4) == b'evil':\n    {deed}\n")
    assert together(tmp_path, ["one", "evil", "three"]) == ["pass", "block", "pass"]


def test_one_that_never_ends_keeps_no_other_from_its_verdict(tmp_path: Path) -> None:
    plugin(tmp_path, "if content.read(0, 4) == b'evil':\n    while True: pass\n")
    assert together(tmp_path, ["one", "evil", "three"], seconds=2) == ["pass", "block", "pass"]


def test_a_scanner_that_never_ends_is_ended(tmp_path: Path) -> None:
    plugin(tmp_path, "while True: pass\n")
    found = scanned(tmp_path, seconds=1)
    assert found["verdict"] == "block"
    assert "longer than 1 seconds" in json.dumps(found["findings"])


@LINUX
@pytest.mark.parametrize(
    "deed",
    [
        "socket.create_connection(('127.0.0.1', 9))",
        "socket.socket(socket.AF_UNIX)",
        "os.execv('/bin/true', ['true'])",
        "os.unlink(os.environ.get('HOME', '/tmp') + '/nothing-here')",
        "open('/tmp/written-by-a-scanner', 'w')",
        "open('/dev/null', 'r+')",
        "os.kill(os.getppid(), 9)",
    ],
)
def test_the_process_has_no_network_no_programs_and_changes_no_files(tmp_path: Path, deed: str) -> None:
    plugin(tmp_path, f"import os, socket\ntry:\n    {deed}\nexcept PermissionError:\n    return\nassert False\n")
    found = scanned(tmp_path)
    assert found["confined"] == "seccomp"
    assert found["verdict"] == "pass", found


def test_a_plug_in_can_make_a_verdict_worse(tmp_path: Path) -> None:
    plugin(
        tmp_path,
        "from modelshelf.vetting.types import Finding, Verdict\n"
        "yield Finding('MINE', 'x', 'I do not like it.', Verdict.REVIEW)\n",
    )
    assert scanned(tmp_path)["verdict"] == "review"


def test_each_file_below_a_folder_gets_its_report(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "bad.bin").write_bytes(b"cos\nsystem\n(S'id'\ntR.")
    (tmp_path / "good.txt").write_text("hello")
    reports = {Path(report.path).name: report.verdict for report in scan_path(tmp_path, each=True)}
    assert reports == {"bad.bin": Verdict.BLOCK, "good.txt": Verdict.PASS}
    (whole,) = scan_path(tmp_path)
    assert whole.verdict is Verdict.BLOCK
    assert whole.as_dict().keys() == {"path", "verdict", "findings"}


def test_links_are_followed_within_their_own_cache_only(tmp_path: Path) -> None:
    cache = tmp_path / "models--a--b"
    snapshot = cache / "snapshots" / "c0ffee"
    snapshot.mkdir(parents=True)
    (cache / "blobs").mkdir()
    (cache / "blobs" / "1234").write_bytes(b"{}")
    (tmp_path / "outside").write_text("{}")
    (snapshot / "config.json").symlink_to("../../blobs/1234")
    (snapshot / "out.json").symlink_to(tmp_path / "outside")
    (snapshot / "gone.json").symlink_to("../../blobs/none")
    (snapshot / "round.json").symlink_to("round.json")
    (snapshot / "device").symlink_to("/dev/zero")
    reports = {Path(report.path).name: report.verdict.value for report in scan_path(snapshot, each=True)}
    assert reports == {
        "config.json": "pass",
        "out.json": "block",
        "gone.json": "block",
        "round.json": "block",
        "device": "block",
    }


def test_what_is_no_plain_file_blocks(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (report,) = scan_path(tmp_path / "pipe")
    assert report.findings[0].rule == "FILE_KIND"
    (report,) = scan_path(tmp_path / "missing")
    assert report.verdict is Verdict.BLOCK


@LINUX
def test_a_name_that_is_no_text_blocks(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe.txt")).write_text("hello")
    (report,) = scan_path(tmp_path, each=True)
    assert report.verdict is Verdict.BLOCK
    json.dumps(report.as_dict())


def test_large_files_cost_neither_time_nor_memory(tmp_path: Path) -> None:
    zeros = tmp_path / "zeros.bin"
    with zeros.open("wb") as handle:
        handle.truncate(10 << 30)
    model = tmp_path / "model.safetensors"
    header = json.dumps({"a": {"dtype": "U8", "shape": [5 << 30], "data_offsets": [0, 5 << 30]}}).encode()
    with model.open("wb") as handle:
        handle.write(len(header).to_bytes(8, "little") + header)
        handle.truncate(8 + len(header) + (5 << 30))
    reports = {Path(report.path).name: report.verdict.value for report in scan_path(tmp_path, each=True)}
    assert reports == {"zeros.bin": "review", "model.safetensors": "pass"}


def test_what_would_take_for_ever_comes_to_an_end(tmp_path: Path) -> None:
    deep = pickled.archive({"x.pkl": b"cos\nsystem\n(S'id'\ntR."})
    for _ in range(4):
        deep = pickled.archive({"x.zip": deep})
    files = {
        "opcodes.pkl": b"\x80\x02" + b"N0" * 1_000_001 + b"N.",
        "endless.jinja": b"{% for a in range(90000) %}{% for m in messages %}{% for n in messages %}"
        b"{{ n | tojson | length }}{% endfor %}{% endfor %}{% endfor %}",
        "archives.zip": deep,
        "pattern.json": b'{"pre_tokenizer": {"pattern": {"Regex": "' + b"(a|b)*" * 3000 + b'"}}}',
        "nested.json": b'{"a":' * 200_000 + b"1" + b"}" * 200_000,
    }
    rules = {}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    for report in scan_path(tmp_path, each=True):
        assert report.verdict is Verdict.BLOCK
        rules[Path(report.path).name] = report.findings[0].rule
    assert rules == {
        "opcodes.pkl": "PICKLE_TOO_LONG",
        "endless.jinja": "TEMPLATE_ENDLESS",
        "archives.zip": "ARCHIVE_DEPTH",
        "pattern.json": "REGEX",
        "nested.json": "JSON_NESTING",
    }


def test_our_own_scanners_are_all_known_by_their_formats() -> None:
    from importlib.metadata import entry_points

    ours = [point for point in entry_points(group="modelshelf.scanners") if point.module.startswith("modelshelf.")]
    assert {point.name: point.load().formats for point in ours} == {point.name: OURS[point.name] for point in ours}


def test_a_scanner_that_is_missing_lets_nothing_through() -> None:
    kind, findings = Examiner(()).examine(MemoryContent(pickled.state_dict(), "x.pkl"), "x.pkl")
    assert (kind, [finding.rule for finding in findings]) == ("pickle", ["SCANNER_MISSING"])


def test_a_file_that_changes_while_it_is_scanned_blocks(tmp_path: Path) -> None:
    plugin(tmp_path, "import time\nfor _ in range(400): time.sleep(0.01)\n")
    text = tmp_path / "text.txt"
    text.write_text("hello")
    code = (
        "import os, sys, threading; from pathlib import Path; from modelshelf.vetting import SecurityScanner\n"
        "path = Path(sys.argv[1]); threading.Timer(2, lambda: path.write_text('other')).start()\n"
        "with SecurityScanner() as scanner: print([f.rule for f in scanner.scan_file(path).findings])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(text)],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "FILE_CHANGED" in done.stdout


def test_the_command_line_path_needs_no_database_or_page() -> None:
    code = (
        "import sys, modelshelf.vetting.scanner\n"
        "heavy = ('sqlalchemy', 'pandas', 'panel', 'aiohttp', 'numpy', 'jinja2')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_one_process_scans_many_files(tmp_path: Path) -> None:
    for index, (_, data) in enumerate([*pickled.good(), *others.good()][:40]):
        (tmp_path / f"{index}.bin").write_bytes(data)
    with SecurityScanner() as scanner:
        for file in sorted(tmp_path.iterdir()):
            assert all(finding.rule != "SCAN_FAILED" for finding in scanner.scan_file(file).findings)
