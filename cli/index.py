"""`kerazoo index`: the images of a folder, so that `predict --index` finds those like another."""

from pathlib import Path

import click

from kerazoo.cli import backend_option, run_argument, say


@click.command("index")
@run_argument
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

    result = index(run_or_weights(run), folder, output, update=update)
    for problem in result.problems:
        say(f"Error: {problem}", err=True)
    before = f", {result.kept} as before, {result.gone} gone" if update else ""
    say(f"index {result.path}: {result.embedded} embedded{before}")
    say(f"next:\n  kerazoo predict {run} IMAGE --index {result.path} --top 5")
    raise SystemExit(2 if result.problems else 0)
