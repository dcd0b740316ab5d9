"""Which of what was found goes with which of what is true."""

import numpy as np


def partners(alike: np.ndarray) -> np.ndarray:
    """Return which of the rows each column goes with: int `(Q,)`, -1 for none; no row twice.

    The most alike go together first.

    Args:
        alike: `(P, Q)`, 0..1; 0 goes with nothing.
    """
    alike, partner = alike.copy(), np.full(alike.shape[1], -1)
    while alike.size and alike.max() > 0:
        row, column = np.unravel_index(alike.argmax(), alike.shape)
        partner[column] = row
        alike[row], alike[:, column] = 0.0, 0.0
    return partner
