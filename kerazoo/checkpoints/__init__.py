"""Weights that come from outside: fetched, read, recognised and brought into a network."""
