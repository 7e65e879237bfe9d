"""`python -m modelshelf` is the command."""

from modelshelf.cli.app import main

if __name__ == "__main__":
    main()
