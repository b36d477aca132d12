"""What the machine says and does: files, locks, clocks, processes, programs, git. Standard library only."""
