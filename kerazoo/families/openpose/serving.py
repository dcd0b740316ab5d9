"""The exported graph: peaks of the heat maps and scores of all possible limbs.

Putting people together takes loops over what was found, which no graph of tensors does well: docs/pose.md
has the Python that does it behind a server.

Of the parser, thresholds and samples are in the graph. What it leaves out: smoothing, distances, how a
limb's mean is counted, and peaks in the shadow of others, so it finds a little less in crowds.
"""

from typing import TYPE_CHECKING

import keras
import numpy as np
from keras import layers

from kerazoo.families.openpose.codec import STRIDE
from kerazoo.layers import LimbScores, Peaks

if TYPE_CHECKING:
    from kerazoo.families.openpose import OpenPose


def serving_model(family: "OpenPose", network: keras.Model) -> keras.Model:
    """Return `{"image"}` -> `{"peaks", "limbs", "heatmaps", "fields"}` of unknown batch, height and width.

    Shape: image float32 `(N, H, W, C)`, 0..255, of the size that people are to be looked for in (the graph
        does not scale it) -> peaks float32 `(N, K, MOST, 3)`: x and y in the image's pixels and the height
        of the heat map, highest first, height 0 for none; limbs float32 `(N, L, MOST, MOST)`: by limb, peak
        of its first and of its second point, how well the field joins them, 0 for not at all.
        The maps they were found in come along, `(N, h, w, K + 1)` and `(N, h, w, 2 L)`.
    """

    image, x = family.serving_input()
    outputs = network(x)
    last = f"stage{family.stages}"
    parser = family.parsing()
    peaks = Peaks(parser.peak, name="cells")(outputs[f"{last}_heatmaps"])
    limbs = LimbScores(
        family.skeleton.limbs, parser.samples[1], parser.agreement, parser.share, name="limbs"
    )([peaks, outputs[f"{last}_fields"]])
    # The middle of cell g is at pixel stride * g + (stride - 1) / 2; heights stay as they are.
    scale = np.array([STRIDE, STRIDE, 1.0], "float32")
    centre = np.array([(STRIDE - 1) / 2, (STRIDE - 1) / 2, 0.0], "float32")
    in_pixels = layers.Rescaling(scale.tolist(), centre.tolist(), name="peaks")(peaks)
    maps = {
        name: layers.Activation("linear", name=name)(outputs[f"{last}_{name}"])
        for name in ("heatmaps", "fields")
    }
    return keras.Model({"image": image}, {"peaks": in_pixels, "limbs": limbs} | maps, name="serving")


def heights_apart(some: np.ndarray, others: np.ndarray, threshold: float) -> float:
    """Return how far a peak's height is at most from the nearest height among the others' peaks.

    Rounding decides whether one of two equal cells side by side is a peak or both are, and whether a peak at
    the threshold, or the last of those that are kept, is there: so numbers of peaks are not compared.

    Args:
        some, others: `(..., M)`, of the same maps, highest first, 0 for no peak.
        threshold: that peaks are above.
    """
    return max(_farthest(some, others, threshold), _farthest(others, some, threshold))


def _farthest(peaks: np.ndarray, others: np.ndarray, threshold: float) -> float:
    # (..., M) and (..., M): every peak against every other, (..., M, M).
    least = np.maximum(others[..., -1:], threshold)  # lower ones may be among the others, but were not kept
    peaks, others = np.maximum(peaks, least), np.maximum(others, least)
    return float(np.abs(peaks[..., :, None] - others[..., None, :]).min(axis=-1).max())
