"""Parse the output of test runners for JavaScript."""
