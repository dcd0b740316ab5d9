"""What `kerazoo train` does with its options, and what it prints at the end."""

import dataclasses
import json
import math
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerazoo.cli import say, show_table, warn
from kerazoo.errors import UserError

if TYPE_CHECKING:
    from kerazoo.engine.plan import Asked
    from kerazoo.engine.plan.budget import Budget
    from kerazoo.engine.training.dry_run import Estimate
    from kerazoo.recipe import Recipe
    from kerazoo.run import Metrics, Run


def run(recipe: str | None, resume: str | None, dry_run: bool, as_json: bool, **options: Any) -> None:
    """Train or resume, and print where everything is and the next commands; or print what it would take."""
    from kerazoo.run import Metrics

    if as_json and not dry_run:
        raise UserError("--json is for --dry-run", "read the numbers of a training in RUN/log.jsonl")
    if dry_run and resume:
        raise UserError("--dry-run is for a training that begins", "leave --resume out")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    folder = _run_folder(resume) if resume else _output(recipe, options["output"])
    if dry_run:
        _estimated(recipe or "", folder, as_json=as_json, **options)
        return
    try:
        done = (
            _resumed(folder, recipe=recipe, **options)
            if resume
            else _started(recipe or "", folder, **options)
        )
    except KeyboardInterrupt:
        if (folder / "recipe.json").exists():
            say(f"Stopped. Continue with: kerazoo train --resume {folder}", err=True)
        raise
    scores = done.read_json("metrics.json", Metrics)
    say(summary(folder, scores, done.recipe.score))


def _run_folder(name: str) -> Path:
    from kerazoo.run import find_run

    return find_run(name).folder


def _output(recipe: str | None, output: str | None) -> Path:
    from kerazoo.run import new_run_folder

    if recipe is None:
        raise UserError("nothing to train", "name a recipe (see 'kerazoo list') or --resume RUN")
    return Path(output) if output else new_run_folder(recipe)


def _started(recipe: str, folder: Path, init: str | None, **options: Any) -> "Run":
    from kerazoo.engine.training.train import train

    chosen, start, notes = _chosen(recipe, init, **options)
    return train(chosen, folder, init=start, notes=notes)


def _estimated(recipe: str, folder: Path, init: str | None, *, as_json: bool, **options: Any) -> None:
    """Print what a training would take."""
    from kerazoo.engine.training.dry_run import estimate
    from kerazoo.run import existing_run_error

    if folder.exists():
        raise existing_run_error(folder)
    chosen, start, _ = _chosen(recipe, init, **options)
    result = estimate(chosen, init=start)
    if as_json:
        say(json.dumps(dataclasses.asdict(result), indent=2))
    else:
        show_table(_rows(result))


def _rows(result: "Estimate") -> list[tuple[str, str]]:
    count, *episode, height, width, channels = result.batch
    images = f"batch of {count}" + (f" episodes, {math.prod(episode)} images each" if episode else "")
    parts = ", ".join(f"{name} {size / 1e6:,.1f}" for name, size in result.memory.items())
    return [
        ("images", f"{result.images['train']} to train on, {result.images['val']} to validate on"),
        ("input", f"{height} x {width} x {channels}, {images}"),
        ("parameters", f"{result.parameters:,}"),
        ("memory", f"about {sum(result.memory.values()) / 1e6:,.0f} MB ({parts})"),
        ("steps", f"{result.steps} in {result.epochs} epochs"),
        ("a step", f"{result.step_seconds:.3g} s (mean of {result.timed_steps} steps)"),
        ("first step", f"{result.first_step_seconds:.3g} s (it compiles)"),
        ("a validation", f"{result.validation_seconds:.3g} s (by {result.timed_images} images)"),
        ("minutes", f"about {result.minutes:.3g}"),
    ]


