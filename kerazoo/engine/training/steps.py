"""A training under way: steps, ends of epochs, resume points, and what is kept."""

import dataclasses
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from kerazoo import backend
from kerazoo.checkpoints.run_weights import WEIGHTS, load_weights, non_finite_variable, save_weights
from kerazoo.data.lazy import CachedSamples
from kerazoo.data.loader import Feed, stream
from kerazoo.engine.evaluate import scored
from kerazoo.engine.options import options_for
from kerazoo.engine.progress import Progress
from kerazoo.engine.training import resume
from kerazoo.engine.training.report import curves, json_line, sample_sheet, write_drawings
from kerazoo.engine.training.resume import Point, State
from kerazoo.errors import UserError
from kerazoo.files.writing import atomic_text
from kerazoo.optimizer import learning_rate_schedule
from kerazoo.recipe import Recipe
from kerazoo.run import LOG, Run
from kerazoo.structures.sample import Sample
from kerazoo.structures.scores import Scores

if TYPE_CHECKING:
    import grain
    import keras

SHOWN = 4
"""Validation samples on the sheet of an epoch."""

SKIPPED_IN_A_ROW = 25
"""Steps with non-finite gradients, one after the other, that end a training."""


@dataclasses.dataclass(frozen=True)
class Training:
    """A training under way: the run, what moves, and what it moves through."""

    run: Run
    network: "keras.Model"
    objective: "keras.Model"
    forward: Callable
    fold: Callable[[], None]
    batches: "grain.MapDataset"
    validation: Sequence[Sample]
    state: State
    progress: Progress
    epoch_steps: int

    @property
    def recipe(self) -> Recipe:
        return self.run.recipe

    @property
    def total_steps(self) -> int:
        return self.epoch_steps * self.recipe.epochs

    def variables(self) -> dict[str, list]:
        """Return all that a resume point holds."""
        return {
            "network": self.network.variables,
            "optimizer": self.objective.optimizer.variables,
            "memory": self.objective.memory,
        }


def started(
    run: Run, network: "keras.Model", progress: Progress, state: State, point: Point | None = None
) -> Training:
    """Return the training in a state, with the arrays of its resume point or with the run's weights."""
    from kerazoo.layers import folded

    recipe = run.recipe
    samples = CachedSamples(recipe.data.samples("train"))
    batches = stream(samples, recipe.family, recipe.augmentation, batch=recipe.batch_size, seed=recipe.seed)
    steps = recipe.epoch_steps(len(samples))
    objective = compiled(recipe, network, batches[0][0].shape, steps)
    if point is None:
        load_weights(network, run.folder / WEIGHTS)
    deployed, fold = folded(recipe.family.deploy(network))
    training = Training(
        run=run,
        network=network,
        objective=objective,
        forward=backend.forward(deployed),
        fold=fold,
        batches=batches,
        validation=CachedSamples(recipe.data.samples("val")),
        state=state,
        progress=progress,
        epoch_steps=steps,
    )
    if point is not None:
        resume.assign(point.folder, training.variables())
    if state.factor != 1.0:
        objective.optimizer.inner_optimizer.learning_rate = _rates(recipe, steps, state.factor)
    return training


def compiled(
    recipe: Recipe, network: "keras.Model", shape: tuple[int, ...], epoch_steps: int
) -> "keras.Model":
    """Return the objective of a network with its optimizer, ready for `fit`.

    Args:
        recipe: of the training.
        network: to be trained.
        shape: of a batch of images.
        epoch_steps: steps of an epoch.
    """
    objective = recipe.family.objective(network)
    objective.build(shape)
    mixed = recipe.precision == "mixed_float16"
    factors = objective.learning_rate_factors()
    optimizer = recipe.optimizer.build(_rates(recipe, epoch_steps), mixed=mixed, factors=factors)
    objective.compile(optimizer=optimizer, jit_compile=backend.jit_training())
    optimizer.build(objective.trainable_variables)
    return objective


def _rates(
    recipe: Recipe, epoch_steps: int, factor: float = 1.0
) -> "keras.optimizers.schedules.LearningRateSchedule":
    """Return the learning rate of the whole training, after plateaus that multiplied it by `factor`."""
    steps, warmup = epoch_steps * recipe.epochs, round(epoch_steps * recipe.schedule.warmup)
    return learning_rate_schedule(recipe.optimizer.learning_rate * factor, recipe.schedule, steps, warmup)


def finish(training: Training) -> Run:
    """Train to the end, write the scores of the best weights, and return the run."""
    state, recipe = training.state, training.recipe
    if state.step == 0:  # before anything changes the weights that the run was made with
        resume.save(training.run.folder / "resume", state, training.variables())
    with training.progress.bar(training.total_steps, state.step, recipe.batch_size):
        while state.step < training.total_steps and not state.stopped:
            _advance(training)
            if state.step % training.epoch_steps == 0:
                _close_epoch(training)
            resume.save(training.run.folder / "resume", state, training.variables())
    scores = {
        "best": state.best,
        "best_epoch": state.best_epoch,
        "stopped": state.stopped,
        "last": state.rows[-1],
    }
    training.run.write_json("metrics.json", scores)
    return Run(training.run.folder, recipe)


def restart_epoch(training: Training) -> None:
    """Go back to the beginning of the epoch, which with other data has other steps; older points are void."""
    state = training.state
    state.step, state.sums = len(state.rows) * training.epoch_steps, {}
    training.objective.optimizer.inner_optimizer._iterations.assign(state.step)
    resume.save(training.run.folder / "resume", state, training.variables(), kept=1)


