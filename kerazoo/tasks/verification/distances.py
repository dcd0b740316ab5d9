"""How far apart embeddings are, in NumPy: the head of a Siamese network for a whole index at once."""

from dataclasses import dataclass

import numpy as np

ROWS = 2**24
"""Numbers that are held at a time."""


@dataclass(frozen=True)
class EmbeddingDistance:
    """A distance of embeddings: Euclidean, or the weighted sum of the absolute differences.

    Attributes:
        weights: float32 `(D,)` of that sum; None is Euclidean.
        bias: added to the sum.
    """

    weights: np.ndarray | None = None
    bias: float = 0.0

    def between(self, query: np.ndarray, others: np.ndarray) -> np.ndarray:
        """Return the distance of one embedding to others, exactly: float32 `(D,)`, `(N, D)` -> `(N,)`."""
        step = max(ROWS // len(query), 1)
        parts = [self._apart(others[start : start + step] - query) for start in range(0, len(others), step)]
        return np.concatenate(parts) if parts else np.zeros(0, "float32")

    def _apart(self, difference: np.ndarray) -> np.ndarray:
        if self.weights is None:
            return np.sqrt(np.square(difference).sum(axis=-1))
        return np.abs(difference) @ self.weights + np.float32(self.bias)
