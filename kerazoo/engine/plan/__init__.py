"""The plan of a training: what the data and the time decide of a recipe, and why."""

import math
from collections.abc import Collection, Iterable
from typing import Any, NamedTuple

import numpy as np

from kerazoo import backend
from kerazoo import settings as plain
from kerazoo.data.check import fingerprint
from kerazoo.data.dark import dark_images
from kerazoo.data.source import FileSource
from kerazoo.engine.plan.budget import Budget, default_budget, length, minutes, validations
from kerazoo.engine.training.dry_run import Estimate, estimate
from kerazoo.engine.training.memory import OutOfMemory
from kerazoo.recipe import Recipe, load_recipe, overridden, parsed
from kerazoo.run import Run
from kerazoo.structures.fingerprint import Decision, Fingerprint, Grounds
from kerazoo.task import Task
from kerazoo.tasks.planning import tones


class Asked(NamedTuple):
    """What a user asks of a training besides a recipe's name; a plan leaves it as it is.

    Attributes:
        assignments: `KEY=VALUE` texts.
        data: the user's file or folder; None takes the recipe's own.
        ways, shots: of few-shot and Siamese episodes.
        epochs, batch_size, seed, weights: settings of the recipe that have options of their own.
    """

    assignments: tuple[str, ...] = ()
    data: str | None = None
    ways: int | None = None
    shots: int | None = None
    epochs: int | None = None
    batch_size: int | None = None
    seed: int | None = None
    weights: str | None = None

    def recipe(self, name: str) -> Recipe:
        """Return the recipe with what is asked.

        Raises:
            UserError: as `kerazoo.recipe.overridden`.
        """
        recipe = overridden(load_recipe(name), self.assignments, self.data, self._chosen("ways", "shots"))
        return plain.replace(recipe, self._options())

    def values(self) -> dict[str, Any]:
        """Return `{setting: value}` of all that is asked, without the data."""
        episodes = {f"family.{name}": count for name, count in self._chosen("ways", "shots").items()}
        return parsed(self.assignments) | episodes | self._options()

    def settings(self) -> set[str]:
        """Return the names of the settings that stay."""
        training = {f"family.training_{name}" for name in self._chosen("ways", "shots")}
        return training.union(self.values())

    def _options(self) -> dict[str, Any]:
        return self._chosen("epochs", "batch_size", "seed", "weights")

    def _chosen(self, *names: str) -> dict[str, Any]:
        return {name: value for name in names if (value := getattr(self, name)) is not None}


class Plan(NamedTuple):
    """A recipe for data, and how it came about.

    Attributes:
        recipe: with all that was decided.
        decisions: the settings that were planned.
        kept: those that the user had set, which the plan would have changed.
        minutes: that the training will take; None where it was not timed.
    """

    recipe: Recipe
    decisions: tuple[Decision, ...]
    kept: tuple[Decision, ...]
    minutes: float | None = None


def is_default(name: str, recipe: Recipe) -> bool:
    """Whether a training is planned where nobody says: on data of one's own, unless a file has one's plan."""
    return not recipe.data.generated and not name.endswith(".py")


def plan_for(
    name: str, asked: Asked, budget: Budget | None = None, *, init: Run | None = None
) -> tuple[Plan, Fingerprint]:
    """Return the plan for a recipe on the user's data, and what these are like.

    Args:
        name: of the recipe, or its file.
        asked: by the user, who names the data or whose recipe does.
        budget: of the training; by default `default_budget`, where no number of epochs is asked for.
        init: a run whose weights the training starts from.

    Raises:
        UserError: as `kerazoo.recipe.overridden`, or the data are broken.
    """
    given = asked.settings()
    recipe = asked.recipe(name).configured()
    reading, kept = _sorted(_reading(recipe), given)
    recipe = _applied(recipe, reading)
    known = fingerprint(recipe.data)
    budget = budget or (None if "epochs" in given else default_budget())
    made = planned(recipe, known, given, budget, init=init)
    return made._replace(decisions=(*reading, *made.decisions), kept=(*kept, *made.kept)), known


def _reading(recipe: Recipe) -> list[Decision]:
    """Plan what is white, of 16-bit images that would be read as nearly black."""
    data = recipe.data
    dark = dark_images(data.image_files(), data) if isinstance(data, FileSource) else None
    if dark is None:
        return []
    because = f"images of 16 bits hold numbers up to {dark.largest} only"
    return [Decision("data.range", (0.0, float(dark.white())), because)]


