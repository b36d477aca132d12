"""Find the lines of a log that parsers need."""
