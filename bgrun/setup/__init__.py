"""Set up a project: a first job file from what is found there, and configuration for editors and agents."""
