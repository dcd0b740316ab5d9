"""What `kerazoo.image` and `kerazoo.video` are made of: formats, pixels, tags, packets."""
