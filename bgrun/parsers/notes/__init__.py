"""Note what a log says of the commands that ran and of where they did: no findings."""
