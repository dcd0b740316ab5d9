"""Published weights: fetching, reading, recognising and loading them into a network."""
