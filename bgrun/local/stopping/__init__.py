"""Stopping runs: which processes are theirs, what is due when, and the one algorithm that carries it out."""
