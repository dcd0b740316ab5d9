"""`kerazoo checkpoints`: known published weights."""

import json

import click

from kerazoo.cli import json_option, say


@click.command("checkpoints")
@click.argument("recipe", required=False)
@json_option
def command(recipe: str | None, as_json: bool) -> None:
    """List known published weights, of RECIPE or all, for convert, predict and train --weights."""
    from kerazoo.checkpoints.catalogue import known, table

    found = known(recipe)
    say(json.dumps([each._asdict() for each in found], indent=2) if as_json else table(found))
