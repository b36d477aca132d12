"""Parse the output of compilers, linkers and build systems."""
