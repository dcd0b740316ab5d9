"""Images of people with key points."""
