"""The verb export: a trained run becomes an artefact that others serve, re-run before it is kept.

Whatever backend trained it, the network is rebuilt on TensorFlow in float32, on the CPU.
"""

import importlib.util
import shlex
import sys
from pathlib import Path
from typing import Any

from kerazoo import backend
from kerazoo.engine.export.formats import NEEDS, RECORD, Format, Record
from kerazoo.errors import UserError
from kerazoo.files.reading import is_file, read_json, validate_json
from kerazoo.run import Run


def export(run: Run, format: Format = "savedmodel", output: Path | None = None) -> Path:  # noqa: A002
    """Write a run's deployed network as an artefact and verify it.

    The artefact takes images float32 `(N, H, W, C)`, 0..255, any N and, where the network takes any, H and W,
    under the name "image" and gives the task's named probabilities. It is run again at two sizes and two
    batch sizes and appears only if it equals the Keras model to 1e-5 (more where logits are
    large, see `verify.tolerance`). What came out is written into `export.json` of the folder
    (see `report`).

    Args:
        run: an opened run.
        format: "savedmodel" (laid out for TensorFlow Serving), "onnx", "litert" or "keras".
        output: a folder; `export/` inside the run by default.

    Returns:
        OUTPUT/NAME/VERSION, OUTPUT/NAME.onnx, OUTPUT/NAME.tflite or OUTPUT/NAME.keras, NAME
        being that of the run folder. A SavedModel takes the next free version, a file
        replaces the previous one.

    Raises:
        UserError: an unknown format, a package is missing, the run is broken, the output
            cannot be written, or the artefact differs from the Keras model.
    """
    _check(format)
    output = output or run.folder / "export"
    if "keras" in sys.modules and backend.name() == "tensorflow" and backend.devices() == ["cpu:0"]:
        from kerazoo.engine.export.artefact import write

        return write(run, format, output)
    from kerazoo.engine.export.worker import write_in_subprocess

    return write_in_subprocess(run, format, output)


def report(artefact: Path) -> dict[str, Any]:
    """Return what `export.json` says of an artefact: run, classes, sizes, versions, differences.

    Raises:
        UserError: there is no such file, or it does not name the artefact.
    """
    for folder in artefact.parents[:2]:
        if is_file(folder / RECORD):
            entries = read_json(folder / RECORD, dict[str, dict[str, Any]])
            entry = entries.get(artefact.relative_to(folder).as_posix())
            if entry:
                return entry
    raise UserError(f"no {RECORD} tells of {artefact}", "export the run again")


def summary(artefact: Path) -> str:
    """Return the lines that tell a person where an artefact is, how exact, and how to serve it."""
    known = validate_json(report(artefact), RECORD, Record)
    lines = [
        f"{known.format} {artefact}",
        f"largest difference from Keras {known.largest_difference:.1e} "
        f"(sizes {', '.join(known.sizes)}; batches of 1 and 2)",
    ]
    if known.format == "savedmodel":
        base = artefact.resolve().parent
        mount = ["-v", f"{base}:/models/{base.name}", "-e", f"MODEL_NAME={base.name}"]
        lines += [
            "serve it:",
            f"  docker run -p 8501:8501 {shlex.join(mount)} tensorflow/serving",
        ]
    return "\n".join(lines)


def _check(format: str) -> None:  # noqa: A002
    if format not in NEEDS:
        raise UserError(f"unknown format {format!r}", f"choose one of: {', '.join(NEEDS)}")
    missing = [name for name in NEEDS[format] if not importlib.util.find_spec(name)]
    if missing:
        raise UserError(f"export to {format} needs {', '.join(missing)}", "pip install 'kerazoo[export]'")
