"""`kerazoo evaluate`: a run against the truth."""

import json
from typing import Any

import click

from kerazoo.cli import (
    backend_option,
    json_option,
    run_argument,
    say,
    set_option,
    shots_option,
    warn,
    ways_option,
)


@click.command("evaluate")
@run_argument
@click.option("--data", metavar="DIR", help="Data to evaluate on; the run's own by default.")
@click.option("--split", type=click.Choice(["train", "val", "test"]), default="val", show_default=True)
@click.option("--tile", type=click.IntRange(min=1), metavar="N", help="Predict in windows of N pixels.")
@click.option("--tta", is_flag=True, help="Average over flips (and quarter turns of masks).")
@ways_option
@shots_option
@set_option("family.mode=fast")
@json_option
@backend_option
def command(
    run: str,
    data: str,
    split: Any,
    tile: int,
    tta: bool,
    ways: int | None,
    shots: int | None,
    assignments: tuple[str, ...],
    as_json: bool,
) -> None:
    """Score RUN on a split of its data.

    RUN is a run folder or a recipe: its newest run, else its published weights.
    """
    from kerazoo.engine.convert import run_or_weights
    from kerazoo.engine.evaluate import evaluate, table
    from kerazoo.run import with_settings

    episodes = [f"family.{name}={n}" for name, n in (("ways", ways), ("shots", shots)) if n is not None]
    chosen = with_settings(run_or_weights(run), (*assignments, *episodes), data)
    warn(chosen.recipe.data.warnings())
    scores = evaluate(chosen, split, tile=tile, tta=tta)
    say(json.dumps(scores, indent=2) if as_json else table(scores))
