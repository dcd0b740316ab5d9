"""Seconds until a deep network answers: building HRNet and its first prediction, on the three backends.

    python benchmarks/hrnet_build.py [--width 32] [--output benchmarks/hrnet_build.json]

Every backend is a process of its own, one after the other. Beside the wall clock stands the time of all
cores, which other work on the machine changes less.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

BACKENDS = ("tensorflow", "torch", "jax")
SIZE = (256, 192)


def timed(work):
    """Return what `work` returns, and the seconds it took: wall clock and all cores."""
    wall, cores = time.perf_counter(), time.process_time()
    result = work()
    return result, {"wall": time.perf_counter() - wall, "cores": time.process_time() - cores}


def measure(width: int) -> dict:
    """Return the seconds of every step, on the backend of this process."""
    from kerazoo import backend, models

    build = models.hrnet  # loads keras and the backend
    network, building = timed(lambda: build(width=width, head="heatmap", fuse="nearest", classes=17))
    image = np.random.default_rng(0).uniform(-1, 1, (1, *SIZE, 3)).astype("float32")
    forward = backend.forward(network)
    _, first = timed(lambda: forward(image))
    second = min((timed(lambda: forward(image))[1] for _ in range(3)), key=lambda found: found["wall"])
    return {"layers": len(network.layers), "build": building, "first": first, "next": second}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(measure(options.width)))
        return
    found = {}
    for name in BACKENDS:
        command = [sys.executable, __file__, "--child", "--width", str(options.width)]
        environment = os.environ | {"KERAS_BACKEND": name, "TF_CPP_MIN_LOG_LEVEL": "3"}
        printed = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
        found[name] = json.loads(printed.stdout.splitlines()[-1])
        steps = {step: found[name][step] for step in ("build", "first", "next")}
        text = "  ".join(f"{step} {s['wall']:5.1f} s ({s['cores']:5.1f})" for step, s in steps.items())
        print(f"{name:10}  {found[name]['layers']} layers  {text}")
    if options.output:
        options.output.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
