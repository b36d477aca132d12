"""Concurrency groups: slots and tickets as locks on files, and the admission queue of a plan."""
