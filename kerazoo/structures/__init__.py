"""What samples and results are: NumPy only."""
