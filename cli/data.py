"""`kerazoo data`: look at a data set before training on it."""

import json

import click

from kerazoo.cli import json_option, recipe_argument, say, set_option, shots_option, ways_option


@click.group("data")
def command() -> None:
    """Check a data set before training on it."""


@command.command("check")
@recipe_argument
@click.option("--data", "folder", metavar="DIR", help="The data set; the recipe's own by default.")
@ways_option
@shots_option
@set_option("data.void=11")
@json_option
def check(
    recipe: str,
    folder: str | None,
    ways: int | None,
    shots: int | None,
    assignments: tuple[str, ...],
    as_json: bool,
) -> None:
    """Read every file that RECIPE would train on; exit code 2 where something is wrong."""
    from kerazoo.engine.training.readiness import inspected_as_asked
    from kerazoo.recipe import load_recipe

    episodes = {"ways": ways, "shots": shots}
    report = inspected_as_asked(load_recipe(recipe), assignments, folder, episodes)
    say(json.dumps(report.plain(), indent=2) if as_json else "\n".join(report.lines()))
    raise SystemExit(2 if report.problems else 0)
