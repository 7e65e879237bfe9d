"""What a file's name promises, and what its kind alone says."""

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from modelshelf.vetting.rules import words
from modelshelf.vetting.types import Finding, Verdict

_PICKLED = frozenset({"pickle", "zip"})

# What the content of a file with this ending may be.
_ENDINGS: Mapping[str, frozenset[str]] = {
    ".gguf": frozenset({"gguf"}),
    ".safetensors": frozenset({"safetensors"}),
    ".bin": _PICKLED | {"safetensors", "gguf", "ggml", "unknown"},
    ".pt": _PICKLED,
    ".pth": _PICKLED,
    ".ckpt": _PICKLED | {"unknown", "hdf5"},
    ".pkl": _PICKLED,
    ".pickle": _PICKLED,
    ".joblib": _PICKLED | {"gzip", "bzip2", "xz", "zlib", "lzma"},
    ".json": frozenset({"json"}),
    ".jsonl": frozenset({"json", "text"}),
    ".png": frozenset({"png"}),
    ".jpg": frozenset({"jpeg"}),
    ".jpeg": frozenset({"jpeg"}),
    ".gif": frozenset({"gif"}),
    ".webp": frozenset({"webp"}),
    ".npy": frozenset({"npy"}),
    ".npz": frozenset({"zip"}),
    ".h5": frozenset({"hdf5"}),
    ".keras": frozenset({"zip"}),
    ".onnx": frozenset({"onnx"}),
    ".zip": frozenset({"zip"}),
    ".txt": frozenset({"text", "json", "empty"}),
    ".md": frozenset({"text", "json", "empty"}),
    ".yaml": frozenset({"yaml", "empty"}),
    ".yml": frozenset({"yaml", "empty"}),
    ".jinja": frozenset({"jinja", "empty"}),
    ".model": frozenset({"sentencepiece", "text"}),
    ".imatrix": frozenset({"imatrix", "gguf"}),
    ".rst": frozenset({"text", "json", "empty"}),
    ".toml": frozenset({"text", "json", "empty"}),
    ".tsv": frozenset({"text", "json", "empty"}),
    ".spm": frozenset({"sentencepiece"}),
    ".pdf": frozenset({"pdf"}),
    ".csv": frozenset({"text", "json", "empty"}),
    ".tiktoken": frozenset({"text"}),
}
_ROLES: Mapping[str, str] = {".jinja": "jinja", ".jinja2": "jinja", ".yaml": "yaml", ".yml": "yaml", ".onnx": "onnx"}
_HOOKS = words(
    "sitecustomize.py usercustomize.py .envrc .bashrc .bash_profile .bash_login .bash_logout .profile .zshrc .zshenv "
    ".zprofile .cshrc .kshrc .inputrc .vimrc .exrc .gdbinit .lldbinit .gitconfig .hgrc .npmrc .yarnrc "
    ".yarnrc.yml .pnpmfile.cjs .netrc .pypirc .condarc autorun.inf desktop.ini authorized_keys "
    "crontab"
)
_HOOK_FOLDERS = words(".git .vscode .idea .husky .devcontainer .githooks .svn .hg .ssh .ipython .jupyter")
_CODE_NAMES = words("Makefile GNUmakefile makefile Dockerfile Containerfile Jenkinsfile Vagrantfile Procfile Rakefile")
_LIBRARY = re.compile(r"\.(?:so|dylib)\.\d[\d.]*$", re.IGNORECASE)
_RUN = "It is a program: it could do anything that you can do."
_BLOCKED_KINDS: Mapping[str, str] = {
    "elf": _RUN,
    "pe": _RUN,
    "macho": _RUN,
    "script": "It is a script: it could do anything that you can do.",
    "pyc": "It is compiled Python code.",
    "wasm": _RUN,
    "dex": _RUN,
    "library": "It is a library of machine code.",
    "ole": "It is an old office document, which can hold macros.",
    "cab": "It is an installation archive.",
    "setup": "It is an installation archive.",
    "bytecode": "It is compiled code.",
    "shortcut": "It is a shortcut, which starts a program when it is opened.",
    "flash": "It is a film that holds code.",
    "help": "It is a help file that can hold code.",
    "serialised": "It holds objects of another language, which run code when they are read.",
    "markup": "It reads other files when it is opened.",
}
_BLOCKED_ENDINGS = words(
    ".so .dll .dylib .exe .com .scr .msi .msp .mst .sh .bash .zsh .fish .csh .ksh .bat .cmd .ps1 .psm1 .ps1xml .vbs "
    ".vbe .wsf .wsh .js .jse .mjs .cjs .jar .class .pyc .pyo .pyd .pyw .pyz .pyzw .ipynb .app .appimage .run .deb .rpm "
    ".apk .aab .lnk .url .scf .inf .cpl .pif .desktop .service .command .node .hta .reg .egg .whl .gem .crx .xpi .vsix "
    ".phar .swf .scpt .applescript .ahk .xll .docm .xlsm .pptm .dotm .xlam .iso .img .dmg .pkg .chm .o .ko .a .lib "
    ".sys .elf .nim .rds .rda .rdata .ser .workflow .action .gadget .jnlp .theme .cmdline .mht .mhtml"
)
_REVIEWED_KINDS: Mapping[str, str] = {
    "tar": "It is an archive; what is in it is not checked.",
    "gzip": "It is packed; what is in it is not checked.",
    "bzip2": "It is packed; what is in it is not checked.",
    "xz": "It is packed; what is in it is not checked.",
    "zstd": "It is packed; what is in it is not checked.",
    "lz4": "It is packed; what is in it is not checked.",
    "7z": "It is an archive; what is in it is not checked.",
    "rar": "It is an archive; what is in it is not checked.",
    "sqlite": "It is a database, which no model needs.",
    "ggml": "It is an old format that few engines read.",
    "parquet": "It is a table of data, not a part of a model.",
    "arrow": "It is a table of data, not a part of a model.",
    "pdf": "It is a document that can hold code.",
    "zlib": "It is packed; what is in it is not checked.",
    "lzma": "It is packed; what is in it is not checked.",
    "savedmodel": "It is a graph of TensorFlow, whose operators can do more than compute.",
    "unknown": "It is of an unknown kind.",
}
# What cannot be looked into hides whatever it likes, all the more inside something else.
_SEALED = words("zstd lz4 7z rar")
_PICTURES = words("png jpeg gif webp")
_PICTURE_ENDINGS = words(".png .jpg .jpeg .gif .webp")
_CODE = words(".py .pyi .pyx .c .cc .cpp .cu .h .cl .metal .lua .rb .pl .php .go .rs .ts .html .htm .svg .xml")


