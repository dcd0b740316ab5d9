"""Contestants that take turns, each a process of its own.

The best round of each counts, so that what else the machine does touches all alike.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

CONTESTANTS = ("plain-torch", "tensorflow", "torch", "jax")

Work = dict[str, tuple[Callable[[], None], int]]
"""`{piece: (what is timed, images it goes through)}`."""


def answer(work: Work) -> None:
    """Be a contestant: warm up, then answer each line of standard input with images/s."""
    for run, _ in work.values():
        run()
    print("ready", flush=True)
    for _ in sys.stdin:
        speeds = {}
        for piece, (run, images) in work.items():
            began = time.perf_counter()
            run()
            speeds[piece] = images / (time.perf_counter() - began)
        print(json.dumps(speeds), flush=True)


def measure(script: str, arguments: Sequence[str], rounds: int) -> dict[str, dict[str, float]]:
    """Return `{contestant: {piece: images/s}}` of `script --contestant NAME arguments`."""
    best: dict[str, dict[str, float]] = {}
    children = {name: _start(script, name, arguments) for name in CONTESTANTS}
    for name, child in children.items():
        while (line := child.stdout.readline()).strip() != "ready":
            if not line:
                raise SystemExit(f"{name} ended early")
    for _ in range(rounds):
        for name, child in children.items():
            child.stdin.write("go\n")
            child.stdin.flush()
            found = json.loads(child.stdout.readline())
            best[name] = {p: max(speed, best.get(name, {}).get(p, 0)) for p, speed in found.items()}
    for child in children.values():
        child.stdin.close()
        child.wait()
    return best


def _start(script: str, name: str, arguments: Sequence[str]) -> subprocess.Popen:
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "1"}
    environment["KERAS_BACKEND"] = name if name != "plain-torch" else "torch"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    return subprocess.Popen(
        [sys.executable, script, "--contestant", name, *arguments], env=environment, **pipes
    )


def table(best: dict[str, dict[str, float]]) -> str:
    """Return the speeds with their ratios to plain PyTorch, a line per contestant."""
    base = best["plain-torch"]
    lines = []
    for name, speeds in best.items():
        parts = [
            f"{piece} {speeds[piece]:7.1f} images/s ({speeds[piece] / base[piece]:.2f})" for piece in base
        ]
        lines.append(f"{name:12} " + "  ".join(parts))
    return "\n".join(lines)
