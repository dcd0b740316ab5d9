"""`kerazoo convert`: published weights become a run."""

from pathlib import Path

import click

from kerazoo.cli import backend_option, recipe_argument, say, set_option


@click.command("convert")
@recipe_argument
@click.argument("checkpoint")
@click.option("--output", type=Path, required=True, metavar="RUN", help="Run folder to make.")
@click.option("--layout", metavar="NAME", help="What the keys are [default: recognised].")
@click.option("--part", metavar="NAME", help="Of several networks in the file, such as netG_A.")
@click.option("--names", type=Path, metavar="FILE", help="Class names, one per line, in label order.")
@set_option("family.crop_pct=0.95")
@backend_option
def command(
    recipe: str,
    checkpoint: str,
    output: Path,
    layout: str,
    part: str,
    names: Path,
    assignments: tuple[str, ...],
) -> None:
    """Read CHECKPOINT into the network of RECIPE, strictly: every key must fit.

    CHECKPOINT is a .safetensors, .pth, .npz, .h5, .keras, frozen graph .pb, a TensorFlow checkpoint's
    .index or darknet's .weights: a path, hf://owner/repo/file, or https://... with #sha256=... at its end.
    'kerazoo checkpoints' lists known ones.
    """
    from kerazoo.engine.convert import convert, read_names
    from kerazoo.recipe import load_recipe

    class_names = read_names(names) if names else ()
    made_for = load_recipe(recipe)
    run = convert(
        made_for, checkpoint, output, layout=layout, part=part, names=class_names, assignments=assignments
    )
    say(f"run      {run.folder}\nnext:\n  kerazoo predict {run.folder} IMAGE_OR_FOLDER")
