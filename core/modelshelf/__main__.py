"""`python -m modelshelf` is the command."""

from modelshelf.cli import main

if __name__ == "__main__":
    main()