def _chosen(recipe: str, init: str | None, **options: Any) -> tuple["Recipe", "Run | None", dict[str, Any]]:
    """Return the recipe after the options, its data checked, the run to start from, and files to keep."""
    from kerazoo.engine.convert import run_or_weights
    from kerazoo.engine.plan import Asked
    from kerazoo.engine.plan.budget import read_budget

    if options["accept_changed_data"]:
        raise UserError("--accept-changed-data is for a run that is resumed", "give --resume RUN with it")
    if init and options["weights"]:
        raise UserError("--init and --weights both say what to start from", "give one of them")
    budget = read_budget(options["budget"]) if options["budget"] else None
    asked = Asked(**{name: options[name] for name in Asked._fields})
    chosen = asked.recipe(recipe)
    planned = _is_planned(recipe, chosen, options["plan"], budget)
    notes = {} if chosen.data.generated else _whole(chosen, asked.settings() if planned else None)
    start = run_or_weights(init) if init else None
    if planned:
        chosen, notes = _planned(recipe, asked, budget, start)
    return chosen, start, notes


def _is_planned(name: str, recipe: "Recipe", plan: str | None, budget: "Budget | None") -> bool:
    """Whether to plan the training of a recipe, by name, with what the user says of it."""
    from kerazoo.engine.plan import is_default

    if recipe.data.generated and plan == "on":
        raise UserError("a plan is made from data of your own", "give --data DIR, or leave --plan out")
    on = plan == "on" or (plan is None and is_default(name, recipe))
    if budget and not on:
        raise UserError("--budget is for a training that is planned", "give --plan on and data of your own")
    return on


def _planned(
    recipe: str, asked: "Asked", budget: "Budget | None", init: "Run | None"
) -> tuple["Recipe", dict[str, Any]]:
    """Return the recipe with what its data and the budget decide, and what of it to keep; print it."""
    from kerazoo.engine.plan import plan_for
    from kerazoo.engine.plan.written import plain_plan, rows

    say("timing a few steps, to plan the training", err=True)
    made, known = plan_for(recipe, asked, budget, init=init)
    show_table(rows(made), err=True)
    if made.minutes is not None:
        say(f"the training will take about {made.minutes:.3g} minutes", err=True)
    return made.recipe, {"fingerprint.json": known.plain(), "plan.json": plain_plan(made)}


def _whole(recipe: "Recipe", given: set[str] | None) -> dict[str, Any]:
    """Refuse data of which anything is broken, and return what they are like, to be kept."""
    from kerazoo.engine.inspect import inspected

    say("reading all of the data once, to find what is broken", err=True)
    report = inspected(recipe, given=given)
    for name, text in report.facts.items():
        say(f"{name}: {text}", err=True)
    warn(report.warnings)
    problems = report.problems
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise UserError(f"{problems[0]}{more}", "list all with 'kerazoo data check', mend them, train again")
    return {"fingerprint.json": report.plain()}


def _resumed(
    folder: Path, data: str | None, epochs: int | None, accept_changed_data: bool, **options: Any
) -> "Run":
    from kerazoo.engine.training.train import resume_training

    kept = ("recipe", "output", "batch_size", "seed", "init", "weights", "ways", "shots", "plan", "budget")
    given = [name for name in kept if options.get(name) is not None]
    if given or options["assignments"]:
        raise UserError(
            "--resume continues a run by its own recipe",
            "give only --data, --epochs or --accept-changed-data with it, or start anew with --init",
        )
    return resume_training(folder, data=data, epochs=epochs, accept_changed_data=accept_changed_data)


def summary(folder: Path, scores: "Metrics", monitor: str) -> str:
    """Return the lines printed when a training has ended."""
    best = "unknown" if scores.best is None else f"{scores.best:.4f}"
    lines = [
        f"{monitor} {best} in epoch {scores.best_epoch}"
        + (f" (stopped: {scores.stopped})" if scores.stopped else ""),
        f"run      {folder}",
        f"images   {folder / 'samples.png'}  {folder / 'curves.png'}",
        "next:",
        f"  kerazoo predict {folder} IMAGE_OR_FOLDER",
        f"  kerazoo evaluate {folder}",
        f"  kerazoo export {folder} --format savedmodel",
    ]
    return "\n".join(lines)
