"""Log text: reading, pages with a cursor, digests, stalls, estimates."""
