"""A network with other weights, without what Keras does around each layer."""

from collections.abc import Sequence
from typing import Any

import keras


def stateless_call(network: keras.Model, weights: Sequence[Any], x: Any) -> dict[str, Any]:
    """Return `network.stateless_call(weights, ..., x, training=True)[0]` in fewer steps.

    PyTorch runs `Layer.__call__` again for every inner step of a meta-learner. Its checks, casts and scopes
    took longer than the arithmetic of small images. In float32 nothing of it changes a value, so only
    `Layer.call` runs here. Other precisions take Keras' own way.

    Args:
        network: functional, of one input and a dict of outputs; its layers compute the same in training
            and prediction.
        weights: values of `network.trainable_variables`.
        x: a batch.
    """
    if any(layer.compute_dtype != "float32" for layer in network.layers):
        others = [variable.value for variable in network.non_trainable_variables]
        return network.stateless_call(weights, others, x, training=True)[0]
    values = {id(network.inputs[0]): x}  # by tensor of the graph
    pairs = list(zip(network.trainable_variables, weights, strict=True))
    with keras.StatelessScope(state_mapping=pairs):
        for depth in sorted(network._nodes_by_depth, reverse=True):
            for node in network._nodes_by_depth[depth]:
                if not node.is_input:
                    inputs = (values[id(tensor)] for tensor in node.input_tensors)
                    values[id(node.outputs[0])] = node.operation.call(*inputs)
    return {name: values[id(tensor)] for name, tensor in network.output.items()}
