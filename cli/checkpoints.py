"""`kerazoo checkpoints`: known published weights."""

import itertools
import json
import shlex
from typing import TYPE_CHECKING

import click

from kerazoo.cli import complete_recipe, json_option, say, show_table

if TYPE_CHECKING:
    from kerazoo.checkpoints.catalogue import Published


@click.command("checkpoints")
@click.argument("recipe", required=False, shell_complete=complete_recipe)
@json_option
def command(recipe: str | None, as_json: bool) -> None:
    """List known published weights, of RECIPE or all, for convert, predict and train --weights."""
    from rich.table import Column

    from kerazoo.checkpoints.catalogue import CAUTION, known

    weights = known(recipe)
    if as_json:
        say(json.dumps([file._asdict() for file in weights], indent=2))
        return
    rows = []
    for name, files in itertools.groupby(weights, key=lambda file: file.recipe):
        rows += [(name, "", "", ""), *map(_row, files)]
    size, by = Column("MB", justify="right"), Column("by", overflow="fold")
    show_table(rows, Column("weights", no_wrap=True), size, Column("score"), by)
    say(f"\n{CAUTION}")


def _row(file: "Published") -> tuple[str, str, str, str]:
    """Return the cells about a file; the settings that its score needs stand below its reference."""
    lines = [f"  {file.reference}", *(f"    --set {shlex.quote(text)}" for text in file.assignments)]
    return (
        "\n".join(lines),
        f"{4 * file.parameters / 1e6:.0f}",
        file.measured,
        f"{file.origin}, {file.licence}",
    )
