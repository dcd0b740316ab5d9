"""Run folders: a training's recipe, weights, log, scores and images.

Nothing of a run is executed on opening: its recipe is JSON that can only name classes of
kerazoo (or of a module the user names), its weights are HDF5 arrays.
"""

import contextlib
import dataclasses
import datetime
import functools
import json
import os
import platform
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerazoo import backend
from kerazoo import settings as plain
from kerazoo.checkpoints.run_weights import WEIGHTS, load_weights, save_weights
from kerazoo.errors import UserError, error_context
from kerazoo.files.reading import is_file, read_json, read_json_lines, read_text, validate_json
from kerazoo.files.writing import atomic_folder, atomic_text, write_error
from kerazoo.recipe import Recipe, parsed, source
from kerazoo.task import Task

if TYPE_CHECKING:
    import keras
    import numpy as np

LARGEST_RECIPE = 1 << 24
"""Bytes of the largest recipe that is read."""

LOG = "log.jsonl"

HOLDER = ".trained-by"
"""The file that tells which process trains a run."""


@dataclasses.dataclass(frozen=True)
class LogRow:
    """The fields that are read from a line of `log.jsonl`."""

    validation: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Metrics:
    """`metrics.json`, which a training writes when it has ended."""

    best: float | None
    best_epoch: int | None
    stopped: str | None


@dataclasses.dataclass(frozen=True)
class Run:
    """An opened run folder.

    Attributes:
        folder: where it is.
        recipe: what it was trained by; `with_settings` changes it for this process only.
    """

    folder: Path
    recipe: Recipe

    @functools.cached_property
    def network(self) -> "keras.Model":
        """The network with the run's best weights.

        Raises:
            UserError: the weights are missing, broken or of another network.
        """
        network = self.recipe.family.build()
        load_weights(network, self.folder / WEIGHTS)
        return network

    @functools.cached_property
    def deployed(self) -> "keras.Model":
        """The part of the network that prediction and export run."""
        return self.recipe.family.deploy(self.network)

    @functools.cached_property
    def forward(self) -> Callable[["np.ndarray"], dict[str, "np.ndarray"]]:
        """That part as a function of NumPy arrays, folded and compiled once (`kerazoo.backend.forward`)."""
        from kerazoo.layers import folded

        return backend.forward(folded(self.deployed)[0])

    @functools.cached_property
    def family(self) -> Task:
        """The recipe's family, calibrated on the validation scores of the best weights (`Task.calibrated`).

        Raises:
            UserError: the log is broken.
        """
        best, scores = None, {}
        path = self.folder / LOG
        for row in read_json_lines(path, LogRow) if path.exists() else ():
            score = validate_json(
                row.validation.get(self.recipe.score), f"{path}: {self.recipe.score}", float | None
            )
            if row.validation and self.recipe.better(score, best):
                best, scores = score, row.validation
        return self.recipe.family.calibrated(scores)

    def write_json(self, name: str, value: Any) -> None:
        """Write a JSON file of the run, atomically."""
        atomic_text(self.folder / name, json.dumps(value, indent=2) + "\n")

    def read_json(self, name: str, shape: Any = object) -> Any:
        """Return a JSON file of the run, validated as by `reading.read_json`; None if there is none."""
        path = self.folder / name
        return read_json(path, shape) if path.exists() else None


def create_run(
    recipe: Recipe, folder: Path, network: "keras.Model", more: Mapping[str, Any] | None = None
) -> Run:
    """Write a new run with the network's weights, atomically.

    Args:
        recipe: of the run.
        folder: to make.
        network: built by the recipe's family.
        more: other JSON files that the run has from the first, by name.

    Raises:
        UserError: the folder exists, or cannot be written.
    """
    if os.path.exists(folder):
        raise existing_run_error(folder)
    if "<run_path>" in (text := json.dumps(plain.to_plain(recipe))):
        raise UserError(
            "the recipe file defines settings of its own, which no run could be opened with",
            "move the class into a module that can be imported",
        )
    with atomic_folder(folder) as partial:
        run = Run(partial, recipe)
        run.write_json("recipe.json", json.loads(text))
        run.write_json("environment.json", environment(recipe))
        for name, content in (more or {}).items():
            run.write_json(name, content)
        save_weights(network, partial / WEIGHTS)
    return Run(folder, recipe)