def role(path: str, kind: str) -> str:
    """What to treat a content as: texts and unknown bytes by what they are for, all else by what it is."""
    ending = PurePosixPath(path).suffix.lower()
    if kind in {"text", "json"} and ending in {".jinja", ".jinja2", ".yaml", ".yml"}:
        return _ROLES[ending]
    if kind == "unknown" and ending == ".onnx":
        return "onnx"
    return kind


def claims(path: str, kind: str, *, inside: bool = False) -> Iterator[Finding]:
    """What the name and the kind together say against a file; `inside` an archive, data may have any name."""
    name = PurePosixPath(path)
    ending = name.suffix.lower()
    if not path.isprintable() or name.name != name.name.rstrip(". ") or "\\" in path:
        yield Finding("FILE_NAME", path, "The name has characters that hide what the file is.")
    if kind in _BLOCKED_KINDS:
        yield Finding("EXECUTABLE", path, _BLOCKED_KINDS[kind])
    elif name.name in _HOOKS or _HOOK_FOLDERS.intersection(name.parts[:-1]):
        yield Finding("EXECUTABLE", path, "Files of this name are run by other programs without being asked.")
    elif ending in _BLOCKED_ENDINGS or _LIBRARY.search(name.name):
        yield Finding("EXECUTABLE", path, f"Files ending in {ending} are run by other programs.")
    elif inside and ending == ".pth" and kind in {"text", "json"}:
        yield Finding("EXECUTABLE", path, "Python runs the lines of such a file at every start.")
    elif inside and kind in _SEALED:
        yield Finding("PACKED_SEALED", path, "It is packed in a way that cannot be looked into.")
    elif kind in _REVIEWED_KINDS and not inside:
        yield Finding("UNKNOWN_TYPE", path, _REVIEWED_KINDS[kind], Verdict.REVIEW)
    if ending in _CODE or name.name in _CODE_NAMES:
        yield Finding("CODE", path, "It is code; it must not run before an administrator has read it.", Verdict.REVIEW)
    expected = _ENDINGS.get(ending)
    if kind in _PICTURES and ending in _PICTURE_ENDINGS and kind not in (expected or ()) and not inside:
        yield Finding("NAME_AND_CONTENT", path, f"It is called {ending} but is a picture of {kind}.", Verdict.REVIEW)
    elif expected is not None and kind not in expected and not inside:
        yield Finding("NAME_AND_CONTENT", path, f"It is called {ending} but holds {kind}.")
