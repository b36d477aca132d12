"""Readiness of services: the process that checks it, one module for each kind of check, and who has a port."""
