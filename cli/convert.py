"""`kerazoo convert`: published weights become a run."""

from pathlib import Path

import click

from kerazoo.cli import backend_option, set_option


@click.command("convert")
@click.argument("recipe")
@click.argument("checkpoint", type=Path)
@click.option("--output", type=Path, required=True, metavar="RUN", help="Run folder to make.")
@set_option("family.names=[]")
@backend_option
def command(recipe: str, checkpoint: Path, output: Path, assignments: tuple[str, ...]) -> None:
    """Read CHECKPOINT (.safetensors, .pth, .npz) into the network of RECIPE; every key must fit."""
    from kerazoo.convert import convert
    from kerazoo.recipe import load_recipe, overridden

    run = convert(overridden(load_recipe(recipe), assignments), checkpoint, output)
    click.echo(f"run      {run.folder}\nnext:\n  kerazoo predict {run.folder} IMAGE_OR_FOLDER")
