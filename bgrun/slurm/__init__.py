"""The engine of a Slurm cluster, through its plain command line. Loaded only for runs of such a cluster."""

from __future__ import annotations
