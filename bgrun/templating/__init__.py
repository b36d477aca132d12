"""Text with values in it: Jinja in a sandbox, and values quoted for their place."""
