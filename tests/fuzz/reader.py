"""What a reader is that can be fuzzed."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple


class Reader(NamedTuple):
    """`make` writes sound files into a folder; `read` reads all there is in a copy of it."""

    make: Callable[[Path], object]
    read: Callable[[Path], object]
