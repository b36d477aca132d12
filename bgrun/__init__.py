"""bgrun: declarative background jobs whose verdict is never wrong."""

__version__ = "0.1.0"
