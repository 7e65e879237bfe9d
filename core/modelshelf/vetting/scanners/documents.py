"""JSON and YAML: what a loader could be led to import, run or choke on."""

import re
from collections.abc import Iterator

from modelshelf.vetting.rules import words
from modelshelf.vetting.scanners.allowed import HARM
from modelshelf.vetting.scanners.walk import Walk, load, target
from modelshelf.vetting.spec import Content, Desk
from modelshelf.vetting.types import Finding, Verdict

MAX_JSON = 96 << 20
MAX_YAML = 32 << 20
MAX_ANCHORS = 2000
MAX_UNFOLDED = 1_000_000  # values that the aliases of a YAML document may stand for
_YAML_CODE = re.compile(
    r"(?:^|[\s\[{,:?-])(?:!!?(?:python|ruby|php|javax?|perl|com\.|org\.)|!<[^>\s]+>|![\w!-]*%[0-9A-Fa-f]{2})"
    r"|tag:yaml\.org,2002:(?:python|ruby|php|java)|^%TAG\b",
    re.MULTILINE,
)
# A tag where a value begins; in a comment or within quotes it is none.
_YAML_TAG = re.compile(r"(?:^|[\s\[{,:?-])(?:&\S+\s+)?(!{1,2}[A-Za-z][^\s,\[\]{}]*)", re.MULTILINE)
_PLAIN_TAGS = words(
    "!!str !!int !!float !!bool !!null !!map !!seq !!set !!binary !!timestamp !!omap !!pairs !!merge !!value"
)
_MAKERS = re.compile(r"!(?:new|name|apply|module|obj|object|call|import|eval|exec):([\w.]+)")
_YAML_TARGET = re.compile(r"(?:^|[\s{,\"'-])_target_[\"']?\s*:\s*[\"']?([\w.]+)", re.MULTILINE)
_YAML_CLASS = re.compile(
    r"(?:^|[\s{,\"'-])(?:target|class_path|_name_|func)[\"']?\s*:\s*[\"']?([\w.]+\.\w+)", re.MULTILINE
)
_COMMENT = re.compile(r"(?:^|(?<=\s))#.*$", re.MULTILINE)
_ALIAS = re.compile(r"(?:^|[\s\[{,:-])([*&])([^\s,\[\]{}*&]+)", re.MULTILINE)


class JsonScanner:
    """JSON documents, whatever they are called."""

    formats = frozenset({"json"})
    modules = ("jinja2.sandbox", "jinja2.ext", "modelshelf.vetting.scanners.templates")

    def scan(self, content: Content, desk: Desk) -> Iterator[Finding]:
        """Find double keys, references to code, unsafe templates, patterns and paths."""
        if content.size > MAX_JSON:
            yield Finding("JSON_TOO_LARGE", content.name, f"It has {content.size:,} bytes.", Verdict.REVIEW)
            return
        if content.name.lower().endswith(".jsonl"):
            return
        doubles: list[str] = []
        try:
            document = load(content.read(0, content.size).decode("utf-8-sig"), doubles)
        except RecursionError:
            yield Finding("JSON_NESTING", content.name, "It nests too deeply.")
            return
        except ValueError as error:
            yield from _broken(content, str(error))
            return
        if doubles:
            yield Finding("JSON_DOUBLE_KEY", content.name, f"“{doubles[0][:60]}” is there twice: readers differ on it.")
        yield from Walk(content.name).findings(document)


