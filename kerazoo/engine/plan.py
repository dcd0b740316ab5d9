"""The plan of a training: what the data and the time decide of a recipe, and why."""

import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from kerazoo import backend
from kerazoo import settings as plain
from kerazoo.data.check import fingerprint
from kerazoo.errors import UserError
from kerazoo.recipe import Recipe, load_recipe, overridden
from kerazoo.structures.fingerprint import Decision, Fingerprint, Grounds

MINUTES = {"CPU": 30.0, "GPU": 60.0}
"""The budget of a training where nobody gives another."""

MOST_EPOCHS = 500
"""More passes over the same images teach little."""

VALIDATIONS = 12
"""Times that a training is validated, at most."""

VALIDATED = 0.15
"""Share of the time that validations may take."""

WARMUP = 0.03
"""Share of the training in which the learning rate rises."""


class Budget(NamedTuple):
    """How long a training may take: so many seconds, or so many steps."""

    seconds: float | None = None
    steps: int | None = None


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


def read_budget(text: str) -> Budget:
    """Return the budget that a text says: "90s", "30m", "2h" or "steps:5000".

    Raises:
        UserError: it says none.
    """
    if found := re.fullmatch(r"steps:([1-9][0-9]{0,8})", text):
        return Budget(steps=int(found[1]))
    if (found := re.fullmatch(r"([0-9]{1,6}(?:\.[0-9]{1,3})?)([smh])", text)) and float(found[1]) > 0:
        return Budget(seconds=float(found[1]) * {"s": 1, "m": 60, "h": 3600}[found[2]])
    raise UserError(f"--budget {text!r} is no time", "write 90s, 30m, 2h, or steps:5000")


def default_budget() -> Budget:
    """Return `MINUTES` for the device there is."""
    return Budget(seconds=60 * MINUTES["GPU" if has_gpu() else "CPU"])


def has_gpu() -> bool:
    """Whether the backend sees a GPU."""
    return backend.devices()[0].startswith("gpu")


def plan_for(
    name: str,
    data: str,
    assignments: Sequence[str] = (),
    weights: str | None = None,
    budget: Budget | None = None,
) -> Plan:
    """Return the plan for a recipe on the user's data.

    Args:
        name: of the recipe, or its file.
        data: the user's file or folder.
        assignments: what the user sets, `KEY=VALUE` texts.
        weights: published weights to start from.
        budget: of the training; by default `default_budget`.

    Raises:
        UserError: as `kerazoo.recipe.overridden`, or the data are broken.
    """
    recipe = overridden(load_recipe(name), assignments, data)
    recipe = plain.replace(recipe, {"weights": weights} if weights else {}).configured()
    given = {text.partition("=")[0].strip() for text in assignments}
    return planned(recipe, fingerprint(recipe.data), given, budget or default_budget())


def planned(
    recipe: Recipe,
    known: Fingerprint,
    given: Collection[str],
    budget: Budget | None = None,
    *,
    pretrained: bool = False,
) -> Plan:
    """Return a recipe with the settings that its data and a budget decide.

    Args:
        recipe: with the user's data.
        known: what these are like.
        given: the settings that the user has set, which stay.
        budget: of the training; None leaves epochs and validations as they are, and times nothing.
        pretrained: the training starts from the weights of a run.

    Raises:
        UserError: a network for these settings cannot be trained.
    """
    grounds = Grounds(
        known,
        pretrained=pretrained or recipe.weights is not None,
        gpu=has_gpu(),
        crop=recipe.augmentation.crop if is_given("augmentation.crop", given) else None,
    )
    before = recipe.batch_size
    decisions, kept = _sorted(recipe.family.planned(grounds), given)
    recipe = _applied(recipe, decisions)
    rate, kept_rate = _sorted(_learning_rate(recipe, before), given)
    recipe = _applied(recipe, rate)
    decisions, kept = [*decisions, *rate], [*kept, *kept_rate]
    if budget is None:
        return Plan(recipe, tuple(decisions), tuple(kept))
    timed, minutes = _timed(recipe, budget, given)
    length, kept_length = _sorted(timed, given)
    return Plan(_applied(recipe, length), (*decisions, *length), (*kept, *kept_length), minutes)


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


