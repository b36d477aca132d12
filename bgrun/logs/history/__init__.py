"""Compare the digest of a run with those of earlier runs."""
