"""Hand a plan to a supervisor: claim its run IDs, pack it, start the process."""