def _timed(recipe: Recipe, budget: Budget, given: Collection[str]) -> tuple[list[Decision], float | None]:
    """Return epochs, validations and warm-up for a budget, and the minutes that the training will take."""
    from kerazoo.engine.training.dry_run import estimate

    found = estimate(recipe)
    per_epoch = found.steps // found.epochs
    if budget.steps is not None:
        fitting = budget.steps / per_epoch
        because = f"{budget.steps} steps, {per_epoch} in an epoch"
    else:
        seconds = (1 - VALIDATED) * (budget.seconds or 0) - found.first_step_seconds
        fitting = seconds / (per_epoch * found.step_seconds)
        because = f"{per_epoch} steps in an epoch, {found.step_seconds:.2g} s each"
    epochs = recipe.epochs if is_given("epochs", given) else min(max(int(fitting), 1), MOST_EPOCHS)
    often = VALIDATIONS
    if budget.seconds is not None:
        often = min(max(int(VALIDATED * budget.seconds / max(found.validation_seconds, 1e-3)), 1), often)
    every = math.ceil(epochs / min(often, epochs))
    validations = math.ceil(epochs / every)
    minutes = (
        found.first_step_seconds
        + epochs * per_epoch * found.step_seconds
        + validations * found.validation_seconds
    ) / 60
    return [
        Decision("epochs", epochs, because),
        Decision("validate_every", every, f"{found.validation_seconds:.2g} s each, {validations} of them"),
        Decision("schedule.warmup", round(WARMUP * epochs, 3), f"{WARMUP:.0%} of the training"),
    ], minutes


def rows(plan: Plan) -> list[tuple[str, str, str]]:
    """Return what people read: setting, value, because; the user's own settings last."""
    told = [(d.setting, _text(d.value), d.because) for d in plan.decisions]
    fields = plain.flatten(plain.to_plain(plan.recipe))
    return told + [(d.setting, _text(fields.get(d.setting, "")), "yours") for d in plan.kept]


def _text(value: Any) -> str:
    return (
        "[" + ",".join(_text(each) for each in value) + "]"
        if isinstance(value, (tuple, list))
        else str(value)
    )


def as_json(plan: Plan) -> dict[str, Any]:
    """Return a plan as JSON-ready data."""
    return {
        "decisions": [decision._asdict() for decision in plan.decisions],
        "yours": [decision.setting for decision in plan.kept],
        "minutes": plan.minutes,
    }


def as_recipe(plan: Plan, name: str, given: Mapping[str, Any]) -> str:
    """Return the text of a recipe file: the recipe `name`, what the user gave, and the plan.

    Settings of the data are left out: they are of the user's own, which `--data` names (`data_settings`).
    """
    values = {**given, **{decision.setting: decision.value for decision in plan.decisions}}
    lines = "".join(
        f"        {setting!r}: {value!r},\n" for setting, value in values.items() if not is_of_data(setting)
    )
    return (
        f'"""{name}, as planned for data of its own."""\n\n'
        "import kerazoo\nfrom kerazoo.settings import replace\n\n"
        f"recipe = replace(\n    kerazoo.load_recipe({name!r}),\n    {{\n{lines}    }},\n)\n"
    )


def data_settings(plan: Plan, assignments: Iterable[str]) -> list[str]:
    """Return the `KEY=VALUE` texts that a training by the written recipe needs besides `--data`."""
    theirs = [text for text in assignments if is_of_data(text)]
    return theirs + [f"{d.setting}={_text(d.value)}" for d in plan.decisions if is_of_data(d.setting)]


def is_of_data(setting: str) -> bool:
    """Whether a setting is one of the data."""
    return setting.strip().startswith("data.")
