"""Record what happens to runs: their files, and the test reports that they leave."""
