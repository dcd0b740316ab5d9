"""`kerazoo export`: a run becomes an artefact for a server or a device."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kerazoo.cli import directed, direction_option, run_argument, say, set_option

if TYPE_CHECKING:
    from kerazoo.engine.export.formats import Format


@click.command("export")
@run_argument
@click.option(
    "--format",
    "kind",
    type=click.Choice(["savedmodel", "onnx", "litert", "keras"]),
    default="savedmodel",
    show_default=True,
    help="savedmodel is for TensorFlow Serving, onnx for ONNX Runtime, litert for phones, keras for Python.",
)
@click.option("--output", type=Path, metavar="DIR", help="Folder to write to [default: RUN/export].")
@direction_option
@set_option("family.mode=fast")
@click.option("--json", "as_json", is_flag=True, help="Print what export.json says of it.")
def command(
    run: str,
    kind: "Format",
    output: Path | None,
    direction: str | None,
    assignments: tuple[str, ...],
    as_json: bool,
) -> None:
    """Write RUN for other programs, and verify it.

    RUN is a run folder or a recipe: its newest run, else its published weights.

    The artefact takes images of any size, 0..255, and gives probabilities. It is kept only
    if it equals the Keras model at two sizes and two batch sizes. Needs TensorFlow; the run
    may be trained on any backend.
    """
    from kerazoo.engine.convert import run_or_weights
    from kerazoo.engine.export import export, report, summary
    from kerazoo.run import with_settings

    chosen = with_settings(run_or_weights(run), (*assignments, *directed(direction)))
    path = export(chosen, kind, output)
    say(json.dumps({"path": str(path)} | report(path), indent=2) if as_json else summary(path))
