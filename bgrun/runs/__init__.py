"""Runs as plain files: names, reading, derived state, logs, retention. Standard library only."""
