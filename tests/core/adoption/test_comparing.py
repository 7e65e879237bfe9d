"""What lies twice, on disks that hypothesis makes: giving all of it back changes no file and leaves nothing twice."""

import os
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from modelshelf.adoption.around import Around
from modelshelf.adoption.comparing import Known
from modelshelf.adoption.giving import give_back
from modelshelf.adoption.records import mark_of
from modelshelf.adoption.survey import survey
from modelshelf.library.types import InstalledFile, InstalledModel
from tests.core.adoption.stores import write
from tests.core.sources.simulators import gguf, sha256

# Each file: its store, its content, and whether it is another name for an earlier file instead.
FILES = st.lists(st.tuples(st.sampled_from("abl"), st.integers(0, 3), st.none() | st.integers(0, 5)), max_size=9)
Files = list[tuple[str, int, int | None]]


def machine(home: Path, files: Files) -> dict[Path, bytes]:
    """Files of two stores and the library; what each must hold."""
    made: dict[Path, bytes] = {}
    for number, (store, content, other) in enumerate(files):
        place = home / store / "org" / f"m{number}" / f"m{number}.gguf"
        place.parent.mkdir(parents=True)
        if other is not None and other < number:
            source = list(made)[other]
            os.link(source, place)
            made[place] = made[source]
        else:
            made[write(place, gguf(str(content)))] = gguf(str(content))
    return made


def known(home: Path, made: dict[Path, bytes]) -> Known:
    found = survey(Around({"HOME": str(home)}, (f"{home}/a", f"{home}/b"), home / "hub", "linux"))
    sums = {mark_of(file): sha256(made[file.place]) for model in found.models for file in model.files}
    ours = [place for place in made if place.is_relative_to(home / "l")]
    held = [InstalledFile(place.name, len(made[place]), place, place, sha256(made[place])) for place in ours]
    library = [InstalledModel("org/ours", "c" * 40, home / "l", tuple(held))] if held else []
    return Known(found, library, sums)


@settings(max_examples=40, deadline=None)
@given(FILES)
def test_giving_everything_back_changes_no_file_and_leaves_nothing_twice(files: Files) -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder).resolve()
        made = machine(home, files)
        before = len({place.stat().st_ino for place in made})
        twice = known(home, made).duplicates()
        for one in twice:
            assert one.possible
            assert one.keep.inode != one.give.inode
            assert one.keep.library or not one.give.library
            for place in one.give.places:
                give_back(one.keep.places[0], place, one.sha256)
        assert {place: place.read_bytes() for place in made} == made
        after = {place.stat().st_ino: place for place in made}
        assert len(after) == len(set(made.values()))
        assert before - len(after) == len(twice)
        assert known(home, made).duplicates() == []
        assert known(home, made).wanted() == []
