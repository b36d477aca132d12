"""What `benchmarks/soak.py` does to runs, and how it judges them."""
