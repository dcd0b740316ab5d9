"""`kerazoo index`: the images of a folder, so that `predict --index` finds those like another."""

from pathlib import Path

import click

from kerazoo.cli import backend_option, say


@click.command("index")
@click.argument("run")
@click.argument("folder", type=Path)
@click.option("--output", type=Path, metavar="FILE", help="The index [default: index.npz in the run].")
@click.option(
    "--update", is_flag=True, help="Embed only what is new or has changed since the index was made."
)
@backend_option
def command(run: str, folder: Path, output: Path | None, update: bool) -> None:
    """Embed all images of FOLDER by RUN, a Siamese network, to be searched.

    RUN is a run folder or a recipe: its newest run.
    """
    from kerazoo.engine.convert import run_or_weights
    from kerazoo.engine.index import index

    made = index(run_or_weights(run), folder, output, update=update)
    for problem in made.problems:
        say(f"Error: {problem}", err=True)
    before = f", {made.kept} as before, {made.gone} gone" if update else ""
    say(f"index {made.path}: {made.embedded} embedded{before}")
    say(f"next:\n  kerazoo predict {run} IMAGE --index {made.path} --top 5")
    raise SystemExit(2 if made.problems else 0)
