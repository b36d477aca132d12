#!python
"""`python -m bgrun`, and the installed command `bgrun`: an installer puts its interpreter in place of the first line.

It is no console script of an entry point, since the file that pip makes for one imports `re`, which takes
half as long again as the interpreter's own start.
"""

from bgrun.cli import main

if __name__ == "__main__":
    main()
