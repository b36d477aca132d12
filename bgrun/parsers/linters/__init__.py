"""Parse the output of linters, type checkers and formatters."""
