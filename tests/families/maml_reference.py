"""MAML in float64 NumPy: the network's forward pass, and gradients by finite differences."""

from collections.abc import Callable

import numpy as np

EPSILON = 1e-3
Weights = dict[str, np.ndarray]


def forward(weights: Weights, x: np.ndarray, pool: str, features: str) -> np.ndarray:
    """Return the logits `(N, classes)` of images `(N, H, W, C)`."""
    for block in range(1, 5):
        x = convolved(x, weights[f"conv{block}/kernel"], 2 if pool == "stride" else 1)
        x = x + weights.get(f"conv{block}/bias", 0.0)
        x = (x - x.mean(axis=(0, 1, 2))) / np.sqrt(x.var(axis=(0, 1, 2)) + EPSILON)
        x = np.maximum(x + weights[f"conv{block}_bn/beta"], 0)
        if pool == "max":
            n, h, w, c = x.shape
            x = x[:, : h // 2 * 2, : w // 2 * 2].reshape(n, h // 2, 2, w // 2, 2, c).max(axis=(2, 4))
    x = x.reshape(len(x), -1) if features == "flatten" else x.mean(axis=(1, 2))
    return x @ weights["logits/kernel"] + weights["logits/bias"]


def convolved(x: np.ndarray, kernel: np.ndarray, stride: int) -> np.ndarray:
    """Return a convolution with a border of one zero."""
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))[:, ::stride, ::stride]
    return np.einsum("nhwcij,ijcf->nhwf", windows, kernel, optimize=True)


def cross_entropy(logits: np.ndarray, labels: np.ndarray) -> float:
    """Return the mean over the images."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return float(-logs[np.arange(len(labels)), labels].mean())


def slopes(loss: Callable[[Weights], float], weights: Weights, step: float = 1e-5) -> Weights:
    """Return the gradient of a loss by central differences."""
    found = {}
    for name, value in weights.items():
        slope = np.zeros_like(value)
        for place in np.ndindex(value.shape):
            ends = []
            for sign in (1, -1):
                moved = value.copy()
                moved[place] += sign * step
                ends.append(loss(weights | {name: moved}))
            slope[place] = (ends[0] - ends[1]) / (2 * step)
        found[name] = slope
    return found


def gradient_descent(loss: Callable[[Weights], float], weights: Weights, rate: float) -> Weights:
    """Return the weights after a step of gradient descent."""
    found = slopes(loss, weights)
    return {name: value - rate * found[name] for name, value in weights.items()}


def along(value: Callable[[Weights], float], weights: Weights, way: Weights, step: float) -> float:
    """Return the derivative of a function along a direction."""
    ends = [value({n: w + sign * step * way[n] for n, w in weights.items()}) for sign in (1, -1)]
    return (ends[0] - ends[1]) / (2 * step)
