"""What a component takes from the browser: what its own JavaScript sets, and nothing else."""

import inspect
import pkgutil
from importlib import import_module

import pytest

from modelshelf_dashboard import components
from modelshelf_dashboard.components.piece import Piece
from modelshelf_dashboard.components.search import Search
from modelshelf_dashboard.components.table import Table
from modelshelf_dashboard.components.tabs import Tabs

PIECES = [
    found
    for module in pkgutil.iter_modules(components.__path__)
    for _name, found in inspect.getmembers(import_module(f"{components.__name__}.{module.name}"), inspect.isclass)
    if issubclass(found, Piece) and found is not Piece
]


def test_no_browser_changes_what_only_we_say() -> None:
    assert Table()._linked_properties == ("picked",)
    assert set(Search()._linked_properties) == {"text", "tokens"}
    assert Tabs()._linked_properties == ("value",)


@pytest.mark.parametrize("kind", PIECES, ids=lambda kind: kind.__name__)
def test_texts_and_lists_of_dicts_come_from_here_alone(kind: type[Piece]) -> None:
    taken = [kind.param[name] for name in kind()._linked_properties]
    assert not any(getattr(parameter, "item_type", None) is dict for parameter in taken)