def existing_run_error(folder: Path) -> UserError:
    """Return the error for a run folder that already exists."""
    return UserError(f"{folder} exists already", "choose another --output, or continue it with --resume")


def open_run(path: str | Path, modules: tuple[str, ...] = ()) -> Run:
    """Return the run in a folder; its weights are loaded later.

    Args:
        path: the run folder.
        modules: modules besides kerazoo whose settings the recipe may name.

    Raises:
        UserError: no run there, or a broken one.
    """
    folder = Path(path)
    if not is_file(folder / "recipe.json"):
        raise UserError(
            f"{folder} is not a run folder (it has no recipe.json)", "give the folder 'kerazoo train' wrote"
        )
    data = read_json(folder / "recipe.json", largest=LARGEST_RECIPE)
    with error_context(folder / "recipe.json"):
        recipe = plain.from_plain(data, ("kerazoo", *modules))
    if not isinstance(recipe, Recipe):
        raise UserError(f"{folder / 'recipe.json'} holds no recipe", "was it edited by hand?")
    return Run(folder, recipe)


def find_run(name: str, modules: tuple[str, ...] = (), runs: Path = Path("runs")) -> Run:
    """Return the run a user means: a run folder, or the newest run of a recipe under `runs/`."""
    folder = run_folder(name, runs)
    if folder is None:
        stem = Path(name).stem.replace("_", "-")
        raise UserError(f"{name}: no such run folder, and no run of a recipe {stem!r} under {runs}/",
                        f"train one first: kerazoo train {stem}")  # fmt: skip
    return open_run(folder, modules)


def run_folder(name: str, runs: Path = Path("runs")) -> Path | None:
    """Return the folder of a run by name: the folder itself, or the newest run of a recipe under `runs/`."""
    if os.path.exists(name) and not name.endswith(".py"):
        return Path(name)
    stem = Path(name).stem.replace("_", "-")
    folders = [p.parent for p in runs.glob(f"{stem}-[0-9]*/recipe.json")]
    return max(folders, key=lambda folder: folder.name, default=None)


def with_settings(run: Run, assignments: Sequence[str], data: str | None = None) -> Run:
    """Return the run after `--data` and `--set KEY=VALUE`, for this process only.

    The family's classes stay what was trained, whatever the data hold.
    """
    changes = {key: value for key, value in parsed(assignments).items() if not key.startswith("data.")}
    data_assignments = [text for text in assignments if text.startswith("data.")]
    recipe = dataclasses.replace(run.recipe, data=source(run.recipe, data_assignments, data))
    return Run(run.folder, plain.replace(recipe, changes) if changes else recipe)


def new_run_folder(recipe_name: str, runs: Path = Path("runs")) -> Path:
    """Return a new folder name `runs/NAME-YYYYMMDD-HHMMSS`."""
    while True:
        stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
        folder = runs / f"{Path(recipe_name).stem.replace('_', '-')}-{stamp}"
        if not folder.exists():
            return folder
        time.sleep(0.2)


@contextlib.contextmanager
def training_lock(folder: Path) -> Iterator[None]:
    """Lock a run during the block, so that no other process trains it.

    Raises:
        UserError: another process trains it, or its folder cannot be written.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(folder / ".lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        message = f"{folder} is being trained by {_lock_holder(folder)}"
        raise UserError(message, "wait for its end, or stop it first") from None
    except OSError as error:
        raise write_error(folder, error) from None
    try:
        atomic_text(folder / HOLDER, f"process {os.getpid()} on {platform.node()}")
        yield
    finally:
        lock.release()


def _lock_holder(folder: Path) -> str:
    holder = read_text(folder / HOLDER, largest=1000) if is_file(folder / HOLDER) else ""
    return holder if re.fullmatch(r"process \d+ on [\w.-]+", holder) else "another process"


def environment(recipe: Recipe) -> dict[str, Any]:
    """Return what is needed to repeat the run: versions, backend, devices, command."""
    import keras

    from kerazoo import __version__, backend

    return {
        "kerazoo": __version__,
        "keras": keras.__version__,
        "backend": backend.name(),
        "backend_version": backend.versions().get(backend.name()),
        "devices": backend.devices(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "seed": recipe.seed,
        "command": sys.argv,
        "started": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
    }
