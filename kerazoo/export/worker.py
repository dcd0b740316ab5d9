"""Export in a process of its own: TensorFlow on the CPU, whatever the caller runs on.

The order goes in as JSON on standard input; the last line of standard output is the answer.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from kerazoo import settings
from kerazoo.errors import UserError
from kerazoo.run import Run


def write_in_subprocess(run: Run, format: str, output: Path) -> Path:  # noqa: A002
    """Do `kerazoo.export.artefact.write` in a child process.

    Raises:
        UserError: what the child raised, or the child was killed.
        RuntimeError: the child failed otherwise; holds its standard error.
    """
    order = {
        "folder": str(run.folder),
        "recipe": settings.to_plain(run.recipe),
        "format": format,
        "output": str(output),
    }
    here = {
        "KERAS_BACKEND": "tensorflow",
        "CUDA_VISIBLE_DEVICES": "-1",
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }
    child = subprocess.run(
        [sys.executable, "-P", "-m", "kerazoo.export.worker"],
        input=json.dumps(order),
        capture_output=True,
        text=True,
        errors="replace",
        env=os.environ | here,
        check=False,
    )
    if child.returncode < 0:
        raise UserError(
            f"the export of {run.folder} was killed by signal {-child.returncode}",
            "free some memory and try again",
        )
    if child.returncode:
        raise RuntimeError(f"the export failed in its own process:\n{child.stderr}")
    answer = json.loads(child.stdout.splitlines()[-1])
    if "error" in answer:
        raise UserError(*answer["error"])
    return Path(answer["path"])


def main() -> None:
    """Carry out the order on standard input."""
    try:
        print("\n" + json.dumps({"path": str(_carried_out(json.load(sys.stdin)))}))
    except UserError as error:
        print("\n" + json.dumps({"error": [error.message, error.remedy]}))


def _carried_out(order: dict[str, Any]) -> Path:
    from kerazoo.export.artefact import write

    recipe = settings.from_plain(order["recipe"], tuple(_modules(order["recipe"])))
    return write(Run(Path(order["folder"]), recipe), order["format"], Path(order["output"]))


def _modules(plain: Any) -> set[str]:
    """Return the top-level modules of the settings in the order: its sender has imported them."""
    if isinstance(plain, list):
        return set().union(*map(_modules, plain))
    if not isinstance(plain, dict):
        return set()
    own = {plain["class"].partition(".")[0].partition(":")[0]} if "class" in plain else set()
    return own.union(*map(_modules, plain.values()))


if __name__ == "__main__":
    main()
