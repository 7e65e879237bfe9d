"""A process that types: says so when it has, and waits for the end of its input while its memory is looked at."""

import json
import sys
from pathlib import Path

from modelshelf.catalog.columns.mapped import Mapped
from modelshelf.catalog.columns.pages import Catalogue, Sort
from modelshelf.catalog.query import parse

if __name__ == "__main__":
    catalogue = Catalogue(Mapped(Path(sys.argv[1])))
    for text, sort in json.loads(sys.argv[2]):
        catalogue.page(parse(text), sort=Sort(sort))
    print("typed", flush=True)
    sys.stdin.read()
