"""Check job files: against the schema, and by the rules beyond it."""
