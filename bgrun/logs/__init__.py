"""The text of logs: reading, pages with a cursor, digests, stalls, estimates."""
