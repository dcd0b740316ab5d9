"""Images/s of UNet++ on the three backends, as ratios to plain PyTorch in the same run.

    python benchmarks/unetpp.py [--size 128] [--batch 8] [--rounds 5] [--output benchmarks/unetpp.json]

Every contestant is a process of its own. They take turns, `rounds` times, and the best round of
each counts, so that what else the machine does touches all alike. Also: the pruned networks
against the whole one (forward pass).
"""

import argparse
import json
import os
import subprocess
import sys
import time

import numpy as np

FILTERS = (16, 32, 64, 128, 256)
CONTESTANTS = ("plain-torch", "tensorflow", "torch", "jax")


def batch(size: int, count: int, classes: int = 3):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(count, size, size, 3)).astype("float32")
    labels = rng.integers(0, classes, (count, size, size)).astype("uint8")
    return x, {"labels": labels, "weights": np.ones(labels.shape, "float32")}


def plain_torch(size: int, count: int):
    import torch
    from plain_torch import UNetPlusPlus

    torch.manual_seed(0)
    network = UNetPlusPlus(FILTERS, 3, 3)
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    x, y = batch(size, count)
    x = torch.from_numpy(x).permute(0, 3, 1, 2).contiguous()
    labels = torch.from_numpy(y["labels"].astype("int64"))

    def dice(logits):
        hot = torch.nn.functional.one_hot(labels, 3).permute(0, 3, 1, 2)
        p = logits.softmax(1)
        return 1 - (2 * (p * hot).sum((0, 2, 3)) / (p + hot).sum((0, 2, 3))).mean()

    def train():
        network.train()
        optimizer.zero_grad()
        heads = network(x)
        loss = sum(torch.nn.functional.cross_entropy(h, labels) + dice(h) for h in heads) / len(heads)
        loss.backward()
        optimizer.step()
        float(loss)

    def predict():
        network.eval()
        with torch.no_grad():
            network(x)[-1].numpy()

    return {"train": train, "predict": predict}


def kerazoo_network(size: int, count: int):
    from kerazoo import backend
    from kerazoo.families.unetpp import UNetPlusPlus
    from kerazoo.families.unetpp.model import prune
    from kerazoo.optimizer import Optimizer, Schedule, learning_rate

    family = UNetPlusPlus(classes=3, filters=FILTERS, norm=True)
    network = family.build()
    model = family.objective(network)
    rates = learning_rate(1e-3, Schedule(kind="constant"), 10**6, 0)
    model.compile(optimizer=Optimizer().build(rates, mixed=False), jit_compile=backend.jit_training())
    x, y = batch(size, count)

    def train():
        model.fit((pair for pair in [(x, y)] * 3), steps_per_epoch=3, verbose=0, shuffle=False)

    forwards = {"predict": backend.forward(network)}
    if backend.name() == "tensorflow":
        forwards |= {f"predict L{level}": backend.forward(prune(network, level)) for level in (1, 2, 3, 4)}
    return {"train": train} | {name: (lambda f=f: f(x)) for name, f in forwards.items()}


def contestant(name: str, size: int, count: int) -> None:
    """Answer each line of standard input with the images/s of every piece of work."""
    work = (plain_torch if name == "plain-torch" else kerazoo_network)(size, count)
    for run in work.values():
        run()
    print("ready", flush=True)
    for _ in sys.stdin:
        speeds = {}
        for piece, run in work.items():
            steps = 3 if piece == "train" else 1
            repeats = 1 if name != "plain-torch" or piece != "train" else 3
            began = time.perf_counter()
            for _ in range(repeats):
                run()
            speeds[piece] = count * (3 if piece == "train" else steps) / (time.perf_counter() - began)
        print(json.dumps(speeds), flush=True)


def measure(size: int, count: int, rounds: int) -> dict[str, dict[str, float]]:
    best: dict[str, dict[str, float]] = {}
    children = {name: start(name, size, count) for name in CONTESTANTS}
    for child in children.values():
        while (line := child.stdout.readline()).strip() != "ready":
            if not line:
                raise SystemExit("a contestant ended early")
    for _ in range(rounds):
        for name, child in children.items():
            child.stdin.write("go\n")
            child.stdin.flush()
            found = json.loads(child.stdout.readline())
            best[name] = {
                piece: max(speed, best.get(name, {}).get(piece, 0)) for piece, speed in found.items()
            }
    for child in children.values():
        child.stdin.close()
        child.wait()
    return best


def start(name: str, size: int, count: int) -> subprocess.Popen:
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    environment["KERAS_BACKEND"] = name if name != "plain-torch" else "torch"
    command = [sys.executable, __file__, "--contestant", name, "--size", str(size), "--batch", str(count)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    return subprocess.Popen(command, env=environment, **pipes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output")
    parser.add_argument("--contestant", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.contestant:
        contestant(options.contestant, options.size, options.batch)
        return
    best = measure(options.size, options.batch, options.rounds)
    base = best["plain-torch"]
    print(f"UNet++ {FILTERS}, {options.size} x {options.size}, batch {options.batch}; ratio to plain PyTorch")
    for name, speeds in best.items():
        ratios = {
            piece: f"{speeds[piece]:7.1f} images/s ({speeds[piece] / base[piece]:.2f})" for piece in base
        }
        print(f"{name:12} " + "  ".join(f"{piece} {text}" for piece, text in ratios.items()))
    whole = best["tensorflow"]["predict"]
    pruned = {
        piece: speed / whole for piece, speed in best["tensorflow"].items() if piece.startswith("predict L")
    }
    print(
        "pruned, tensorflow, ratio to all heads: " + ", ".join(f"{p[8:]} {r:.2f}" for p, r in pruned.items())
    )
    if options.output:
        with open(options.output, "w", encoding="utf-8") as file:
            json.dump({"images_per_second": best, "pruned_ratio": pruned}, file, indent=2)


if __name__ == "__main__":
    main()
