"""Parse the output of test runners."""
