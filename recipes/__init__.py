"""The recipes: a file each, whose docstring says the command, the minutes and the number that came out."""