def _advance(training: Training) -> None:
    """Run `fit` up to the end of the epoch, or up to the next resume point inside it."""
    state, every = training.state, training.recipe.save_every
    within = state.step % training.epoch_steps
    steps = min(training.epoch_steps - within, every - within % every)
    inner = training.objective.optimizer.inner_optimizer
    before, began = int(inner._iterations), time.perf_counter()
    feed = Feed(training.batches, state.step, state.step + steps)
    guard = _guard(training)
    try:
        logs = training.objective.fit(
            backend.fit_input(feed()), steps_per_epoch=steps, shuffle=False, verbose=0, callbacks=[guard]
        ).history
    except Exception:
        if isinstance(feed.error, UserError):
            raise feed.error from None
        raise
    if training.objective.stop_training:
        _stop_for_non_finite(training)
    skipped = steps - (int(inner._iterations) - before)
    state.bad = state.bad + steps if skipped == steps else 0
    if state.bad >= SKIPPED_IN_A_ROW:
        _stop_for_non_finite(training)
    if training.recipe.precision != "mixed_float16":  # every step left out halved it
        training.objective.optimizer.dynamic_scale.assign(1.0)
    gained = {name: logs[name][0] * (steps - skipped) for name in training.objective.trackers}
    gained |= {"steps": steps, "skipped": skipped, "seconds": time.perf_counter() - began}
    state.sums = {name: state.sums.get(name, 0.0) + value for name, value in gained.items()}
    state.step += steps


def _guard(training: Training) -> "keras.callbacks.Callback":
    """Return the callback that moves the bar and notices when no step reaches the weights."""
    import keras

    inner = training.objective.optimizer.inner_optimizer

    class Guard(keras.callbacks.Callback):
        applied = int(inner._iterations)

        def on_train_batch_end(self, batch, logs=None):
            training.progress.step()
            if (batch + 1) % SKIPPED_IN_A_ROW:
                return
            backend.sync(self.model)
            before, self.applied = self.applied, int(inner._iterations)
            self.model.stop_training = self.applied == before

    return Guard()


def _stop_for_non_finite(training: Training) -> None:
    raise UserError(
        f"{SKIPPED_IN_A_ROW} steps in a row had non-finite gradients; "
        f"the last good weights are in {training.run.folder / WEIGHTS}",
        "lower optimizer.learning_rate, or train with precision=float32",
    )


def _close_epoch(training: Training) -> None:
    """Log the epoch; validate, keep the best weights, draw, and decide how to go on."""
    state, recipe = training.state, training.recipe
    row = _row(training)
    state.sums = {}
    epoch = row["epoch"]
    if epoch % recipe.validate_every == 0 or epoch == recipe.epochs:
        began = time.perf_counter()
        options = options_for(recipe.family, tile=recipe.tile)
        training.fold()
        scores, shown = scored(recipe.family, training.forward, training.validation, options, count=SHOWN)
        row["validation"] = scores.numbers
        row["validation_seconds"] = round(time.perf_counter() - began, 3)
        _keep_or_stop(training, scores, epoch)
        family = recipe.family.calibrated(scores.numbers)
        sample_sheet(training.run.folder / "samples.png", family, shown)
    state.rows.append(row)
    atomic_text(training.run.folder / LOG, "".join(json_line(r) for r in state.rows))
    scalars = {key: value for key, value in row.items() if isinstance(value, float)}
    backend.tensorboard(training.run.folder / "tensorboard", state.step, scalars | _score(row, recipe))
    curves(training.run.folder / "curves.png", state.rows, recipe.score)
    training.progress.epoch(row, recipe.epochs, recipe.score)


def _score(row: dict[str, Any], recipe: Recipe) -> dict[str, float]:
    score = row.get("validation", {}).get(recipe.score)
    return {} if score is None else {f"validation/{recipe.score}": score}


def _row(training: Training) -> dict[str, Any]:
    import keras

    sums, state = dict(training.state.sums), training.state
    steps, skipped, seconds = (sums.pop(name) for name in ("steps", "skipped", "seconds"))
    terms = {name: value / max(steps - skipped, 1) for name, value in sums.items()}
    rate = training.objective.optimizer.inner_optimizer.learning_rate
    return {
        "epoch": state.step // training.epoch_steps,
        "step": state.step,
        "loss": sum(terms.values()),
        **terms,
        "learning_rate": float(keras.ops.convert_to_numpy(rate)),
        "skipped": int(skipped),
        "seconds": round(seconds, 3),
        "images_per_second": round(steps * training.recipe.batch_size / seconds, 2),
    }


def _keep_or_stop(training: Training, scores: Scores, epoch: int) -> None:
    """Keep the weights if they are the best so far; cut the rate or stop if they have long not been."""
    state, recipe = training.state, training.recipe
    score = scores.numbers[recipe.score]
    if recipe.better(score, state.best) and non_finite_variable(training.network) is None:
        save_weights(training.network, training.run.folder / WEIGHTS)
        write_drawings(training.run.folder, "", scores)
        state.best, state.best_epoch, state.stale, state.plateau = score, epoch, 0, 0
        return
    state.stale += 1
    state.plateau += 1
    if recipe.schedule.kind == "plateau" and state.plateau >= recipe.schedule.patience:
        state.factor, state.plateau = state.factor * recipe.schedule.factor, 0
        inner = training.objective.optimizer.inner_optimizer
        inner.learning_rate = _rates(recipe, training.epoch_steps, state.factor)
        training.objective.make_train_function(force=True)  # rare, so a new trace is no matter
    if recipe.patience is not None and state.stale >= recipe.patience:
        state.stopped = (
            f"{recipe.score} has not improved for {state.stale} validations, best in epoch {state.best_epoch}"
        )
