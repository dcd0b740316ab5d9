"""Prototypes inside Keras: distances to the mean of each class' support, and the dense layer they equal."""

from typing import TYPE_CHECKING

import keras
import numpy as np
from keras import ops

from kerazoo.objective import Tensor, embedded

if TYPE_CHECKING:
    from kerazoo.families.protonet import ProtoNet
    from kerazoo.tasks.fewshot.objective import EpisodeNetwork


def logits(network: keras.Model, x: Tensor, shots: int, training: bool) -> Tensor:
    """Return minus the squared distance of each query to each class' prototype (Snell et al. 2017, eq. 1, 2).

    Support and queries pass the network together, so while training they share statistics.

    Shape: `(N, ways, shots + queries, H, W, C)` -> float32 `(N, ways, queries, ways)`.

    Args:
        network: outputs `{"embedding": (N, D)}`.
        x: the images of episodes.
        shots: so many of each class are its support.
        training: normalise by the statistics of these images.
    """
    features = embedded(network, x, training)
    prototypes = ops.mean(features[:, :, :shots], axis=2)
    apart = features[:, :, shots:, None] - prototypes[:, None, None]
    return -ops.sum(ops.square(apart), axis=-1)


def linear_classifier(network: keras.Model, x: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    """Return the network's weights and those of the dense layer that prototypes equal (section 2.4).

    -|f - c|^2 is 2 c f - |c|^2, but for |f|^2, which is the same for all classes.
    """
    features = network.predict_on_batch(x)["embedding"]
    prototypes = np.stack([features[labels == label].mean(axis=0) for label in range(labels.max() + 1)])
    weights = {variable.path: ops.convert_to_numpy(variable) for variable in network.weights}
    bias = -np.square(prototypes.astype("float64")).sum(axis=1)
    return weights | {"logits/kernel": 2 * prototypes.T, "logits/bias": bias.astype("float32")}


def serving_model(task: "ProtoNet", episodes: "EpisodeNetwork") -> keras.Model:
    """Return `{"image"}` -> `{"embedding"}` of unknown batch, height and width.

    The graph normalises and runs the network on the pixels it is given; whoever calls it brings them to
    the family's size.

    Shape: image float32 `(N, H, W, C)`, 0..255 (RGB, or grey for one channel) -> embedding float32 `(N, D)`.

    Args:
        task: the family.
        episodes: what `task.deploy` made, of which Keras saves the network alone.
    """
    image, x = task.serving_input()
    return keras.Model({"image": image}, episodes.network(x), name="serving")
