"""How like real images of a domain translations are: Fréchet and kernel distances of features.

Both compare sets of images by features of each. InceptionV3's give what papers call FID and KID
(Heusel et al. 2017, Bińkowski et al. 2018), up to the weights: keras.applications' were trained apart
from those of the published programs, so numbers compare with one another and not with papers'. Without a
file of weights, statistics of colour and texture are taken: they need nothing, tell domains of unlike
looks apart, and know nothing of what is in an image.
"""

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from kerazoo.errors import UserError
from kerazoo.media.opencv import cv2
from kerazoo.structures.images import DIRECTIONS, Real, Translated

Features = Callable[[np.ndarray], np.ndarray]
"""From an image, uint8 `(H, W, 3)`, to float64 `(D,)`."""

LEVELS = 3
"""Scales at which `statistics` looks, each half the size of the one before."""


def scores(pairs: Iterable[tuple[Real, Translated]], inception: str | None = None) -> dict[str, Any]:
    """Return the mean scores of both directions, and each direction's.

    `fid` and `kid` compare the translations with real images of the target domain; `identity_fid`
    is what leaving the images alone would have. None where too few were seen.

    Args:
        pairs: images with their translations, of which the way out of their domain counts.
        inception: see `Translation.inception`.
    """
    features = statistics if inception is None else inception_features(inception)
    real: tuple[list, list] = ([], [])
    made: dict[str, list] = {way: [] for way in DIRECTIONS}
    errors: dict[str, list] = {way: [] for way in DIRECTIONS}
    images = 0
    for truth, result in pairs:
        images, way = images + 1, DIRECTIONS[truth.domain]
        real[truth.domain].append(features(truth.image))
        if way in result.images:
            made[way].append(features(result.images[way]))
        if way in result.cycle_error:
            errors[way].append(result.cycle_error[way])
    columns: dict[str, dict] = {"fid": {}, "kid": {}, "identity_fid": {}, "cycle_error": {}}
    for way, here, there in zip(DIRECTIONS, real, reversed(real), strict=True):
        columns["fid"][way] = _of(frechet, made[way], there)
        columns["kid"][way] = _of(kernel_distance, made[way], there)
        columns["identity_fid"][way] = _of(frechet, here, there)
        columns["cycle_error"][way] = float(np.mean(errors[way])) if errors[way] else None
    means = {f"mean_{name}": _mean(column.values()) for name, column in columns.items()}
    return {"images": images, **means, **columns}


def frechet(first: np.ndarray, second: np.ndarray) -> float:
    """Return the Fréchet distance of two Gaussians with the samples' means and covariances.

    Shape: float64 `(N, D)`, `(M, D)`, N and M >= 2. |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)).
    """
    apart = first.mean(axis=0) - second.mean(axis=0)
    one, other = (np.atleast_2d(np.cov(features, rowvar=False)) for features in (first, second))
    root = _root(one)
    # C1 C2 has the eigenvalues of the symmetric C1^(1/2) C2 C1^(1/2).
    values = np.linalg.eigvalsh(root @ other @ root)
    return float(apart @ apart + np.trace(one) + np.trace(other) - 2 * np.sqrt(np.maximum(values, 0)).sum())


def kernel_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Return the unbiased estimate of the squared distance of means under the kernel (x y / D + 1)^3.

    Shape: float64 `(N, D)`, `(M, D)`, N and M >= 2; may be slightly below 0.
    """

    def kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return (x @ y.T / x.shape[1] + 1) ** 3

    within = 0.0
    for features in (first, second):
        matrix, count = kernel(features, features), len(features)
        within += (matrix.sum() - np.trace(matrix)) / (count * (count - 1))
    return float(within - 2 * kernel(first, second).mean())


def statistics(image: np.ndarray) -> np.ndarray:
    """Return 42 statistics of colour and texture.

    Luma and two differences of colours, 0..1, at three scales: mean and std of each, mean
    strength of luma's edges along four directions and of its curvature; and the mean colours of the upper,
    middle and lower third.

    Shape: uint8 `(H, W, 3)` -> float64 `(42,)`.
    """
    red, green, blue = cv2.split(image.astype("float32") / 255)
    planes = cv2.merge([0.299 * red + 0.587 * green + 0.114 * blue, red - green, (red + green) / 2 - blue])
    numbers = [third.mean(axis=(0, 1)) for third in np.array_split(planes, 3)]
    for level in range(LEVELS):
        if level:
            planes = cv2.pyrDown(planes)
        across, down = (cv2.Sobel(planes[..., 0], -1, dx, 1 - dx, scale=0.125) for dx in (1, 0))
        edges = (across, down, (across + down) / 2**0.5, (across - down) / 2**0.5)
        curvature = cv2.Laplacian(planes[..., 0], -1)
        strengths = [np.abs(edge).mean() for edge in (*edges, curvature)]
        numbers += [planes.mean(axis=(0, 1)), planes.std(axis=(0, 1)), strengths]
    return np.concatenate(numbers).astype("float64")


@functools.cache  # not anew for every validation
def inception_features(path: str) -> Features:
    """Return the 2048 pooled features of InceptionV3 as a function of images.

    Args:
        path: `.h5` of keras.applications' InceptionV3, with or without its classifier.

    Raises:
        UserError: the file cannot be read, or holds other weights.
    """
    import keras

    network = keras.applications.InceptionV3(weights=None, include_top=False, pooling="avg")
    try:
        network.load_weights(path)
    except Exception as error:  # HDF5 and Keras raise a dozen kinds
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"{path} does not hold InceptionV3's weights ({reason})",
            "give inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5 of keras.applications",
        ) from None

    def features(image: np.ndarray) -> np.ndarray:
        shown = cv2.resize(image, (299, 299), interpolation=cv2.INTER_AREA).astype("float32")
        return network.predict_on_batch(shown[None] / 127.5 - 1)[0].astype("float64")

    return features


def _root(matrix: np.ndarray) -> np.ndarray:
    """Return the root of a symmetric matrix without negative eigenvalues."""
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T


def _of(distance: Callable, first: Sequence, second: Sequence) -> float | None:
    return distance(np.stack(first), np.stack(second)) if min(len(first), len(second)) > 1 else None


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
