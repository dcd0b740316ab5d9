"""`kerazoo index`: the pictures of a folder, so that `predict --index` finds those like another."""

from pathlib import Path

import click

from kerazoo.cli import backend_option, say


@click.command("index")
@click.argument("run")
@click.argument("folder", type=Path)
@click.option("--output", type=Path, metavar="FILE", help="The index [default: index.npz in the run].")
@backend_option
def command(run: str, folder: Path, output: Path | None) -> None:
    """Embed all pictures of FOLDER by RUN, a Siamese network, to be searched.

    RUN is a run folder or a recipe: its newest run.
    """
    from kerazoo.convert import run_or_weights
    from kerazoo.index import index

    path, problems = index(run_or_weights(run), folder, output)
    for problem in problems:
        say(f"Error: {problem}", err=True)
    say(f"index {path}\nnext:\n  kerazoo predict {run} IMAGE --index {path} --top 5")
    raise SystemExit(2 if problems else 0)
