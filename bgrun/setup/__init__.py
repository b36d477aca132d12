"""Setting a project up: a first job file from what is found there, and the files that tell editors and agents."""
