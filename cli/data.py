"""`kerazoo data`: look at a data set before training on it."""

import json
from pathlib import Path

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
@click.option("--picture", type=Path, metavar="FILE", help="Write a picture of classes, sizes and shapes.")
@json_option
def check(
    recipe: str,
    folder: str | None,
    ways: int | None,
    shots: int | None,
    assignments: tuple[str, ...],
    picture: Path | None,
    as_json: bool,
) -> None:
    """Read every file that RECIPE would train on; exit code 2 where something is wrong."""
    from kerazoo.data.check.picture import draw_report
    from kerazoo.engine.training.readiness import inspected_as_asked
    from kerazoo.image import write_image
    from kerazoo.recipe import load_recipe

    episodes = {"ways": ways, "shots": shots}
    report = inspected_as_asked(load_recipe(recipe), assignments, folder, episodes)
    if picture:
        write_image(picture, draw_report(report))
    say(json.dumps(report.plain(), indent=2) if as_json else "\n".join(report.lines()))
    raise SystemExit(2 if report.problems else 0)
