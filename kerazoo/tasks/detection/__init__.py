"""Detection: boxes around objects, with their classes."""
