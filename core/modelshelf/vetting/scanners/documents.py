"""JSON and YAML: what a loader could be led to import, run or choke on."""

import json
import re
from collections.abc import Iterator
from typing import Any

from modelshelf.vetting.scanners.allowed import HARM
from modelshelf.vetting.scanners.keras import check_layer
from modelshelf.vetting.scanners.patterns import is_catastrophic
from modelshelf.vetting.scanners.templates import check_template
from modelshelf.vetting.spec import Content, Desk
from modelshelf.vetting.types import Finding, Verdict

MAX_JSON = 96 << 20
MAX_DEPTH = 100
MAX_DIGITS = 100
_REMOTE_CODE = frozenset({"auto_map", "custom_pipelines", "custom_generate"})
_LIBRARIES = frozenset({"diffusers", "transformers", "onnxruntime", "optimum", "flax"})
_DOTTED = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")
_YAML_CODE = re.compile(
    r"!!?python\b|tag:yaml\.org,2002:python|^%TAG\b|!<|![\w!-]*%[0-9A-Fa-f]{2}|!!?ruby/", re.MULTILINE
)
_YAML_TARGET = re.compile(r"^[\s-]*[\"']?_target_[\"']?\s*:\s*[\"']?([\w.]+)", re.MULTILINE)


class JsonScanner:
    """JSON documents, whatever they are called."""

    formats = frozenset({"json"})
    modules = ("jinja2.sandbox", "jinja2.ext")

    def scan(self, content: Content, desk: Desk) -> Iterator[Finding]:
        """Find double keys, references to code, unsafe templates, patterns and paths."""
        if content.size > MAX_JSON:
            yield Finding("JSON_TOO_LARGE", content.name, f"It has {content.size:,} bytes.", Verdict.REVIEW)
            return
        if content.name.lower().endswith(".jsonl"):
            return
        doubles: list[str] = []
        try:
            text = content.read(0, content.size).decode("utf-8-sig")
            document = json.loads(text, object_pairs_hook=lambda pairs: _pairs(pairs, doubles), parse_int=_integer)
        except RecursionError:
            yield Finding("JSON_NESTING", content.name, "It nests too deeply.")
            return
        except ValueError as error:
            yield from _broken(content, str(error))
            return
        if doubles:
            yield Finding("JSON_DOUBLE_KEY", content.name, f"“{doubles[0][:60]}” is there twice: readers differ on it.")
        yield from _Walk(content.name).findings(document)


class YamlScanner:
    """YAML documents."""

    formats = frozenset({"yaml"})
    modules = ()

    def scan(self, content: Content, desk: Desk) -> Iterator[Finding]:
        """Find tags that make objects, and aliases that unfold without end."""
        try:
            text = content.read(0, 8 << 20).decode("utf-8-sig")
        except UnicodeDecodeError:
            yield Finding("YAML_BROKEN", content.name, "It is not UTF-8.")
            return
        if match := _YAML_CODE.search(text):
            yield Finding(
                "YAML_TAG", content.name, f"The tag {match.group()[:40]} can make any object, and so run code."
            )
        if len(re.findall(r"(?<![\w*])\*[\w-]+", text)) > 50 and len(re.findall(r"(?<![\w&])&[\w-]+", text)) > 5:
            yield Finding("YAML_BOMB", content.name, "Its aliases refer to each other many times over.")
        for target in _YAML_TARGET.findall(text):
            yield _target(target, content.name)


def _pairs(pairs: list[tuple[str, Any]], doubles: list[str]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        doubles.extend(key for key, _ in pairs if sum(other == key for other, _ in pairs[:1000]) > 1)
        doubles[:] = doubles[:3] or ["a key"]
    return found


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"a number of {len(digits):,} digits")
    return int(digits)


def _broken(content: Content, why: str) -> Iterator[Finding]:
    """A text that merely begins like JSON is no harm, unless it claims to be JSON."""
    if content.name.lower().endswith(".json"):
        yield Finding("JSON_BROKEN", content.name, f"It is not valid JSON: {why[:120]}.")


