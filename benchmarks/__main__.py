"""`make bench`: measure everything, print one table, exit with 1 when a promise is broken."""

import sys
from importlib import import_module

from benchmarks.measure import Figure, table

ALL = ("startup", "compat", "page", "providers", "queue")


def main(names: list[str]) -> int:
    figures: list[Figure] = []
    for name in names or ALL:
        print(f"measuring {name} …", file=sys.stderr)
        figures += import_module(f"benchmarks.{name}").measure()
    print(table(figures))
    return 0 if all(figure.kept for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
