"""Keep the bytecode of bgrun in one file, and import from a copy of it what may be replaced meanwhile."""