class YamlScanner:
    """YAML documents."""

    formats = frozenset({"yaml"})
    modules = ()

    def scan(self, content: Content, desk: Desk) -> Iterator[Finding]:
        """Find tags that make objects, functions to be called, and aliases that unfold without end."""
        if content.size > MAX_YAML:
            yield Finding("YAML_TOO_LARGE", content.name, f"It has {content.size:,} bytes.", Verdict.REVIEW)
            return
        try:
            text = content.read(0, content.size).decode("utf-8-sig")
        except UnicodeDecodeError:
            yield Finding("YAML_BROKEN", content.name, "It is not UTF-8.")
            return
        if match := _YAML_CODE.search(text):
            yield Finding("YAML_TAG", content.name, f"The tag {match.group()[:40]} can make any object and run code.")
            return
        if _unfolds(text):
            yield Finding("YAML_BOMB", content.name, "Its aliases refer to each other many times over.")
        # What begins as a comment may stand within quotes: what is unsafe counts there, too, what is doubtful does not.
        for part, in_comments in ((text, True), (_COMMENT.sub("", text), False)):
            found = dict.fromkeys(_named(part, content.name))
            yield from (one for one in found if (one.verdict is Verdict.BLOCK) is in_comments)


def _named(text: str, name: str) -> Iterator[Finding]:
    """What the tags and targets of a document would call."""
    yield from (_tag(tag, name) for tag in dict.fromkeys(_YAML_TAG.findall(text)) if tag not in _PLAIN_TAGS)
    yield from (target(called, name) for called in dict.fromkeys(_YAML_TARGET.findall(text)))
    for called in dict.fromkeys(_YAML_CLASS.findall(text)):
        if called.partition(".")[0] in HARM:
            yield target(called, name)


def _tag(tag: str, name: str) -> Finding:
    made = _MAKERS.match(tag)
    module = made[1].partition(".")[0] if made else ""
    if module in HARM:
        return Finding("YAML_TAG", name, f"The tag {tag[:60]} would call what {HARM[module]}.")
    return Finding("YAML_TAG", name, f"The tag {tag[:60]} makes an object on loading.", Verdict.REVIEW)


def _unfolds(text: str) -> bool:
    """Whether the values that aliases stand for, each in turn with its own, are more than a reader can hold."""
    weights: dict[str, int] = {}
    marks = list(_ALIAS.finditer(text))
    if sum(mark[1] == "&" for mark in marks) > MAX_ANCHORS:
        return True
    for mark in marks:
        if mark[1] == "&":
            held = _aliases(text, mark.end(), _within(text, mark))
            if mark[2] in held:
                return True
            weights[mark[2]] = 1 + sum(weights.get(name, 1) for name in held)
            if weights[mark[2]] > MAX_UNFOLDED:
                return True
    return sum(weights.get(mark[2], 1) for mark in marks if mark[1] == "*") > MAX_UNFOLDED


def _aliases(text: str, start: int, end: int) -> list[str]:
    return [mark[2] for mark in _ALIAS.finditer(text, start, end) if mark[1] == "*"]


def _within(text: str, anchor: re.Match[str]) -> int:
    """Where the value that an anchor names ends: with its bracket, its line, or the lines that are set in below it."""
    start = anchor.end()
    line_end = text.find("\n", start)
    line_end = len(text) if line_end < 0 else line_end
    rest = text[start:line_end].strip()
    if rest[:1] in {"[", "{"}:
        depth = 0
        for bracket in re.finditer(r"[\[\]{}]", text[start:]):
            depth += 1 if bracket.group() in "[{" else -1
            if depth == 0:
                return start + bracket.end()
        return len(text)
    if rest:
        return line_end
    line = text[text.rfind("\n", 0, start) + 1 : start]
    indent = len(line) - len(line.lstrip())
    for following in re.finditer(r"^( *)(\S)", text[line_end + 1 :], re.MULTILINE):
        if len(following[1]) < indent or (len(following[1]) == indent and following[2] != "-"):
            return line_end + 1 + following.start()
    return len(text)


def _broken(content: Content, why: str) -> Iterator[Finding]:
    """A text that merely begins like JSON is no harm, unless it claims to be JSON."""
    if content.name.lower().endswith(".json"):
        yield Finding("JSON_BROKEN", content.name, f"It is not valid JSON: {why[:120]}.")
