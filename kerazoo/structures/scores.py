"""What an evaluation says: numbers for people, files for other tools, drawings."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np


class Scores(NamedTuple):
    """The scores of a network on a data set.

    Attributes:
        numbers: by name, JSON-ready; by class a mapping; None for what the data do not tell.
        files: what other tools read, by name, JSON-ready, such as COCO's results.
        drawings: by name, what draws them, uint8 `(H, W, 3)`: most validations are never looked at.
    """

    numbers: dict[str, Any]
    files: Mapping[str, Any] = {}
    drawings: Mapping[str, Callable[[], np.ndarray]] = {}
