"""What top-down pose does inside Keras: the loss and the exported graph."""

from typing import TYPE_CHECKING

import keras
import numpy as np
from keras import ops

from kerazoo.families.hrnet.codec import STRIDE
from kerazoo.layers import KeyPoints, Letterbox
from kerazoo.objective import SumOfTerms, Tensor
from kerazoo.tasks.framing import GREY

if TYPE_CHECKING:
    from kerazoo.families.hrnet.pose import HRNetPose


class JointObjective(SumOfTerms):
    """Half the squared error of the heat maps, the mean over cells, points and samples (Sun et al. 2019).

    Points of weight 0 add nothing, and are counted in the mean, as in the published training. It
    is in float32 whatever the network computes in: halves would round most cells' errors to 0.

    Args:
        network: outputs `{"heatmaps": (N, h, w, K)}`.
    """

    def __init__(self, network: keras.Model):
        super().__init__(network, ["heatmaps"])

    def terms(self, x: Tensor, y: dict, outputs: dict, training: bool) -> dict[str, Tensor]:
        heatmaps, targets, weights = (
            ops.cast(value, "float32") for value in (outputs["heatmaps"], y["heatmaps"], y["weights"])
        )
        error = (heatmaps - targets) * weights[:, None, None, :]
        return {"heatmaps": 0.5 * ops.mean(ops.square(error))}


def serving_model(task: "HRNetPose", network: keras.Model) -> keras.Model:
    """Return `{"image"}` -> `{"keypoints", "heatmaps"}` of unknown batch, height and width.

    Every image is the box around one person: the graph frames and normalises it as `HRNetPose.prepare` does
    (but for OpenCV, which leaves slivers below a thousandth of a pixel out of its averages) and
    reads the points off as `HRNetPose.decode` does.

    Shape: image float32 `(N, H, W, C)`, 0..255 (RGB, or grey for one channel) ->
        keypoints float32 `(N, K, 3)`, x and y in the image's pixels and the height of the map there;
        heatmaps float32 `(N, *size / 4, K)`.
    """
    image, normalised = task.serving_input()
    beyond = task.normalised(np.full((1, 1, 3), GREY, "uint8")).ravel().tolist()
    heatmaps = network(Letterbox(task.size, beyond, name="framed")(normalised))["heatmaps"]
    sigma = task.sigma if task.decode_by == "dark" else None
    points = KeyPoints(STRIDE, task.first, sigma, dtype="float32", name="keypoints")([heatmaps, image])
    return keras.Model({"image": image}, {"keypoints": points, "heatmaps": heatmaps}, name="serving")
