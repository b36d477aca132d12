"""Supervise the runs of a plan: start its jobs, limit them, sleep until one exits, then run hooks."""
