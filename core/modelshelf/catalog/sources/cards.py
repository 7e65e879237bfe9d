"""From a Hub's JSON to cards, files and accounts. Whatever does not have the expected type counts as not said."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from modelshelf.catalog.files import default_variant, format_of, formats_of, quantisations_of
from modelshelf.catalog.sources.said import HEX40, HEX64, amount, listing, mapping, matching, moment, text
from modelshelf.catalog.types import HfAccount, RepoCard, RepoFile
from modelshelf.errors import UsageError
from modelshelf.ids import ModelId

FIELDS = (
    "createdAt", "downloads", "gated", "gguf", "lastModified", "library_name", "likes", "pipeline_tag", "private",
    "safetensors", "sha", "siblings", "tags", "trendingScore",
)  # fmt: skip

_FORMAT_TAGS = ("gguf", "safetensors", "pytorch", "onnx", "keras")
_QUANTISATION_TAGS = {
    "awq": "AWQ", "gptq": "GPTQ", "bitsandbytes": "BNB", "fp8": "FP8", "4-bit": "4-bit", "8-bit": "8-bit", "mlx": "MLX",
}  # fmt: skip
_TYPE_BITS = {
    "F64": 64, "F32": 32, "F16": 16, "BF16": 16, "F8_E4M3": 8, "F8_E5M2": 8, "I64": 64, "I32": 32, "I16": 16, "I8": 8,
    "U8": 8, "U16": 16, "U32": 32, "BOOL": 8, "F4": 4,
}  # fmt: skip
_MOST_ORGS = 1000


def card(source: str, data: Any) -> RepoCard | None:
    """A repository as `/api/models` describes it; None if it is none or has a name that no hub allows."""
    fields = mapping(data)
    repo = text(fields.get("id")) or text(fields.get("modelId"))
    if repo is None or not is_repo(repo):
        return None
    tags = tuple(tag for item in listing(fields.get("tags")) if (tag := text(item)))
    siblings = listing(fields.get("siblings"))
    sizes = {file.path: file.size for file in _siblings(siblings)}
    gguf, safetensors = mapping(fields.get("gguf")), mapping(fields.get("safetensors"))
    formats = formats_of(sizes) or tuple(name for name in _FORMAT_TAGS if name in tags)
    return RepoCard(
        source=source,
        repo=repo,
        commit=text(fields.get("sha")),
        task=text(fields.get("pipeline_tag")),
        library=text(fields.get("library_name")),
        licence=_licence(fields, tags),
        tags=tags,
        formats=formats,
        quantisations=quantisations_of(sizes)
        or tuple(label for tag, label in _QUANTISATION_TAGS.items() if tag in tags),
        downloads=amount(fields.get("downloads")),
        likes=amount(fields.get("likes")),
        trending=amount(fields.get("trendingScore")),
        gated=fields.get("gated") not in (None, False, "false"),
        private=fields.get("private") is True,
        created=moment(fields.get("createdAt")),
        modified=moment(fields.get("lastModified")),
        parameters=amount(gguf.get("total")) or amount(safetensors.get("total")),
        size=weights_size(sizes) or _safetensors_size(safetensors),
        context=amount(gguf.get("context_length")),
        architecture=text(gguf.get("architecture")),
    )


def files(data: Any) -> tuple[RepoFile, ...]:
    """The files of a page of `/api/models/…/tree`. Names that cannot be a file of a repository are left out."""
    found = []
    for item in listing(data):
        fields = mapping(item)
        path, size, lfs = text(fields.get("path")), amount(fields.get("size")), mapping(fields.get("lfs"))
        if fields.get("type") == "file" and path is not None and is_path(path) and size is not None:
            sha256 = matching(HEX64, lfs.get("oid"))
            size = amount(lfs.get("size")) or size
            found.append(RepoFile(path, size, sha256, None if sha256 else matching(HEX40, fields.get("oid"))))
    return tuple(found)


def weights_size(sizes: Mapping[str, int]) -> int | None:
    """The bytes of the weights that most people would load: one GGUF variant, or all parts of the first format."""
    formats = formats_of(path for path, size in sizes.items() if size > 0)
    if not formats:
        return None
    parts = default_variant(sizes) if formats[0] == "gguf" else ()
    parts = parts or tuple(path for path in sizes if format_of(path) == formats[0])
    return sum(sizes[path] for path in parts)


def account(said: Any) -> HfAccount | None:
    """Whose token it is; None if that is not said."""
    fields = mapping(said)
    name = text(fields.get("name"))
    if name is None:
        return None
    auth = mapping(fields.get("auth"))
    token = mapping(auth.get("accessToken"))
    fine, role = token.get("fineGrained"), text(token.get("role")) or ""
    gated = mapping(fine).get("canReadGatedRepos") if isinstance(fine, dict) else role in ("read", "write") or None
    orgs = (text(mapping(item).get("name")) for item in listing(fields.get("orgs"))[:_MOST_ORGS])
    return HfAccount(
        name,
        text(fields.get("type")) or "user",
        tuple(org for org in orgs if org),
        role,
        gated if isinstance(gated, bool) else None,
        text(token.get("displayName")) or "",
        moment(auth.get("expiresAt")) or moment(token.get("expiration")),
    )


def is_repo(name: str) -> bool:
    """Whether it is `org/name` as hubs allow it."""
    try:
        return ModelId.parse(name) == ModelId(name)
    except UsageError:
        return False


def is_path(path: str) -> bool:
    """Whether it is a plain relative path: no empty part, no `..`, no backslash, no control characters."""
    return (
        len(path) <= 500
        and path.isprintable()
        and "\\" not in path
        and all(part not in ("", ".", "..") for part in path.split("/"))
        and not PurePosixPath(path).is_absolute()
    )


def _siblings(items: Sequence[Any]) -> Iterable[RepoFile]:
    for item in items:
        fields = mapping(item)
        path = text(fields.get("rfilename"))
        if path and is_path(path):
            yield RepoFile(path, amount(fields.get("size")) or amount(mapping(fields.get("lfs")).get("size")) or 0)


def _licence(fields: Mapping[str, Any], tags: Sequence[str]) -> str | None:
    tagged = next((tag.removeprefix("license:") for tag in tags if tag.startswith("license:")), None)
    named = mapping(fields.get("cardData")).get("license")
    return tagged or text(named)


def _safetensors_size(safetensors: Mapping[str, Any]) -> int | None:
    counts = mapping(safetensors.get("parameters"))
    bits = 0
    for kind, number in counts.items():
        count = amount(number)
        if count is None or kind not in _TYPE_BITS:
            return None
        bits += count * _TYPE_BITS[kind]
    return bits // 8 or None
