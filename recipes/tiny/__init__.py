"""Small twins of the recipes, `NAME-tiny`: each ends within a minute, for trying things and for tests."""
