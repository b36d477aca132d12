"""Parse the output of other tools: problems, test reports, progress."""
