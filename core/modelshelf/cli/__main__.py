"""`python -m modelshelf.cli`: the same as `modelshelf`."""

from modelshelf.cli import main

main()
