"""Parse the reports of exceptions that ended a program."""
