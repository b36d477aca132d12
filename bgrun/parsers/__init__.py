"""What other tools print: how far they are, and what they found wrong. Pure."""
