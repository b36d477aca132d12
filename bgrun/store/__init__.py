"""The log directory: runs as plain files. Names, reading, derived state, retention. Standard library only."""
