"""Contestants that take turns, each a process of its own.

The best round of each counts, so that what else the machine does touches all alike.
"""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

CONTESTANTS = ("plain-torch", "tensorflow", "torch", "jax")

Work = dict[str, tuple[Callable[[], None], int]]
"""`{piece: (what is timed, images it goes through)}`."""


def answer(work: Work) -> None:
    """Be a contestant: warm up, then answer each line of standard input with images/s and memory."""
    for run, _ in work.values():
        run()
    print("ready", flush=True)
    for _ in sys.stdin:
        speeds = {}
        for piece, (run, images) in work.items():
            began = time.perf_counter()
            run()
            speeds[piece] = images / (time.perf_counter() - began)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(json.dumps({"images_per_second": speeds, "gib": memory}), flush=True)


def measure(
    script: str, arguments: Sequence[str], rounds: int
) -> tuple[dict[str, dict[str, float]], dict[str, float]]:
    """Return what `script --contestant NAME arguments` reach.

    Returns:
        `{contestant: {piece: images/s}}`, and `{contestant: GiB}` that the process held at most.
    """
    best: dict[str, dict[str, float]] = {}
    memory: dict[str, float] = {}
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
            memory[name] = found["gib"]
            speeds = found["images_per_second"].items()
            best[name] = {p: max(speed, best.get(name, {}).get(p, 0)) for p, speed in speeds}
    for child in children.values():
        child.stdin.close()
        child.wait()
    return best, memory


def _start(script: str, name: str, arguments: Sequence[str]) -> subprocess.Popen:
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "1"}
    environment["KERAS_BACKEND"] = name if name != "plain-torch" else "torch"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    return subprocess.Popen(
        [sys.executable, script, "--contestant", name, *arguments], env=environment, **pipes
    )


def table(best: dict[str, dict[str, float]], memory: dict[str, float]) -> str:
    """Return speeds and memory with their ratios to plain PyTorch, a line per contestant."""
    base, held = best["plain-torch"], memory["plain-torch"]
    lines = []
    for name, speeds in best.items():
        parts = [
            f"{piece} {speeds[piece]:7.1f} images/s ({speeds[piece] / base[piece]:.2f})" for piece in base
        ]
        parts.append(f"{memory[name]:.2f} GiB ({memory[name] / held:.2f})")
        lines.append(f"{name:12} " + "  ".join(parts))
    return "\n".join(lines)
