"""The test runners of C and C++."""
