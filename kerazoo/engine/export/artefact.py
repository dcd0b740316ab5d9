"""One artefact: built, written beside, verified, renamed and recorded. Runs on TensorFlow."""

import contextlib
import datetime
import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
from filelock import FileLock

import kerazoo
from kerazoo import backend, settings
from kerazoo.engine.export.formats import NEEDS, RECORD
from kerazoo.engine.export.verify import tolerance, verified
from kerazoo.files.reading import read_json
from kerazoo.files.writing import atomic_text, move_into_place, sha256, temporary_path
from kerazoo.layers import folded
from kerazoo.run import Run

MODULES = {"savedmodel": "savedmodel", "onnx": "onnx", "litert": "litert", "keras": "keras_archive"}
"""Each has `write(model, path, names)` and `forward(path)`, the artefact as a NumPy function."""

SUFFIXES = {"onnx": ".onnx", "litert": ".tflite", "keras": ".keras"}


def write(run: Run, format: str, output: Path) -> Path:  # noqa: A002
    """Export a run in this process, which runs TensorFlow; see `kerazoo.engine.export.export`."""
    module = importlib.import_module(f"kerazoo.engine.export.{MODULES[format]}")
    family = run.family
    with _float32():  # whatever it was trained in
        network = Run(run.folder, run.recipe).deployed
        # The runtimes of ONNX and LiteRT fold by themselves, and an archive may be trained on.
        served = folded(network)[0] if format == "savedmodel" else network
        model, allowed = family.serving(served), tolerance(family, network)
    name = run.folder.resolve().name
    with temporary_path(_target(output, name, format)) as partial:
        module.write(model, partial, family.class_names())
        what = f"the {format} export of {run.folder}"
        cases = verified(family, model, module.forward(partial), allowed, what)
        entry = _described(run, format, model) | _differences(cases, allowed)
        with FileLock(output / f".{RECORD}.lock"):  # another export may have taken the version meanwhile
            path = _target(output, name, format)
            entry["files"] = _files(partial, path.name)
            move_into_place(partial, path)
            _record(output, path, entry)
    return path


@contextlib.contextmanager
def _float32() -> Iterator[None]:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _target(output: Path, name: str, format: str) -> Path:  # noqa: A002
    if format in SUFFIXES:
        return output / f"{name}{SUFFIXES[format]}"
    versions = [int(path.name) for path in (output / name).glob("[0-9]*") if path.name.isdecimal()]
    return output / name / str(max(versions, default=0) + 1)


def _described(run: Run, format: str, model: keras.Model) -> dict[str, Any]:  # noqa: A002
    used = dict.fromkeys(("keras", *NEEDS[format]))
    return {
        "format": format,
        "run": run.folder.resolve().name,
        "family": settings.to_plain(run.family),
        "classes": list(run.recipe.family.class_names()),
        "inputs": {name: list(x.shape) for name, x in model.input.items()},
        "outputs": {name: list(x.shape) for name, x in model.output.items()},
        "dtype": "float32",
        "values": "images 0..255, which the graph normalises; null stands for any size",
        "versions": {"kerazoo": kerazoo.__version__} | {name: backend.version(name) for name in used},
        "made": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
    }


def _differences(cases: list[dict[str, Any]], allowed: float) -> dict[str, Any]:
    return {
        "largest_difference": max(case["difference"] for case in cases),
        "tolerance": allowed,
        "sizes": list(dict.fromkeys(f"{case['height']}x{case['width']}" for case in cases)),
        "differences": cases,
    }


def _files(path: Path, name: str) -> dict[str, dict[str, Any]]:
    """Return size and checksum of a file, or of every file of a folder."""
    files = {p.relative_to(path).as_posix(): p for p in sorted(path.rglob("*")) if p.is_file()} or {
        name: path
    }
    return {key: {"bytes": file.stat().st_size, "sha256": sha256(file)} for key, file in files.items()}


def _record(output: Path, path: Path, entry: dict[str, Any]) -> None:
    """Add an artefact to the folder's `export.json`."""
    file = output / RECORD
    entries = read_json(file, dict[str, dict[str, Any]]) if file.exists() else {}
    entries[path.relative_to(output).as_posix()] = entry
    atomic_text(file, json.dumps(entries, indent=2) + "\n")
