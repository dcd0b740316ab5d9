"""`kerazoo list`: the recipes."""

import dataclasses
import itertools
import json

import click

from kerazoo.cli import json_option, say, show_table


@click.command("list")
@click.option("--all", "with_tiny", is_flag=True, help="Also the small twins, such as unet-tiny.")
@json_option
def command(with_tiny: bool, as_json: bool) -> None:
    """List the recipes that come with kerazoo, by task.

    The minutes are those of the built-in data on two CPU cores; those with "~" are estimated.
    """
    from rich.table import Column

    from kerazoo.files.recipes import descriptions, is_tiny

    recipes = [recipe for recipe in descriptions() if with_tiny or not is_tiny(recipe.name)]
    if as_json:
        say(json.dumps([dataclasses.asdict(recipe) for recipe in recipes], indent=2))
        return
    rows = []
    for task, members in itertools.groupby(recipes, key=lambda recipe: recipe.task):
        rows.append((task, "", ""))
        for recipe in members:
            about = "~" if recipe.estimated else ""
            rows.append((f"  {recipe.name}", recipe.learns, f"{about}{recipe.minutes:g}"))
    show_table(rows, Column("recipe"), Column("learns"), Column("minutes", justify="right"))
