"""`python -m modelshelf.cli`: the same as `modelshelf`."""

from modelshelf.cli.app import main

main()
