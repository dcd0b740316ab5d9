"""The reader of run folders that is fuzzed: what a run holds is as it was written, or refused."""

import functools
import json
from pathlib import Path

import numpy as np

from tests.fuzz.reader import Reader


@functools.cache
def _trained():
    """Return the recipe, a network smaller than the recipe says, since it is read often, and a state."""
    import keras

    from kerazoo.data.generated.sources import Cells
    from kerazoo.engine.training.resume import State
    from kerazoo.families.unetpp import UNetPlusPlus
    from kerazoo.recipe import Recipe

    family = UNetPlusPlus(classes=1, filters=(2, 4))
    row = {"epoch": 1, "step": 3, "loss": 0.5, "validation": {"mean_iou": 0.4, "iou": {"cell": None}}}
    state = State(step=3, best=0.4, best_epoch=1, rows=[row], sums={"loss": 0.5, "steps": 2}, data="0f" * 32)
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    return Recipe(family=family, data=Cells()), network, state


def _numbers() -> list[np.ndarray]:
    import keras

    return [np.array(keras.ops.convert_to_numpy(variable)) for variable in _trained()[1].variables]


def _run(folder: Path) -> None:
    from kerazoo.checkpoints.run_weights import WEIGHTS, save_weights
    from kerazoo.engine.training import resume
    from kerazoo.run import Run
    from kerazoo.settings import to_plain

    recipe, network, state = _trained()
    run = Run(folder / "run", recipe)
    run.write_json("recipe.json", to_plain(recipe))
    save_weights(network, run.folder / WEIGHTS)
    resume.save(run.folder / "resume", state, {"network": network.variables})
    run.write_json("metrics.json", {"best": 0.4, "best_epoch": 1, "stopped": None, "last": state.rows[0]})
    (folder / "run" / "log.jsonl").write_text(json.dumps(state.rows[0]) + "\n")


def _read_run(folder: Path) -> object:
    """Read all that a run holds; what of it is numbers must be the numbers that were written."""
    from kerazoo.checkpoints.run_weights import WEIGHTS, load_weights
    from kerazoo.engine.training import resume
    from kerazoo.run import Metrics, open_run

    run, (_, network, state) = open_run(folder / "run"), _trained()
    expected = _numbers()
    load_weights(network, run.folder / WEIGHTS)
    point = resume.newest(run.folder / "resume")
    assert point is not None
    assert point.state == state
    resume.assign(point.folder, {"network": network.variables})
    for found, value in zip(_numbers(), expected, strict=True):
        np.testing.assert_array_equal(found, value)
    return run.family, run.read_json("metrics.json", Metrics)


READERS = {
    "run": Reader(_run, _read_run),
}