class _Walk:
    """Goes through a document without recursion."""

    def __init__(self, name: str) -> None:
        self.name = name

    def findings(self, document: Any) -> Iterator[Finding]:
        waiting: list[tuple[str, Any, int]] = [("", document, 1)]
        while waiting:
            key, value, depth = waiting.pop()
            if depth > MAX_DEPTH:
                yield Finding("JSON_NESTING", self.name, f"It nests more than {MAX_DEPTH} deep.")
                return
            if isinstance(value, dict):
                yield from self._object(key, value)
                waiting.extend(
                    (name, item, depth + 1) for name, item in value.items() if not isinstance(item, int | float)
                )
            elif isinstance(value, list):
                # Long lists of words or numbers are vocabularies: only what has structure is looked into.
                waiting.extend((key, item, depth + 1) for item in value if isinstance(item, dict | list))
                if "template" in key:
                    waiting.extend((key, item, depth + 1) for item in value if isinstance(item, str))
            elif isinstance(value, str) and "template" in key and ("{%" in value or "{{" in value):
                yield from check_template(value, f"{self.name}: {key}")

    def _object(self, key: str, value: dict[str, Any]) -> Iterator[Finding]:
        for name in _REMOTE_CODE & value.keys():
            if value[name]:
                yield self._review("REMOTE_CODE", name, "It names code in a repository that would be run on loading.")
        if value.get("trust_remote_code") is True:
            yield self._review("REMOTE_CODE", "trust_remote_code", "It asks to run code from repositories.")
        if isinstance(target := value.get("_target_"), str):
            yield _target(target, self.name)
        if isinstance(value.get("class_name"), str) and ("config" in value or "module" in value):
            yield from check_layer(value, self.name)
        if isinstance(weights := value.get("weight_map"), dict) and not all(map(_is_basename, weights.values())):
            yield Finding("INDEX_PATH", self.name, "Its weight map names files outside its own folder.")
        if isinstance(pattern := value.get("Regex"), str) and is_catastrophic(pattern):
            yield Finding("REGEX", self.name, f"The pattern {pattern[:60]!r} can take for ever on some texts.")
        yield from self._libraries(key, value)

    def _libraries(self, key: str, value: dict[str, Any]) -> Iterator[Finding]:
        if "_class_name" in value and "_diffusers_version" in value:
            for part, named in value.items():
                library = (
                    named[0] if isinstance(named, list) and len(named) == 2 and isinstance(named[1], str) else None
                )
                if isinstance(library, str) and library not in _LIBRARIES and not part.startswith("_"):
                    yield self._review("REMOTE_CODE", part, f"It would load {library[:60]}.{named[1][:60]}.")
        parent = value.get("parent_library")
        if (
            key == "auto_mapping"
            and isinstance(parent, str)
            and parent.partition(".")[0] not in {"transformers", "peft"}
        ):
            yield self._review("REMOTE_CODE", "auto_mapping", f"It would import {parent[:60]}.")
        if {"idx", "type", "path"} <= value.keys() and isinstance(value["type"], str):
            module = value["type"].partition(".")[0]
            if module in HARM:
                yield Finding("REMOTE_CODE", self.name, f"It would import {value['type'][:60]}, which {HARM[module]}.")
            elif module != "sentence_transformers":
                yield self._review("REMOTE_CODE", "type", f"It would import {value['type'][:60]}.")
        for name in ("attn_implementation", "_attn_implementation"):
            if isinstance(value.get(name), str) and "/" in value[name]:
                yield self._review("REMOTE_CODE", name, "It names a kernel in another repository.")

    def _review(self, rule: str, where: str, detail: str) -> Finding:
        return Finding(rule, f"{self.name}: {where}", detail, Verdict.REVIEW)


def _target(target: str, name: str) -> Finding:
    module = target.partition(".")[0]
    if module in HARM:
        return Finding("TARGET", name, f"It would call {target[:60]}, which {HARM[module]}.")
    return Finding("TARGET", name, f"It would call {target[:60]} on loading.", Verdict.REVIEW)


def _is_basename(value: object) -> bool:
    return isinstance(value, str) and bool(value) and not value.startswith(".") and not set(value) & set("/\\:\0")
