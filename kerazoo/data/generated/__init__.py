"""Built-in data: drawn, never downloaded."""
