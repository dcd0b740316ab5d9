"""`kerazoo show`: one recipe, whole."""

import json

import click

from kerazoo.cli import json_option, recipe_argument, say, set_option


@click.command("show")
@recipe_argument
@set_option("epochs=3")
@json_option
def command(recipe: str, assignments: tuple[str, ...], as_json: bool) -> None:
    """Show a RECIPE with all its settings; each line is a KEY=VALUE that --set takes."""
    from kerazoo import recipe as recipes
    from kerazoo import settings

    plain = settings.to_plain(recipes.overridden(recipes.load_recipe(recipe), assignments))
    lines = [f"{key}={json.dumps(value)}" for key, value in settings.flatten(plain).items()]
    say(json.dumps(plain, indent=2) if as_json else "\n".join([recipes.summary(recipe), "", *lines]))
