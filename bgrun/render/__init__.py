"""From the specs of a job file, or the words of a command, to a plan of jobs that are ready to launch."""
