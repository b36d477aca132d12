"""What other tools print, as far as bgrun reads it: how far they are, and what they found wrong; pure."""
