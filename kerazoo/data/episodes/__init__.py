"""Images by class, put together to episodes and pairs."""