def planned(
    recipe: Recipe,
    known: Fingerprint,
    given: Collection[str],
    budget: Budget | None = None,
    *,
    init: Run | None = None,
) -> Plan:
    """Return a recipe with the settings that its data and a budget decide.

    Args:
        recipe: with the user's data.
        known: what these are like.
        given: the settings that the user has set, which stay.
        budget: of the training; None leaves epochs and validations as they are, and times nothing.
        init: a run whose weights the training starts from.

    Raises:
        UserError: a network for these settings cannot be trained.
    """
    crop, is_theirs = recipe.augmentation.crop, is_given("augmentation.crop", given)
    grounds = Grounds(
        known,
        pretrained=init is not None or recipe.weights is not None,
        gpu=backend.has_gpu(),
        crop=crop if is_theirs else None,
        whole=is_theirs and crop is None,
    )
    before = recipe.batch_size
    decisions, kept = _sorted([*recipe.family.planned(grounds), *_as_trained(recipe.family, init)], given)
    recipe = _applied(recipe, decisions)
    more, theirs = _sorted([*tones(recipe.augmentation, known), *_learning_rate(recipe, before)], given)
    recipe = _applied(recipe, more)
    decisions, kept = [*decisions, *more], [*kept, *theirs]
    if budget is None:
        return Plan(recipe, _last(decisions), tuple(kept))
    found, halved = _estimated(recipe, given)
    recipe = _applied(recipe, halved)
    long: list[Decision] = []
    if not is_given("epochs", given):
        passes = recipe.passes if is_given("passes", given) else None
        long, theirs = _sorted(length(found, budget, recipe, _windows(recipe, known), passes=passes), given)
        recipe, kept = _applied(recipe, long), [*kept, *theirs]
    often, theirs = _sorted(validations(found, budget, recipe.epochs), given)
    recipe = _applied(recipe, often)
    made = _last([*decisions, *halved, *long, *often])
    return Plan(recipe, made, (*kept, *theirs), minutes(found, recipe))


def _last(decisions: Iterable[Decision]) -> tuple[Decision, ...]:
    """Return the last decision about each setting."""
    return tuple({decision.setting: decision for decision in decisions}.values())


def _as_trained(family: Task, init: Run | None) -> list[Decision]:
    """Plan what the weights of a run go with, so that they can be taken."""
    if init is None:
        return []
    trained, wanted = init.recipe.family.weight_settings(), family.weight_settings()
    because = f"the weights of {init.folder.name} were trained with it"
    return [
        Decision(f"family.{name}", trained[name], because)
        for name, value in wanted.items()
        if name in trained and trained[name] != value
    ]


def _windows(recipe: Recipe, known: Fingerprint) -> float:
    """Return how many training windows half of the images hold beside each other, or more."""
    crop = recipe.augmentation.crop
    if crop is None or recipe.augmentation.area or not len(known.heights):
        return 1.0
    middle = recipe.augmentation.scale[0] * recipe.augmentation.scale[1]
    return float(np.median(known.heights * known.widths)) * middle / math.prod(crop)


def is_given(setting: str, given: Iterable[str]) -> bool:
    """Whether a setting, a part of it or what it is a part of is among those that the user has set."""
    return any(f"{name}.".startswith(f"{setting}.") or f"{setting}.".startswith(f"{name}.") for name in given)


def _sorted(decisions: Iterable[Decision], given: Collection[str]) -> tuple[list[Decision], list[Decision]]:
    """Return the decisions that count, and those that the user took."""
    own: list[Decision] = []
    theirs: list[Decision] = []
    for decision in decisions:
        (theirs if is_given(decision.setting, given) else own).append(decision)
    return own, theirs


def _applied(recipe: Recipe, decisions: Iterable[Decision]) -> Recipe:
    changes = {decision.setting: decision.value for decision in decisions}
    return plain.replace(recipe, changes) if changes else recipe


def _learning_rate(recipe: Recipe, before: int) -> list[Decision]:
    """Plan the rate for the batch: in proportion for SGD (Goyal et al. 2017), to its root for Adam."""
    if recipe.batch_size == before:
        return []
    ratio = recipe.batch_size / before
    root = recipe.optimizer.name != "sgd"
    rate = float(f"{recipe.optimizer.learning_rate * (math.sqrt(ratio) if root else ratio):.3g}")
    how = "the root of " if root else ""
    return [
        Decision(
            "optimizer.learning_rate", rate, f"goes with {how}the batch: {recipe.batch_size} for {before}"
        )
    ]


def _estimated(recipe: Recipe, given: Collection[str]) -> tuple[Estimate, list[Decision]]:
    """Return what a training takes, after its batch was halved where the whole one does not fit memory."""
    try:
        return estimate(recipe), []
    except OutOfMemory:
        if recipe.batch_size == 1 or is_given("batch_size", given):
            raise
    halved = [
        Decision("batch_size", recipe.batch_size // 2, f"{recipe.batch_size} do not fit memory"),
        Decision("optimizer.accumulate", 2 * recipe.optimizer.accumulate, "steps together see as many"),
    ]
    halved, _ = _sorted(halved, given)
    return estimate(_applied(recipe, halved)), halved
