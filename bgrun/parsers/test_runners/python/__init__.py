"""Recognize the test runners of Python."""
