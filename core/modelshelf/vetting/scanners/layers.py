"""One object as Keras writes it, `{module, class_name, config, registered_name}`: could making it run something?"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from modelshelf.vetting.rules import words
from modelshelf.vetting.types import Finding

_CODE = words(
    "Lambda __lambda__ TorchModuleWrapper JaxLayer FlaxLayer TFSMLayer get_file load_model model_from_json "
    "model_from_config clone_model deserialize_keras_object"
)
_LISTS_OF_WORDS = words("StringLookup IntegerLookup TextVectorization IndexLookup Hashing CategoryLookup")
# The modules that hold what models are made of; the others of Keras hold tools.
_PARTS = words(
    "layers models activations initializers regularizers constraints losses metrics optimizers ops dtype_policies "
    "quantizers random engine legacy tokenizers samplers backbones tasks preprocessors saving_api"
)
_ROOTS = words("keras tf_keras keras_hub keras_nlp keras_cv")
_FUNCTIONS = words("activations losses metrics ops initializers random")
_DEEDS = words(
    "exec eval compile open input breakpoint getattr setattr delattr vars globals locals exit quit help map filter "
    "iter next super type object memoryview classmethod staticmethod property callable dir id hash print"
)
_NAME = re.compile(r"[A-Za-z_]\w*")
_OWN_KEYS = words("class_name config module registered_name")


def is_layer(value: Mapping[str, Any]) -> bool:
    """Whether Keras would make an object of this."""
    return isinstance(value.get("class_name"), str) and bool({"config", "module", "registered_name"} & value.keys())


def check_layer(value: Mapping[str, Any], where: str) -> Iterator[Finding]:
    """Find what making this object could do."""
    name, module, config = str(value["class_name"]), value.get("module"), value.get("config")
    names = {name, name.rpartition(">")[2], str(value.get("registered_name") or "").rpartition(">")[2]}
    if isinstance(config, str) and name == "function":
        names |= {config, config.rpartition(".")[2]}
    if module == "builtins" and isinstance(config, str) and (config in _DEEDS or config.startswith("_")):
        yield Finding("KERAS_CODE", where, f"It would call Python's own {config[:40]}.")
    if found := sorted(names & _CODE):
        yield Finding("KERAS_CODE", where, f"A {found[0][:40]} of Keras carries code or calls any function.")
    elif "." in name or (name == "function" and isinstance(config, str) and not _NAME.fullmatch(config)):
        yield Finding("KERAS_CODE", where, f"{name[:40]} reaches further than a class of Keras.")
    if isinstance(module, str) and not is_harmless(module, name, config):
        yield Finding("KERAS_MODULE", where, f"It would import {module[:60]}.{name[:40]}, which is no layer of Keras.")
    if names & _LISTS_OF_WORDS and isinstance(config, Mapping) and isinstance(path := config.get("vocabulary"), str):
        yield Finding("KERAS_PATH", where, f"A {name[:40]} would read its words from {path[:60]!r}.")


def is_harmless(module: str, name: str = "", config: object = None) -> bool:
    """Whether a module belongs to Keras and holds parts of models, not tools; `name` is what is taken from it."""
    root, *parts = module.split(".")
    if module == "builtins":
        # Numbers, slices and the like; a function of the user's own must be registered, its name alone imports nothing.
        return name in {"slice", "function", "ellipsis", "int", "float", "str", "bool", "tuple", "list", "dict"}
    if root in {"tensorflow", "tf"} and parts[:1] == ["keras"]:
        root, parts = "keras", parts[1:]
    if root not in _ROOTS:
        return False
    parts = parts[1:] if parts[:1] in (["src"], ["api"], ["python"], ["_tf_keras"]) else parts
    parts = parts[1:] if parts[:1] == ["keras"] else parts
    if not parts:
        return True
    if parts[0] not in _PARTS or {"utils", "saving", "export", "config", "serialization_lib"} & {*parts[1:]}:
        return False
    is_class = not name or name[:1].isupper() or name.startswith("__")
    return is_class or parts[0] in _FUNCTIONS
