"""Goes through a JSON document and finds what a loader could be led to import, run or choke on."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from modelshelf.vetting.rules import words
from modelshelf.vetting.scanners.allowed import HARM
from modelshelf.vetting.scanners.layers import check_layer, is_layer
from modelshelf.vetting.scanners.patterns import is_catastrophic
from modelshelf.vetting.scanners.templates import check_template
from modelshelf.vetting.types import Finding, Verdict

MAX_DEPTH = 100
MAX_DIGITS = 100
_REMOTE_CODE = words("auto_map custom_pipelines custom_generate")
_LIBRARIES = words("diffusers transformers onnxruntime optimum flax peft")
# Folders of diffusers that the files of its own pipelines name as if they were libraries.
_PIPELINES = words(
    "stable_diffusion latent_diffusion paint_by_example deepfloyd_if kandinsky kandinsky2_2 wuerstchen shap_e "
    "audioldm audioldm2 unclip stable_diffusion_safe stable_diffusion_xl alt_diffusion versatile_diffusion "
    "stable_audio musicldm pixart_alpha flux stable_cascade stable_diffusion_3 controlnet ddpm ddim unidiffuser "
    "semantic_stable_diffusion blip_diffusion consistency_models spectrogram_diffusion vq_diffusion hunyuandit "
    "lumina cogvideo"
)
_INSTALL_HOOKS = words("preinstall install postinstall prepare prepublish preprepare postprepare")


def load(text: str, doubles: list[str]) -> Any:
    """The document in a text; names that an object has twice are added to `doubles`.

    Raises:
        ValueError: it is none, or holds an enormous number.
        RecursionError: it nests too deeply.
    """
    return json.loads(text, object_pairs_hook=lambda pairs: pairs_once(pairs, doubles), parse_int=whole_number)


def pairs_once(pairs: list[tuple[str, Any]], doubles: list[str]) -> dict[str, Any]:
    """The object of these pairs; what is there twice is noted."""
    found = dict(pairs)
    if len(found) != len(pairs) and not doubles:
        counted = Counter(key for key, _ in pairs)
        doubles.append(next(key for key, count in counted.items() if count > 1))
    return found


def whole_number(digits: str) -> int:
    """An integer of a size that some reader may take.

    Raises:
        ValueError: it is enormous.
    """
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"a number of {len(digits):,} digits")
    return int(digits)


class Walk:
    """Goes through a document without recursion; `name` is the file's."""

    def __init__(self, name: str) -> None:
        self.name = name

    def findings(self, document: Any) -> Iterator[Finding]:
        """Yield what is wrong in a document."""
        if isinstance(document, dict) and self.name.rpartition("/")[2].lower() == "package.json":
            yield from self._package(document)
        waiting: list[tuple[str, Any, int]] = [("", document, 1)]
        while waiting:
            key, value, depth = waiting.pop()
            if depth > MAX_DEPTH:
                yield Finding("JSON_NESTING", self.name, f"It nests more than {MAX_DEPTH} deep.")
                return
            if isinstance(value, dict):
                yield from self._object(key, value)
                # What lies below a template's name is a template, whatever it is called.
                waiting.extend(
                    (key if "template" in key else name, item, depth + 1)
                    for name, item in value.items()
                    if not isinstance(item, int | float)
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
        if isinstance(called := value.get("_target_"), str):
            yield target(called, self.name)
        if isinstance(called := value.get("target"), str) and called.partition(".")[0] in HARM and "." in called:
            yield target(called, self.name)
        if is_layer(value):
            yield from check_layer(value, self.name)
        if "weight_map" in value and not _names_files_beside(value["weight_map"]):
            yield Finding("INDEX_PATH", self.name, "Its weight map names files outside its own folder.")
        if isinstance(pattern := value.get("Regex"), str) and is_catastrophic(pattern):
            yield Finding("REGEX", self.name, f"The pattern {pattern[:60]!r} can take for ever on some texts.")
        yield from self._libraries(key, value)

    def _libraries(self, key: str, value: dict[str, Any]) -> Iterator[Finding]:
        if "_diffusers_version" in value and self._is_pipeline(value.get("_class_name")):
            yield from self._pipeline(value)
        parent = value.get("parent_library")
        if (
            key == "auto_mapping"
            and isinstance(parent, str)
            and parent.partition(".")[0] not in {"transformers", "peft"}
        ):
            yield self._review("REMOTE_CODE", "auto_mapping", f"It would import {parent[:60]}.")
        if {"idx", "type", "path"} <= value.keys() and isinstance(value["type"], str):
            if isinstance(path := value["path"], str) and (path.startswith("/") or ".." in path or "\\" in path):
                yield Finding("INDEX_PATH", self.name, f"A module would be read from {path[:60]!r}.")
            module = value["type"].partition(".")[0]
            if module in HARM:
                yield Finding("REMOTE_CODE", self.name, f"It would import {value['type'][:60]}, which {HARM[module]}.")
            elif module != "sentence_transformers":
                yield self._review("REMOTE_CODE", "type", f"It would import {value['type'][:60]}.")
        for name in ("attn_implementation", "_attn_implementation"):
            if isinstance(value.get(name), str) and "/" in value[name]:
                yield self._review("REMOTE_CODE", name, "It names a kernel in another repository.")

    def _is_pipeline(self, kind: object) -> bool:
        """Whether pairs of texts name a library and a class; in other files they are just two texts."""
        index = self.name.rpartition("/")[2].rpartition(":")[2] == "model_index.json"
        return index or not isinstance(kind, str) or "pipeline" in kind.lower()

    def _pipeline(self, value: dict[str, Any]) -> Iterator[Finding]:
        for part, named in value.items():
            if isinstance(named, list) and (".." in part or set(part) & set("/\\:")):
                yield Finding("INDEX_PATH", self.name, f"A part would be read from {part[:60]!r}.")
            if part.startswith("_") or not (isinstance(named, list) and len(named) == 2):
                continue
            library, name = named
            if not isinstance(library, str) or not isinstance(name, str) or library in _LIBRARIES | _PIPELINES:
                continue
            if (module := library.partition(".")[0]) in HARM:
                yield Finding("REMOTE_CODE", self.name, f"It would load {library[:60]}, which {HARM[module]}.")
            else:
                yield self._review("REMOTE_CODE", part, f"It would load {library[:60]}.{name[:60]}.")

    def _package(self, document: dict[str, Any]) -> Iterator[Finding]:
        scripts = document.get("scripts")
        if isinstance(scripts, dict) and (hooks := sorted(_INSTALL_HOOKS & scripts.keys())):
            yield Finding("EXECUTABLE", self.name, f"Its script {hooks[0]} is run when the package is installed.")

    def _review(self, rule: str, where: str, detail: str) -> Finding:
        return Finding(rule, f"{self.name}: {where}", detail, Verdict.REVIEW)


def target(called: str, name: str) -> Finding:
    """What naming a function to call on loading means."""
    module = called.partition(".")[0]
    if module in HARM:
        return Finding("TARGET", name, f"It would call {called[:60]}, which {HARM[module]}.")
    return Finding("TARGET", name, f"It would call {called[:60]} on loading.", Verdict.REVIEW)


def _names_files_beside(weights: object) -> bool:
    return isinstance(weights, dict) and all(
        isinstance(value, str)
        and bool(value)
        and not value.startswith(".")
        and not set(value) & set("/\\:\0")
        and value.isprintable()
        for value in weights.values()
    )
