"""`kerazoo list`: the recipes."""

import json

import click

from kerazoo.cli import json_option, say


@click.command("list")
@json_option
def command(as_json: bool) -> None:
    """List the recipes that come with kerazoo."""
    from kerazoo.recipe import recipe_names

    names = recipe_names()
    width = max(map(len, names))
    say(json.dumps(names, indent=2) if as_json else "\n".join(f"{n:{width}}  {t}" for n, t in names.items()))
