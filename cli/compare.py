"""`kerazoo compare`: runs beside each other, on the same images."""

import json
from pathlib import Path
from typing import Any

import click

from kerazoo.cli import backend_option, complete_run, json_option, say, set_option, show_table


@click.command("compare")
@click.argument("runs", nargs=-1, required=True, metavar="RUN RUN...", shell_complete=complete_run)
@click.option("--data", metavar="DIR", help="Data to compare on; those of the first run by default.")
@click.option("--split", type=click.Choice(["train", "val", "test"]), default="val", show_default=True)
@click.option("--tile", type=click.IntRange(min=1), metavar="N", help="Predict in windows of N pixels.")
@click.option("--tta", is_flag=True, help="Average over flips (and quarter turns of masks).")
@click.option("--output", type=Path, metavar="DIR", help="Folder to make [default: runs/compare-DATE-TIME].")
@set_option("family.score=0.5")
@json_option
@backend_option
def command(
    runs: tuple[str, ...],
    data: str | None,
    split: Any,
    tile: int | None,
    tta: bool,
    output: Path | None,
    assignments: tuple[str, ...],
    as_json: bool,
) -> None:
    """Score RUNs on the same images; tell by how much they differ from the first, and how sure that is.

    A RUN is a run folder or a recipe: its newest run, else its published weights.
    """
    from kerazoo.engine.compare import compare
    from kerazoo.engine.convert import run_or_weights
    from kerazoo.run import new_run_folder, with_settings

    chosen = [with_settings(run_or_weights(run), assignments, data) for run in runs]
    folder = output or new_run_folder("compare")
    result = compare(chosen, folder, split, tile=tile, tta=tta)
    if as_json:
        say(json.dumps(result.plain(), indent=2))
        return
    headings = ("run", "parameters", result.score, "difference", "of 95 % of resampled images", "")
    show_table([headings, *result.rows()])
    say(f"images   {folder / 'comparison.png'}")
