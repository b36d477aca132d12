"""The machine: files, locks, clocks, processes, programs, git. Standard library only."""
