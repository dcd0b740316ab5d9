"""Where a training starts: the weights of a run, or published ones, wherever they fit."""

import json
from typing import TYPE_CHECKING

from kerazoo.checkpoints.fetch import fetch
from kerazoo.checkpoints.mapping import fit, join_names, unused_arrays
from kerazoo.checkpoints.read import Arrays, read
from kerazoo.errors import UserError, error_context
from kerazoo.run import Run
from kerazoo.settings import fields
from kerazoo.task import Task

if TYPE_CHECKING:
    import keras


def initialise(network: "keras.Model", family: Task, init: Run | str) -> str:
    """Copy weights wherever name and shape agree; return a line that says what was left.

    Args:
        network: to be trained.
        family: what it was built from.
        init: a run, or a reference to published weights.

    Raises:
        UserError: the weights cannot be had, have no place in the network, or were trained for
            other settings, such as another channel order.
    """
    maker, source, left = _given(family, init)
    origin = init.folder if isinstance(init, Run) else init
    given, wanted = maker.weight_settings(), family.weight_settings()
    other = [
        f"family.{name}={json.dumps(given.get(name), default=fields)}"
        for name in wanted
        if given.get(name) != wanted[name]
    ]
    if other:
        raise UserError(f"the weights of {origin} were trained with {', '.join(other)}", "--set the same")
    starts = {v.path: fit(source.get(v.path), v.shape) for v in network.weights}
    fitting = [v for v in network.weights if starts[v.path] is not None]
    if not fitting:
        raise UserError(f"no array of {origin} fits a layer of {network.name}", "take other weights")
    for variable in fitting:
        variable.assign(starts[variable.path])
    fresh = sorted(
        {v.path.split("/")[-2] for v in network.weights} - {v.path.split("/")[-2] for v in fitting}
    )
    line = f"weights from {origin}" + (f", new: {join_names(fresh)}" if fresh else "")
    return "; ".join(filter(None, (line, left)))


def _given(family: Task, init: Run | str) -> tuple[Task, Arrays, str]:
    """Return the family that made the weights to start from, these by path, and what was left out."""
    import keras

    if isinstance(init, Run):
        weights = {v.path: keras.ops.convert_to_numpy(v) for v in init.network.weights}
        return init.recipe.family, weights, ""
    arrays = read(fetch(init))
    with error_context(init):
        maker, weights = family.start(arrays)
    return maker, weights, unused_arrays(arrays, weights)
