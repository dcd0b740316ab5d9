"""Images of two domains."""
