"""Runners of acceptance tests that are written in plain words."""
