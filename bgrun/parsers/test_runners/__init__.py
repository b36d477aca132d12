"""Parse the output of test runners."""

MOST_FAILED = 10_000
"""How many failed tests of one call are kept; what a tool counts beyond them is reported as a number."""
