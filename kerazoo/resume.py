"""Resume points: all that decides how a training goes on, written whole or not at all."""

import dataclasses
import json
import os
import shutil
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kerazoo.errors import UserError
from kerazoo.files import atomic_text, whole_folder

if TYPE_CHECKING:
    import keras

KEPT = 2
"""Resume points that stay; the older serves when the newer is damaged."""


@dataclasses.dataclass
class State:
    """How far a training has come; beside the arrays, all that the next step depends on.

    Attributes:
        step: steps done.
        sums: of each loss term over the present epoch's steps, and of steps and seconds.
        best, best_epoch: the best score and where it was reached.
        stale: validations since then.
        factor: what plateaus have multiplied the learning rate by.
        plateau: validations since the last gain or cut, for the plateau schedule.
        rows: the log.
        stopped: why the training ended before its last epoch.
        bad: steps with non-finite gradients in a row.
    """

    step: int = 0
    sums: dict[str, float] = dataclasses.field(default_factory=dict)
    best: float | None = None
    best_epoch: int | None = None
    stale: int = 0
    factor: float = 1.0
    plateau: int = 0
    rows: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    stopped: str | None = None
    bad: int = 0


def save(folder: Path, state: State, variables: dict[str, list["keras.Variable"]]) -> None:
    """Write a resume point and point LATEST at it.

    Args:
        folder: the run's `resume` folder.
        state: written as JSON.
        variables: groups of variables, such as network and optimizer; written as NumPy arrays.
    """
    point = folder / f"step-{state.step:08d}"
    shutil.rmtree(point, ignore_errors=True)  # left by a training that was killed after this step
    with whole_folder(point) as partial:
        with open(partial / "arrays.npz", "wb") as file:
            np.savez(file, allow_pickle=False, **_arrays(variables))
            file.flush()
            os.fsync(file.fileno())
        atomic_text(partial / "state.json", json.dumps(dataclasses.asdict(state)))
    atomic_text(folder / "LATEST", point.name + "\n")
    for old in sorted(folder.glob("step-*"))[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)


def points(folder: Path) -> list[Path]:
    """Return the resume points in a run's `resume` folder, newest first."""
    return sorted(folder.glob("step-*"), reverse=True)


def restore(folder: Path, variables: dict[str, list["keras.Variable"]]) -> State:
    """Assign the newest readable resume point to `variables` and return its state.

    Returns:
        A fresh `State` where there is no resume point yet.

    Raises:
        UserError: there are resume points, but none can be read or fits.
    """
    found = points(folder)
    for point in found:
        try:
            state = State(**json.loads((point / "state.json").read_text(encoding="utf-8")))
            with open(point / "arrays.npz", "rb") as file, np.load(file, allow_pickle=False) as stored:
                arrays = {key: stored[key] for key in stored.files}
        except (OSError, ValueError, TypeError, zipfile.BadZipFile):
            continue
        _assign(arrays, variables, point)
        return state
    if found:
        raise UserError(f"no resume point in {folder} can be read", "start again with --init RUN")
    return State()


def _arrays(variables: dict[str, list["keras.Variable"]]) -> dict[str, np.ndarray]:
    import keras

    return {
        f"{group}/{index:05d}": keras.ops.convert_to_numpy(variable)
        for group, members in variables.items()
        for index, variable in enumerate(members)
    }


def _assign(arrays: dict[str, np.ndarray], variables: dict[str, list["keras.Variable"]], point: Path) -> None:
    targets = {
        f"{g}/{i:05d}": variable for g, members in variables.items() for i, variable in enumerate(members)
    }
    fitting = arrays.keys() == targets.keys() and all(
        arrays[key].shape == tuple(variable.shape) for key, variable in targets.items()
    )
    if not fitting:
        raise UserError(
            f"the resume point {point} belongs to another network or optimizer", "start again with --init RUN"
        )
    for key, variable in targets.items():
        variable.assign(arrays[key])
