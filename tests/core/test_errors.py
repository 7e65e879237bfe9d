import inspect
import re

from modelshelf import errors
from modelshelf.errors import ModelshelfError


def kinds() -> list[type[ModelshelfError]]:
    return [cls for _, cls in inspect.getmembers(errors, inspect.isclass) if issubclass(cls, ModelshelfError)]


def test_the_tree_at_the_top_draws_every_error_with_its_exit_code() -> None:
    lines = [line for line in (errors.__doc__ or "").splitlines() if "──" in line]
    drawn = {m[1]: int(m[2]) for line in lines if (m := re.search(r"── (\w+)\s.*?(\d)(?:\s|$)", line))}
    assert drawn == {cls.__name__: cls.exit_code for cls in kinds() if cls is not ModelshelfError}


def test_every_error_says_what_happened_and_what_to_do() -> None:
    for cls in kinds():
        error = cls("It broke.")
        assert str(error) == "It broke."
        assert error.remedy.endswith(".")
        assert error.as_dict() == {"code": cls.__name__, "error": "It broke.", "remedy": error.remedy}


def test_errors_carry_data_beside_the_sentence() -> None:
    error = errors.NotEnoughDisk("needs 10 bytes, 4 free", remedy="Free 6 bytes.", need=10, free=4)
    assert error.facts == {"need": 10, "free": 4}
    assert isinstance(error, OSError)
    assert error.remedy == "Free 6 bytes."
