"""Contestants that take turns, each a process of its own.

The best round of each counts, so that what else the machine does touches all alike.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

CONTESTANTS = ("plain-torch", "tensorflow", "torch", "jax")

Work = dict[str, tuple[Callable[[], None], int]]
"""`{piece: (what is timed, images it goes through)}`."""


def contest(
    script: str,
    description: str,
    settings: dict[str, Any],
    reference: Callable[..., Work],
    ours: Callable[..., Work],
) -> dict[str, dict[str, float]] | None:
    """Be the command line of a benchmark: run the contest and print it, or be one of its contestants.

    Args:
        script: the benchmark's own file.
        description: its docstring.
        settings: what can be chosen, with the default, or a tuple of all choices, the default first;
            arguments of the next two.
        reference, ours: give the work in plain PyTorch, and with kerazoo on the backend that runs.

    Returns:
        As `measure`, of the speeds; None for a contestant.
    """
    parser = argparse.ArgumentParser(description=description.partition("\n")[0])
    for name, value in settings.items():
        choices = value if isinstance(value, tuple) else None
        default = choices[0] if choices else value
        parser.add_argument(f"--{name}", type=type(default), choices=choices, default=default)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output")
    parser.add_argument("--contestant", help=argparse.SUPPRESS)
    told = vars(parser.parse_args())
    rounds, output, contestant = (told.pop(name) for name in ("rounds", "output", "contestant"))
    if contestant:
        answer((reference if contestant == "plain-torch" else ours)(**told))
        return None
    arguments = [text for name, value in told.items() for text in (f"--{name}", str(value))]
    best, memory = measure(script, arguments, rounds)
    print(f"{told}; ratio to plain PyTorch\n{table(best, memory)}")
    if output:
        with open(output, "w", encoding="utf-8") as file:
            json.dump(told | {"images_per_second": best, "gib": memory}, file, indent=2)
    return best


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
