"""Kill a training at random moments and see that `--resume` ends as if nothing had happened.

    python -m tests.end_to_end.killing --times 20 [--recipe cyclegan-tiny]

One training runs undisturbed; then, as often as asked, the same training is killed with
SIGKILL at a random moment after its run folder began, the run is opened as it lies there, resumed, compared:
weights bit for bit, log row by row (but for what a clock measured).
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

CLOCKED = {"seconds", "images_per_second", "validation_seconds"}
RECIPES = {
    "unetpp-tiny": {"data.train": 28, "family.dropout": 0.2, "optimizer.accumulate": 2},
    "cyclegan-tiny": {"family.pool": 5},  # full after three steps, so most of them draw from it
}
"""What is trained, with settings that have something to be remembered."""


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-c", "from kerazoo.cli import main; main()", *arguments]


def train(recipe: str, folder: Path) -> subprocess.Popen:
    changes = {"save_every": 3} | RECIPES[recipe]
    options = [text for key, value in changes.items() for text in ("--set", f"{key}={value}")]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "start_new_session": True}
    started = command("train", recipe, "--epochs", "3", *options, "--output", str(folder))
    return subprocess.Popen(started, text=True, **quiet)


def resume(folder: Path) -> None:
    done = subprocess.run(
        command("train", "--resume", str(folder)), capture_output=True, text=True, check=False
    )
    if done.returncode and "has ended" not in done.stderr:
        raise AssertionError(f"resume failed:\n{done.stderr}")


def outcome(folder: Path) -> tuple[dict[str, np.ndarray], list[dict], dict]:
    """Return weights, log without clock readings, and scores of a finished run."""
    import h5py

    arrays: dict[str, np.ndarray] = {}
    with h5py.File(folder / "model.weights.h5") as file:
        file.visititems(
            lambda name, item: arrays.update({name: item[()]}) if hasattr(item, "shape") else None
        )
    rows = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    rows = [{key: value for key, value in row.items() if key not in CLOCKED} for row in rows]
    scores = json.loads((folder / "metrics.json").read_text())
    scores["last"] = rows[-1]
    return arrays, rows, scores


def compare(found, expected) -> None:
    """Raise AssertionError where two outcomes differ."""
    assert found[0].keys() == expected[0].keys()
    for name, array in expected[0].items():
        np.testing.assert_array_equal(found[0][name], array, err_msg=name)
    assert found[1] == expected[1]
    assert found[2] == expected[2]


def appeared(folder: Path, process: subprocess.Popen) -> None:
    """Wait until a training makes its run folder, under whatever name it is written beside, or ends."""
    while process.poll() is None and not any(folder.parent.glob(f"*{folder.name}*")):
        time.sleep(0.02)


def killed_once(recipe: str, folder: Path, moment: float) -> str:
    """Train, kill `moment` seconds after the run folder came, open what is left and resume to the end.

    Returns:
        What was found.
    """
    from kerazoo.run import open_run

    process = train(recipe, folder)
    appeared(folder, process)
    time.sleep(moment)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    if not folder.exists():
        again = train(recipe, folder)
        told = again.communicate()[1]
        if again.returncode:
            raise AssertionError(f"training failed:\n{told}")
        return "before there was a run"
    _ = open_run(folder).network  # reads the weights
    points = sorted(p.name for p in (folder / "resume").glob("step-*"))
    resume(folder)
    return f"with resume points {', '.join(points) or 'none'}"


def main(times: int, seed: int, recipe: str) -> None:
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as scratch:
        process = train(recipe, Path(scratch) / "undisturbed")
        appeared(Path(scratch) / "undisturbed", process)
        began = time.monotonic()
        told = process.communicate()[1]
        if process.returncode:
            raise AssertionError(told)
        lasted = time.monotonic() - began
        expected = outcome(Path(scratch) / "undisturbed")
        print(f"undisturbed: {lasted:.1f} s, {len(expected[1])} epochs", flush=True)
        for index in range(times):
            moment = rng.uniform(0, lasted)
            folder = Path(scratch) / f"killed-{index}"
            found = killed_once(recipe, folder, moment)
            compare(outcome(folder), expected)
            print(
                f"{index + 1}/{times}: killed after {moment:.2f} s {found}: same weights, log and scores",
                flush=True,
            )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--recipe", choices=RECIPES, default="unetpp-tiny")
    main(**vars(parser.parse_args()))
