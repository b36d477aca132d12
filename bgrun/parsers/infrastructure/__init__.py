"""Parse the output of tools that build images and configure machines."""
