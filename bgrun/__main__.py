"""`python -m bgrun`."""

from bgrun.cli import main

if __name__ == "__main__":
    main()
