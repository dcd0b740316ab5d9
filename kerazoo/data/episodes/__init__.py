"""Images by class, from which episodes and pairs are sampled."""
