"""What is said where the user has something to mend."""

import contextlib
from collections.abc import Callable, Iterator

import pytest

from kerazoo.errors import UserError


@contextlib.contextmanager
def refusal(*words: object) -> Iterator[Callable[[], str]]:
    """Expect a `UserError` of one line that holds all of the words; what this gives says it afterwards."""
    with pytest.raises(UserError) as caught:
        yield lambda: str(caught.value)
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert str(word) in message
