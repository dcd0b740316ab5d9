"""Export in a process of its own: TensorFlow on the CPU, whatever the caller runs on.

The order goes in as a line of JSON on standard input, which stays open: its end tells the child that its
parent is gone, however that ended, and the child ends, too. The last line of standard output is the answer.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import IO, Any

from kerazoo import settings
from kerazoo.errors import UserError
from kerazoo.run import Run


def write_in_subprocess(run: Run, format: str, output: Path) -> Path:  # noqa: A002
    """Do `kerazoo.engine.export.artefact.write` in a child process.

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
    command = [sys.executable, "-P", "-m", "kerazoo.engine.export.worker"]
    code, stdout, errors = _answered(command, json.dumps(order), os.environ | here)
    if code < 0:
        raise UserError(
            f"the export of {run.folder} was killed by signal {-code}", "free some memory and try again"
        )
    if code:
        raise RuntimeError(f"the export failed in its own process:\n{errors}")
    answer = json.loads(stdout.splitlines()[-1])
    if "error" in answer:
        raise UserError(*answer["error"])
    return Path(answer["path"])


def _answered(command: list[str], order: str, environment: dict[str, str]) -> tuple[int, str, str]:
    """Return exit status, output and errors of a child that is given an order and a hold on this process."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=output, stderr=errors, env=environment
        )
        assert child.stdin
        with child:
            try:
                with contextlib.suppress(BrokenPipeError):  # it ended at once; its errors tell why
                    child.stdin.write(f"{order}\n".encode())
                    child.stdin.flush()
                child.wait()
            finally:
                child.kill()
        return child.returncode, _written(output), _written(errors)


def _written(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")


def main() -> None:
    """Carry out the order on standard input."""
    order = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        print("\n" + json.dumps({"path": str(_carried_out(order))}))
    except UserError as error:
        print("\n" + json.dumps({"error": [error.message, error.remedy]}))


def _end_with_parent() -> None:
    while os.read(0, 1):  # not by sys.stdin, whose lock this thread would hold when the process ends
        pass
    os._exit(1)


def _carried_out(order: dict[str, Any]) -> Path:
    from kerazoo.engine.export.artefact import write

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
