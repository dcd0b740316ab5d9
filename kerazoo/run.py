"""Run folders: a training's recipe, weights, log, scores and pictures.

Nothing of a run is executed on opening: its recipe is JSON that can only name classes of
kerazoo (or of a module the user names), its weights are HDF5 arrays.
"""

import dataclasses
import datetime
import errno
import functools
import json
import os
import platform
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerazoo import settings as plain
from kerazoo.errors import UserError, naming
from kerazoo.files import atomic_text, whole_file, whole_folder
from kerazoo.recipe import Recipe, parsed, source
from kerazoo.task import Task

if TYPE_CHECKING:
    import keras

WEIGHTS = "model.weights.h5"


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
    def family(self) -> Task:
        """The recipe's family, with what its validation decided when the weights were kept (`Task.informed`).

        Raises:
            UserError: the log is broken.
        """
        best, scores = None, {}
        for row in self._log():
            found = row.get("validation", {})
            if found and self.recipe.better(found.get(self.recipe.score), best):
                best, scores = found.get(self.recipe.score), found
        return self.recipe.family.informed(scores)

    def _log(self) -> list[dict[str, Any]]:
        """Return the rows of the training's epochs; none before the first has ended."""
        path = self.folder / "log.jsonl"
        if not path.exists():
            return []
        try:
            return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        except (OSError, ValueError) as error:
            raise UserError(f"{path} cannot be read: {error}", "restore the file from a copy") from None

    def write_json(self, name: str, value: Any) -> None:
        """Write a JSON file of the run, atomically."""
        atomic_text(self.folder / name, json.dumps(value, indent=2) + "\n")

    def read_json(self, name: str) -> Any:
        """Return a JSON file of the run, None where it does not exist."""
        path = self.folder / name
        return read_json(path) if path.exists() else None


def create_run(recipe: Recipe, folder: Path, network: "keras.Model") -> Run:
    """Write a new run with the network's present weights; it appears whole or not at all.

    Raises:
        UserError: the folder exists, or cannot be written.
    """
    if os.path.exists(folder):
        raise taken(folder)
    if "<run_path>" in (text := json.dumps(plain.to_plain(recipe))):
        raise UserError(
            "the recipe file defines settings of its own, which no run could be opened with",
            "move the class into a module that can be imported",
        )
    with whole_folder(folder) as partial:
        run = Run(partial, recipe)
        run.write_json("recipe.json", json.loads(text))
        run.write_json("environment.json", environment(recipe))
        save_weights(network, partial / WEIGHTS)
    return Run(folder, recipe)


def taken(folder: Path) -> UserError:
    """Return the error for a run folder that is there already."""
    return UserError(f"{folder} exists already", "choose another --output, or continue it with --resume")


def open_run(path: str | Path, modules: tuple[str, ...] = ()) -> Run:
    """Return the run in a folder, without loading its weights yet.

    Args:
        path: the run folder.
        modules: modules besides kerazoo whose settings the recipe may name.

    Raises:
        UserError: no run there, or a broken one.
    """
    folder = Path(path)
    if not (folder / "recipe.json").is_file():
        raise UserError(
            f"{folder} is not a run folder (it has no recipe.json)", "give the folder 'kerazoo train' wrote"
        )
    data = read_json(folder / "recipe.json")
    with naming(folder / "recipe.json"):
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
    """Return where the run of a name is: in the folder itself, or newest of a recipe under `runs/`."""
    if Path(name).exists() and not name.endswith(".py"):
        return Path(name)
    stem = Path(name).stem.replace("_", "-")
    found = [p.parent for p in runs.glob(f"{stem}-[0-9]*/recipe.json")]
    return max(found, key=lambda folder: folder.name, default=None)


def with_settings(run: Run, assignments: Sequence[str], data: str | None = None) -> Run:
    """Return the run after `--data` and `--set KEY=VALUE`, for this process only.

    The family's classes stay what was trained, whatever the data hold.
    """
    changes = {key: value for key, value in parsed(assignments).items() if not key.startswith("data.")}
    about_data = [text for text in assignments if text.startswith("data.")]
    recipe = dataclasses.replace(run.recipe, data=source(run.recipe, about_data, data))
    return Run(run.folder, plain.replace(recipe, changes) if changes else recipe)


def new_folder(recipe_name: str, runs: Path = Path("runs")) -> Path:
    """Return `runs/NAME-YYYYMMDD-HHMMSS`, a folder that does not exist yet."""
    while True:
        stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
        folder = runs / f"{Path(recipe_name).stem.replace('_', '-')}-{stamp}"
        if not folder.exists():
            return folder
        time.sleep(0.2)


def read_json(path: Path) -> Any:
    """Return a JSON file's content, or tell in one line why not."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {error}", "restore the file from a copy") from None


def save_weights(network: "keras.Model", path: Path) -> None:
    """Write a network's weights; the file appears whole or not at all.

    Keras opens its target for writing at once, so a kill would destroy the previous file.
    """
    with whole_file(path) as partial:
        try:
            network.save_weights(str(partial))
        except RuntimeError as error:  # what HDF5 raises on a full disk
            if "No space left" not in str(error):
                raise
            raise OSError(errno.ENOSPC, "No space left on device") from None


def load_weights(network: "keras.Model", path: Path) -> None:
    """Read a network's weights.

    Raises:
        UserError: missing, broken, or of another network.
    """
    if not path.is_file():
        raise UserError(f"{path} is missing", "restore it from a copy, or train again")
    try:
        network.load_weights(str(path))
    except Exception as error:  # HDF5 and Keras raise a dozen kinds for a broken file
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{path} does not hold this network's weights ({reason})",
                        "restore it from a copy, or train again") from None  # fmt: skip


def environment(recipe: Recipe) -> dict[str, Any]:
    """Return what a reader needs to repeat the run: versions, backend, devices, command."""
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
