"""Complete a command line in bash, zsh and fish, from the spec of the commands. Fast, and silent on any error.

The script of a shell, which `bgrun completion` prints, calls bgrun with the name of the shell in the environment and
the typed words as arguments; see `protocol`. Click is not imported: it takes longer than all the rest.
"""
