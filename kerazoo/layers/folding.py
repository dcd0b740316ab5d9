"""Batch normalisation folded into the convolutions before it: a network that predicts the same, faster."""

import itertools
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from kerazoo.layers.convolutions import Conv2D, Conv2DTranspose, DepthwiseConv2D
from kerazoo.layers.norms import BatchNormalization

CONVOLUTIONS = (Conv2D, Conv2DTranspose, DepthwiseConv2D)


def folded(network: keras.Model) -> tuple[keras.Model, Callable[[], None]]:
    """Return a network that predicts what another does, with fewer layers; it is not to be trained.

    Where a batch normalisation follows a convolution that nothing else reads, with running mean m and
    variance v,

        gamma (k * x + b - m) / sqrt(v + epsilon) + beta  =  (g k) * x + g (b - m) + beta,
        g = gamma / sqrt(v + epsilon).

    All other layers are those of the network itself. The order of rounding differs: outputs by about 1e-6 of
    the largest. A model that is no graph of layers is returned as it is.

    Returns:
        The network; a function that folds anew, for after the weights have changed.

    Example:
        >>> import kerazoo
        >>> from kerazoo.layers import folded
        >>> network = kerazoo.models.unet(classes=2, filters=(4, 8), norm=True)
        >>> fewer, fold_anew = folded(network)
        >>> fewer.count_params() < network.count_params()
        True
    """
    if not isinstance(network, keras.Function):
        return network, lambda: None
    norms = _foldable(network)  # by convolution
    biased = {
        convolution: type(convolution).from_config(convolution.get_config() | {"use_bias": True})
        for convolution in norms
    }
    gone = set(norms.values())

    def called(layer: keras.Layer, x: Any, *arguments: Any, **options: Any) -> Any:
        return x if layer in gone else layer(x, *arguments, **options)

    def fold() -> None:
        for convolution, norm in norms.items():
            biased[convolution].set_weights(_fold(convolution, norm))

    other = keras.models.clone_model(
        network, clone_function=lambda layer: biased.get(layer, layer), call_function=called
    )
    fold()
    return other, fold


def _foldable(network: keras.Model) -> dict[keras.Layer, keras.Layer]:
    """Return the batch normalisations that can be folded, by the convolution before them."""
    # A layer may be called in other networks, too: by the encoder that this one stands on, or a folded one.
    calls: dict[Any, list] = {}  # in this network
    readers: dict[int, int] = {}  # of a tensor
    for node in itertools.chain(*network._nodes_by_depth.values()):
        calls.setdefault(node.operation, []).append(node)
        for tensor in node.input_tensors:
            readers[id(tensor)] = readers.get(id(tensor), 0) + 1
    for tensor in network.outputs:
        readers[id(tensor)] = readers.get(id(tensor), 0) + 1
    once = {layer: nodes[0] for layer, nodes in calls.items() if len(nodes) == 1}
    made = {id(node.outputs[0]): layer for layer, node in once.items() if isinstance(layer, CONVOLUTIONS)}
    found = {}
    for norm, node in once.items():
        if not isinstance(norm, BatchNormalization) or norm.renorm:
            continue
        (read,) = node.input_tensors
        convolution = made.get(id(read))
        plain = convolution is not None and convolution.activation in (None, keras.activations.linear)
        if plain and readers[id(read)] == 1:
            found[convolution] = norm
    return found


def _fold(convolution: keras.Layer, norm: keras.Layer) -> list[np.ndarray]:
    """Return kernel and bias that normalise, too."""
    kernel, *bias = map(_double, convolution.weights)
    gain = (_double(norm.gamma) if norm.scale else 1.0) / np.sqrt(
        _double(norm.moving_variance) + norm.epsilon
    )
    shift = gain * ((bias[0] if bias else 0.0) - _double(norm.moving_mean))
    offset = shift + (_double(norm.beta) if norm.center else 0.0)
    if isinstance(convolution, Conv2DTranspose):
        kernel = kernel * gain[:, None]  # (h, w, filters, C)
    elif isinstance(convolution, DepthwiseConv2D):
        kernel = kernel * gain.reshape(kernel.shape[2:])  # (h, w, C, multiplier)
    else:
        kernel = kernel * gain  # (h, w, C, filters)
    with np.errstate(over="ignore"):  # of weights on their way to infinity
        return [kernel.astype("float32"), offset.astype("float32")]


def _double(variable: Any) -> np.ndarray:
    return keras.ops.convert_to_numpy(variable).astype("float64")
