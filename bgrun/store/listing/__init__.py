"""Read many runs at once: find them by their names, select and order them, and sum up how they ended."""
