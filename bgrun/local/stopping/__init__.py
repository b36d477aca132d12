"""Stopping runs: which processes belong to a run, what is due when, and the one algorithm that carries it out."""
