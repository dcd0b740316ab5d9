"""The exception for errors that a user can correct."""

import contextlib
from collections.abc import Iterator

from kerazoo.files.text import printable


class UserError(Exception):
    """An error that the user can correct: one printable line, exit code 2, no traceback.

    Args:
        message: what is wrong, naming the file, key or value.
        remedy: what to do about it.
    """

    def __init__(self, message: str, remedy: str = ""):
        self.message, self.remedy = message, remedy
        text = f"{message}; {remedy}" if remedy else message
        super().__init__(printable(" ".join(text.split())))


@contextlib.contextmanager
def error_context(what: object) -> Iterator[None]:
    """Prefix the message of a `UserError` raised in the block with its subject, such as a file."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{what}: {error.message}", error.remedy) from error
