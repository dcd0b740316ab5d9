"""Every speed that the documentation tells, measured by one command and written where it is read.

    python benchmarks/all.py [--only unetpp maml] [--rounds 3]

Each benchmark runs by itself; the machine should be idle. Its JSON is kept as `benchmarks/NAME.json` with the
date. What fell by more than a tenth, as a ratio to plain PyTorch, is printed. The table in docs/results.md is
made anew from all of them.
"""

import argparse
import datetime
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "results.md"
BEGIN, END = "<!-- speeds: made by benchmarks/all.py -->", "<!-- end of speeds -->"

BENCHMARKS = {
    "unetpp": ["unetpp.py"],
    "centernet": ["centernet.py"],
    "cyclegan": ["cyclegan.py"],
    **{name: ["episodes.py", "--family", name] for name in ("protonet", "maml", "reptile", "siamese")},
}
BACKENDS = {"tensorflow": "TensorFlow", "torch": "PyTorch", "jax": "JAX"}
PIECES = ("train", "predict")

FALLEN = 0.9
"""Share of the ratio before below which a new one is printed."""


def ratios(told: dict[str, Any]) -> dict[tuple[str, str], float]:
    """Return speeds as ratios to plain PyTorch, by piece and backend."""
    speeds = told["images_per_second"]
    return {
        (piece, backend): speeds[backend][piece] / base
        for piece, base in speeds["plain-torch"].items()
        if piece in PIECES
        for backend in BACKENDS
    }


def fallen(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Return a line for each ratio that fell by more than a tenth."""
    old, new = ratios(before), ratios(after)
    return [
        f"{piece} on {backend}: {old[piece, backend]:.2f} -> {ratio:.2f}"
        for (piece, backend), ratio in new.items()
        if ratio < FALLEN * old.get((piece, backend), 0)
    ]


def measured(name: str, rounds: int) -> dict[str, Any]:
    """Run a benchmark and return what it wrote, with the date."""
    file = HERE / f".{name}.json"
    script, *arguments = BENCHMARKS[name]
    command = [sys.executable, str(HERE / script), *arguments, "--rounds", str(rounds), "--output", str(file)]
    subprocess.run(command, check=True, cwd=HERE)
    told = json.loads(file.read_text())
    file.unlink()
    return told | {"date": datetime.date.today().isoformat()}


def table(results: dict[str, dict[str, Any]]) -> str:
    """Return the table of the page: images/s of plain PyTorch, ratios, and memory."""
    lines = [
        "| | plain PyTorch | " + " | ".join(BACKENDS.values()) + " | memory | measured |",
        "|---|---|" + "---|" * len(BACKENDS) + "---|---|",
    ]
    for name, told in results.items():
        memory = " ".join(f"{told['gib'][backend] / told['gib']['plain-torch']:.2f}" for backend in BACKENDS)
        for piece in PIECES:
            if piece not in told["images_per_second"]["plain-torch"]:
                continue
            speed = told["images_per_second"]["plain-torch"][piece]
            found = [f"{ratios(told)[piece, backend]:.2f}" for backend in BACKENDS]
            lines.append(
                f"| `{name}` {piece} | {speed:.1f} | {' | '.join(found)} | {memory} | {told['date']} |"
            )
    return "\n".join(lines)


def main() -> None:
    """Measure, compare with what was kept, keep, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=BENCHMARKS, default=list(BENCHMARKS))
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    for name in options.only:
        file, told = HERE / f"{name}.json", measured(name, options.rounds)
        if file.exists():
            for line in fallen(json.loads(file.read_text()), told):
                print(f"{name}: {line}")
        file.write_text(json.dumps(told, indent=2) + "\n")
    kept = {name: HERE / f"{name}.json" for name in BENCHMARKS}
    results = {name: json.loads(file.read_text()) for name, file in kept.items() if file.exists()}
    before, _, rest = PAGE.read_text().partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n{table(results)}\n{END}{rest.partition(END)[2]}")


if __name__ == "__main__":
    main()
