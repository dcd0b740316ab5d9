"""Resume points: all that decides how a training goes on, written whole or not at all."""

import dataclasses
import json
import math
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, NamedTuple

import numpy as np
import pydantic

from kerazoo.errors import UserError
from kerazoo.files import checksums
from kerazoo.files.reading import npz_names, read_json, read_npz
from kerazoo.files.writing import atomic_folder, atomic_text

if TYPE_CHECKING:
    import keras

STATE, ARRAYS = "state.json", "arrays.npz"

Count = Annotated[int, pydantic.Field(ge=0)]

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
        data: what the data were known by (`kerazoo.data.identity`).
    """

    __pydantic_config__: ClassVar = pydantic.ConfigDict(extra="forbid")

    step: Count = 0
    sums: dict[str, float] = dataclasses.field(default_factory=dict)
    best: float | None = None
    best_epoch: Count | None = None
    stale: Count = 0
    factor: float = 1.0
    plateau: Count = 0
    rows: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    stopped: str | None = None
    bad: Count = 0
    data: str = ""


class Point(NamedTuple):
    """A resume point that is as it was written.

    Attributes:
        folder: where its arrays are.
        state: all else.
        damaged: why newer ones were passed over.
    """

    folder: Path
    state: State
    damaged: list[UserError]


def save(
    folder: Path, state: State, variables: dict[str, list["keras.Variable"]], *, kept: int = KEPT
) -> None:
    """Write a resume point and point LATEST at it.

    Args:
        folder: the run's `resume` folder.
        state: written as JSON.
        variables: groups of variables, such as network and optimizer; written as NumPy arrays.
        kept: how many points stay, this one included.
    """
    point = folder / f"step-{state.step:08d}"
    shutil.rmtree(point, ignore_errors=True)  # left by a training that was killed after this step
    with atomic_folder(point) as partial:
        with open(partial / ARRAYS, "wb") as file:
            np.savez(file, allow_pickle=False, **_arrays(variables))
            file.flush()
            os.fsync(file.fileno())
        atomic_text(partial / STATE, json.dumps(dataclasses.asdict(state)))
        checksums.record(partial / ARRAYS, partial / STATE)
    atomic_text(folder / "LATEST", point.name + "\n")
    for old in [other for other in points(folder) if other != point][kept - 1 :]:
        shutil.rmtree(old, ignore_errors=True)


def points(folder: Path) -> list[Path]:
    """Return the resume points in a run's `resume` folder, newest first."""
    return sorted(folder.glob("step-*"), reverse=True)


def newest(folder: Path) -> Point | None:
    """Return the newest resume point that is as it was written, None where there is no point at all.

    Raises:
        UserError: there are points, all of them damaged.
    """
    damaged: list[UserError] = []
    for point in points(folder):
        try:
            checksums.verify(point / ARRAYS)
            checksums.verify(point / STATE)
            return Point(point, read_json(point / STATE, State), damaged)
        except UserError as error:
            damaged.append(error)
    if damaged:
        message = f"no resume point in {folder} can be used: {damaged[0].message}"
        raise UserError(message, "start again with --init RUN")
    return None


def assign(point: Path, variables: dict[str, list["keras.Variable"]]) -> None:
    """Assign a resume point's arrays to variables.

    Raises:
        UserError: they belong to another network or optimizer, or cannot be read.
    """
    targets = _named(variables)
    sizes = {key: 8 * math.prod(variable.shape) for key, variable in targets.items()}
    path, other = point / ARRAYS, f"the resume point {point} belongs to another network or optimizer"
    if {*npz_names(path)} != targets.keys():
        raise UserError(other, "start again with --init RUN")
    arrays = read_npz(path, dict.fromkeys(targets, "biuf"), sum(sizes.values()))
    if any(arrays[key].shape != tuple(variable.shape) for key, variable in targets.items()):
        raise UserError(other, "start again with --init RUN")
    for key, variable in targets.items():
        variable.assign(arrays[key])


def _named(variables: dict[str, list["keras.Variable"]]) -> dict[str, "keras.Variable"]:
    return {
        f"{group}/{index:05d}": variable
        for group, members in variables.items()
        for index, variable in enumerate(members)
    }


def _arrays(variables: dict[str, list["keras.Variable"]]) -> dict[str, np.ndarray]:
    import keras

    return {key: keras.ops.convert_to_numpy(variable) for key, variable in _named(variables).items()}
