"""Recipes: everything that a training needs to know, and how to name, load and change one."""

import dataclasses
import math
import os
import runpy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from kerazoo import settings as plain
from kerazoo.data.augment import Augmentation
from kerazoo.data.source import Source
from kerazoo.errors import UserError
from kerazoo.files.recipes import docstring, recipe_files
from kerazoo.media.pixels import ImageReading
from kerazoo.optimizer import Optimizer, Schedule
from kerazoo.settings import settings
from kerazoo.structures.skeleton import read_skeleton
from kerazoo.task import Task

Count = Annotated[int, Field(ge=1)]


@settings
class Recipe:
    """A complete description of a training.

    Attributes:
        family: the network and its task.
        data: where the samples come from.
        augmentation: what is done to them.
        optimizer, schedule: how the weights move.
        epochs: how long the training is; after each the log has a line, and a resume point.
        passes: over the training samples that make an epoch. Of few or large images, from which windows are
            cut, one is too little.
        batch_size: samples per step.
        seed: of weights, order and augmentation.
        precision: Keras' dtype policy while training; weights stay float32.
        validate_every: epochs between validations; the last epoch is always validated.
        patience: validations without a better score before the training stops, or None.
        save_every: steps between resume points inside an epoch; every epoch ends with one.
        tile: window for validation and prediction of large images, or None.
        monitor: the score that decides which weights are kept; larger is better, or with a "-" before its
            name smaller.
        weights: published weights to start from, and to predict with before there is a run: a path,
            `hf://owner/repo/file` or `https://...#sha256=...` (see `kerazoo.checkpoints.fetch`).
        published: other weights to predict with before there is a run; no training starts from them.
    """

    family: Task
    data: Source
    augmentation: Augmentation = Augmentation()
    optimizer: Optimizer = Optimizer()
    schedule: Schedule = Schedule()
    epochs: Count = 20
    passes: Count = 1
    batch_size: Count = 8
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    precision: Literal["float32", "mixed_float16", "mixed_bfloat16"] = "float32"
    validate_every: Count = 1
    patience: Count | None = None
    save_every: Count = 1000
    tile: Count | None = None
    monitor: str = "mean_iou"
    weights: str | None = None
    published: str | None = None

    @property
    def score(self) -> str:
        """The name of the score to be monitored."""
        return self.monitor.removeprefix("-")

    def epoch_steps(self, samples: int) -> int:
        """Return the steps of an epoch of so many training samples."""
        return math.ceil(samples * self.passes / self.batch_size)

    def configured(self) -> "Recipe":
        """Return this recipe with its data as its family wants them: the order of classes, episodes."""
        return dataclasses.replace(self, data=self.family.configure(self.data))

    def better(self, value: float | None, best: float | None) -> bool:
        """Whether a value of that score is better than the best so far; the first one always is."""
        if value is None or best is None:
            return best is None
        return value < best if self.monitor.startswith("-") else value > best


def recipe_path(name: str) -> Path:
    """Return the file of a recipe: a name that `kerazoo list` shows, or a path ending in `.py`.

    Raises:
        UserError: no such recipe; names the nearest.
    """
    if name.endswith(".py"):
        if not Path(name).is_file():
            raise UserError(
                f"{name}: no such recipe file", "give a name from 'kerazoo list' or an existing .py file"
            )
        return Path(name)
    files = recipe_files()
    if name.replace("_", "-") not in files:
        raise UserError(f"unknown recipe {name!r}", plain.nearest(name, list(files)))
    return files[name.replace("_", "-")]


def load_recipe(name: str) -> Recipe:
    """Return a recipe by name or by path; a user's own `.py` file is executed.

    Raises:
        UserError: no such recipe, or the file does not end in `recipe = Recipe(...)`.

    Example:
        >>> import kerazoo
        >>> recipe = kerazoo.load_recipe("unetpp")
        >>> type(recipe.family).__name__, recipe.epochs
        ('UNetPlusPlus', 6)
    """
    path = recipe_path(name)
    try:
        recipe = runpy.run_path(str(path)).get("recipe")
    except UserError:
        raise
    except Exception as error:  # the user's own file may fail in any way
        raise UserError(f"{path}: {type(error).__name__}: {error}", "mend the recipe file") from error
    if not isinstance(recipe, Recipe):
        raise UserError(f"{path}: defines no recipe", "end the file with 'recipe = Recipe(...)'")
    return recipe


def summary(name: str) -> str:
    """Return a recipe's docstring: the command, the minutes, the number that came out."""
    return docstring(recipe_path(name))


def source(recipe: Recipe, assignments: Sequence[str], data: str | None = None) -> Source:
    """Return the recipe's data after `--data` and `--set data.KEY=VALUE`; no image is read."""
    changes = {key.removeprefix("data."): value for key, value in parsed(assignments).items()}
    if data is not None:
        reader = recipe.family.source_for(data)
        plain.check_names(reader, changes, "data")
        before = plain.fields(recipe.data) if isinstance(recipe.data, reader) else {}
        of_what_is_stored = ("classes", "void", "table")
        meaning: dict[str, Any] = {key: before[key] for key in of_what_is_stored if key in before}
        meaning |= plain.fields_of(recipe.data, ImageReading)
        return plain.build(reader, meaning | {"path": os.path.abspath(data)} | changes, "data")
    return plain.replace(recipe.data, changes, "data") if changes else recipe.data


def parsed(assignments: Sequence[str]) -> dict[str, Any]:
    """Return `{key: value}` of `KEY=VALUE` texts; the value of a skeleton may be its file.

    Raises:
        UserError: one has no "=", or a file is no skeleton's.
    """
    changes = {}
    for assignment in assignments:
        key, equals, value = assignment.partition("=")
        if not equals:
            raise UserError(f"--set {assignment!r} has no '='", "write --set KEY=VALUE")
        changes[key.strip()] = _given(key.strip(), plain.parse_value(value.strip()))
    return changes


def _given(key: str, value: Any) -> Any:
    """Return what a user sets: only they can name a file of settings, no recipe of a run can."""
    file = key.rpartition(".")[2] == "skeleton" and isinstance(value, str) and value.endswith(".json")
    return read_skeleton(Path(value)) if file else value


def overridden(
    recipe: Recipe,
    assignments: Sequence[str],
    data: str | None = None,
    episodes: Mapping[str, int | None] | None = None,
) -> Recipe:
    """Return the recipe after `--data`, `--set KEY=VALUE`, `--ways` and `--shots`.

    What the user sets about the data comes first, since it decides the family's classes;
    what they set about the family afterwards has the last word.

    Args:
        recipe: to change.
        assignments: `KEY=VALUE` texts.
        data: the user's file or folder.
        episodes: numbers of "ways" and "shots" that are asked for; None leaves them.

    Raises:
        UserError: a malformed assignment, an unknown key or a wrong value, unusable data.
    """
    from kerazoo.tasks.fewshot import FewShot

    changed = source(recipe, [a for a in assignments if a.startswith("data.")], data)
    if changed is not recipe.data:
        family = recipe.family.with_classes(changed.class_names())
        recipe = dataclasses.replace(recipe, data=changed, family=family)
    others = {key: value for key, value in parsed(assignments).items() if not key.startswith("data.")}
    recipe = plain.replace(recipe, others) if others else recipe
    counts = {name: count for name, count in (episodes or {}).items() if count is not None}
    if isinstance(recipe.family, FewShot):
        counts = recipe.family.episode_settings(counts)
    return plain.replace(recipe, {f"family.{name}": count for name, count in counts.items()})
