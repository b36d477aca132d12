"""`python -m bgrun`: the same as the command `bgrun`, which installers make from the entry point in pyproject.toml."""

from bgrun.cli import main

if __name__ == "__main__":
    main()
