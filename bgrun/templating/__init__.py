"""Text with values in it, made inert for the place each value stands in."""
