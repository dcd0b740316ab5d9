"""The verb train: from a recipe to a run folder, killable at any instant."""

import contextlib
import dataclasses
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kerazoo import settings
from kerazoo.checkpoints.run_weights import WEIGHTS
from kerazoo.data.identity import Identity, changed_data_error, identity
from kerazoo.engine.options import options_for
from kerazoo.engine.progress import Progress
from kerazoo.engine.training import resume
from kerazoo.engine.training.initialise import initialise
from kerazoo.engine.training.readiness import obstacles
from kerazoo.engine.training.resume import Point, State
from kerazoo.engine.training.steps import finish, restart_epoch, started
from kerazoo.errors import UserError
from kerazoo.files.checksums import verify
from kerazoo.recipe import Recipe
from kerazoo.run import LOG, Metrics, Run, create_run, existing_run_error, open_run, training_lock

DATA = "data.json"
"""What the data of a run are known by: it tells what differs from before, the resume points whether."""


def train(
    recipe: Recipe,
    folder: Path,
    *,
    init: Run | None = None,
    progress: Progress | None = None,
    notes: Mapping[str, Any] | None = None,
) -> Run:
    """Train a recipe from the beginning.

    Args:
        recipe: what to train, on what and how.
        folder: the run folder to make.
        init: a run whose weights to start from instead of the recipe's published ones, if it has
            such; the head may have other classes.
        progress: where to report; by default lines on standard error.
        notes: JSON-ready contents of other files that the run is to hold, by name, such as its plan.

    Raises:
        UserError: unusable data or settings, an existing folder, or too many steps with
            non-finite gradients in a row.
    """
    if folder.exists():
        raise existing_run_error(folder)
    recipe = recipe.configured()
    check(recipe)
    data = identity(recipe.data)
    with prepared(recipe):
        network = recipe.family.build()
        progress = progress or Progress()
        if (start := init or recipe.weights) is not None:
            progress.say(initialise(network, recipe.family, start))
        run = create_run(recipe, folder, network, {DATA: data.plain(), **(notes or {})})
        with training_lock(folder):
            return finish(started(run, network, progress, State(data=data.digest())))


def resume_training(
    folder: Path,
    *,
    data: str | Path | None = None,
    epochs: int | None = None,
    accept_changed_data: bool = False,
    progress: Progress | None = None,
) -> Run:
    """Continue a training from its last resume point, as if it had never stopped.

    Args:
        folder: the run folder.
        data: where the data of the run are now; its recipe keeps that.
        epochs: train up to this many epochs instead of what the recipe says; the learning
            rate then follows the longer schedule from here on.
        accept_changed_data: go on with data that are no longer what the run was trained on, from the
            beginning of the interrupted epoch.
        progress: as for `train`.

    Raises:
        UserError: as for `train`, or the training has already ended, is under way in another process, has
            other data than before or lost its weights or resume points.
    """
    run, progress = open_run(folder), progress or Progress()
    with training_lock(folder):
        if epochs is None and run.read_json("metrics.json", Metrics) is not None:
            message = f"the training in {folder} has ended"
            raise UserError(message, "to train longer add --epochs N with a larger N")
        run = run if data is None else _moved(run, data)
        point = _newest(run, progress)
        state = point.state if point else State()
        other = _other_data(run, state, progress, accept=accept_changed_data)
        if data is not None:
            run.write_json("recipe.json", settings.to_plain(run.recipe))
        run = run if epochs is None else _longer(run, epochs)
        with prepared(run.recipe):
            training = started(run, run.recipe.family.build(), progress, state, point)
            if epochs is not None:  # what ended it counts no more
                state.stopped, state.stale = None, 0
            if other:
                restart_epoch(training)
            return finish(training)


@contextlib.contextmanager
def prepared(recipe: Recipe) -> Iterator[None]:
    """Set the recipe's seed, and its precision while the block runs."""
    import keras

    keras.utils.set_random_seed(recipe.seed)
    keras.config.set_dtype_policy(recipe.precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy("float32")


def _newest(run: Run, progress: Progress) -> Point | None:
    """Return the resume point to go on from, None where the training has not begun."""
    verify(run.folder / WEIGHTS)
    point = resume.newest(run.folder / "resume")
    if point is None and (run.folder / LOG).exists():
        raise UserError(f"{run.folder} has lost its resume points", "start again with --init RUN")
    for error in point.damaged if point else ():
        progress.say(f"{error.message}; the resume point before it serves")
    return point


def _other_data(run: Run, state: State, progress: Progress, *, accept: bool) -> bool:
    """Return whether the data are others than the state was trained on, and accepted; remember what they are.

    Raises:
        UserError: they are others and not accepted, or such that this run cannot go on with them.
    """
    before = _known(run)
    if before and before.files:
        progress.say(f"comparing {len(before.files)} data files with those it was trained on")
    now = identity(run.recipe.data, before)
    other = state.data not in ("", now.digest())
    if other and not accept:
        raise changed_data_error(before, now, run.folder)
    if other and (errors := obstacles(run.recipe)):
        raise errors[0]
    if other or before is None:
        run.write_json(DATA, now.plain())
    state.data = now.digest()
    return other


def _known(run: Run) -> Identity | None:
    """Return what the run's data were known by; a file that cannot be read is none, it only tells details."""
    try:
        return run.read_json(DATA, Identity)
    except UserError:
        return None


def check(recipe: Recipe) -> None:
    """Refuse what would fail only after a while."""
    options_for(recipe.family, tile=recipe.tile)
    numbers = recipe.family.evaluate([]).numbers
    scores = [name for name, value in numbers.items() if not isinstance(value, dict | list)]
    if recipe.score not in scores:
        raise UserError(f"unknown score monitor={recipe.score}", settings.nearest(recipe.score, scores))
    if errors := obstacles(recipe):
        raise errors[0]


def _moved(run: Run, data: str | Path) -> Run:
    """Return the run with its data elsewhere: only where they are is another."""
    if run.recipe.data.generated:
        raise UserError(f"the data of {run.folder} are generated, they are in no folder", "leave --data out")
    source = settings.replace(run.recipe.data, {"path": os.path.abspath(data)}, "data")
    return Run(run.folder, dataclasses.replace(run.recipe, data=source))


def _longer(run: Run, epochs: int) -> Run:
    if epochs <= run.recipe.epochs:
        raise UserError(
            f"{run.folder} is to be trained for {run.recipe.epochs} epochs already", "give a larger --epochs"
        )
    longer = Run(run.folder, dataclasses.replace(run.recipe, epochs=epochs))
    (run.folder / "metrics.json").unlink(missing_ok=True)  # first: a kill in between is then harmless
    longer.write_json("recipe.json", settings.to_plain(longer.recipe))
    return longer
