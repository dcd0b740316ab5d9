"""`kerazoo plan`: what a training would take from the data, and why."""

import json
from pathlib import Path

import click

from kerazoo.cli import backend_option, json_option, recipe_argument, say, set_option, show_table


@click.command("plan")
@recipe_argument
@click.option("--data", metavar="DIR", required=True, help="Your data.")
@click.option("--weights", metavar="REF", help="Published weights that the training will start from.")
@click.option("--budget", metavar="TIME", help="90s, 30m, 2h or steps:5000 [default: 30m, on a GPU 1h].")
@set_option("augmentation.crop=[256,256]")
@click.option("--write", "file", type=Path, metavar="FILE.py", help="Write the planned recipe.")
@json_option
@backend_option
def command(
    recipe: str,
    data: str,
    weights: str | None,
    budget: str | None,
    assignments: tuple[str, ...],
    file: Path | None,
    as_json: bool,
) -> None:
    """Print the settings that RECIPE would take from the data and the time; makes no run.

    What you --set stays as it is.
    """
    from kerazoo.engine.plan import Asked, plan_for
    from kerazoo.engine.plan.budget import read_budget
    from kerazoo.engine.plan.written import data_settings, plain_plan, recipe_text, rows
    from kerazoo.files.writing import atomic_text

    asked = Asked(assignments, data, weights=weights)
    made, _ = plan_for(recipe, asked, read_budget(budget) if budget else None)
    if file:
        atomic_text(file, recipe_text(made, recipe, asked.values()))
    if as_json:
        say(json.dumps(plain_plan(made), indent=2))
        return
    show_table(rows(made))
    if made.minutes is not None:
        say(f"about {made.minutes:.3g} minutes")
    if file:
        extra = "".join(f" --set {text}" for text in data_settings(made, assignments))
        say(f"kerazoo train {file} --data {data}{extra}")
