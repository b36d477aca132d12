"""The declaration: YAML to checked specs, with a position for every error."""
