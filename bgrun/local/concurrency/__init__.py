"""Concurrency groups: slots and the queue in front of them, as locks on files."""
