"""The five orderings of a residual unit (He et al. 2016, figure 4), trained alike; their curves side by side.

    python benchmarks/orderings.py
    python benchmarks/orderings.py --data cifar-10-batches-bin --depth 110 --output runs/orderings-110

The first takes built-in shapes and the schedule of the recipe resnet20-cifar, made for a CPU. The second
takes the schedule of the papers and wants a GPU. There the papers' test errors are 6.61 % for
`original`, then 8.17, 7.84, 6.71, and 6.37 % for `full_preactivation` (table 2); they train on all
50,000 images, while here a tenth is held back for validation.

From depth 20 on; with 8 layers no stage has a unit that keeps its shape, and `original` is the same network
as `relu_only_preactivation`, `bn_after_addition` the same as `full_preactivation`.

Every ordering is a run in the output folder; given the same folder again, the training goes on where
it was. `orderings.json` and `orderings.png` are written there.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import keras

from kerazoo.engine.evaluate import evaluate
from kerazoo.engine.training.train import resume_training, train
from kerazoo.ordering import ORDERINGS
from kerazoo.recipe import Recipe, load_recipe, overridden
from kerazoo.run import Run, open_run

PAPERS = (
    "epochs=164",
    "batch_size=128",
    "optimizer.name=sgd",
    "optimizer.learning_rate=0.1",
    "optimizer.weight_decay=1e-3",
    "schedule.kind=step",
    "augmentation.shift=4",
)
"""He et al. 2015, section 4.2. Their 1e-4 of weight decay is part of the gradient, which momentum adds up."""

COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00")


def trained(recipe: Recipe, folder: Path) -> Run:
    """Return the run of a recipe; one that exists is finished, or left as it is."""
    if not folder.exists() or open_run(folder).recipe != recipe:
        return train(recipe, folder)
    if open_run(folder).read_json("metrics.json") is None:
        return resume_training(folder)
    return open_run(folder)


def told(run: Run) -> dict[str, Any]:
    """Return what a run came to: the best epoch's test error, and training loss and error per epoch."""
    rows = [json.loads(line) for line in (run.folder / "log.jsonl").read_text().splitlines()]
    return {
        "test_error": 1 - evaluate(run, "test")["accuracy"],
        "seconds": round(sum(row["seconds"] for row in rows)),
        "epochs": [
            {"epoch": row["epoch"], "loss": row["loss"], "error": 1 - row["validation"]["accuracy"]}
            for row in rows
        ],
    }


def draw(results: dict[str, dict[str, Any]], title: str, path: Path) -> None:
    """Draw training loss and validation error over the epochs as a PNG."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(11, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    for colour, (ordering, found) in zip(COLOURS, results.items(), strict=False):
        epochs = [row["epoch"] for row in found["epochs"]]
        label = f"{ordering}, {found['test_error']:.2%}"
        left.plot(epochs, [row["loss"] for row in found["epochs"]], color=colour)
        right.plot(epochs, [100 * row["error"] for row in found["epochs"]], color=colour, label=label)
    left.set(title="training loss", xlabel="epoch")
    right.set(title="validation error, %", xlabel="epoch")
    for axis in (left, right):
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.grid(alpha=0.3)
    right.legend(title="ordering, test error", fontsize="small")
    figure.suptitle(title)
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", help="CIFAR-10's binary files; by default built-in shapes")
    parser.add_argument("--depth", type=int, default=20, choices=(20, 32, 44, 56, 110, 164, 1001))
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=Path("runs/orderings"))
    options = parser.parse_args()
    settings = [*(PAPERS if options.data else ()), f"family.depth={options.depth}", f"seed={options.seed}"]
    if options.epochs:
        settings.append(f"epochs={options.epochs}")
    recipe = overridden(load_recipe("resnet20-cifar"), settings, options.data)
    results = {}
    for ordering in ORDERINGS:
        print(ordering)
        keras.utils.clear_session()
        run = trained(overridden(recipe, [f"family.ordering={ordering}"]), options.output / ordering)
        results[ordering] = told(run)
        text = json.dumps({"settings": settings, "data": options.data, "orderings": results}, indent=2)
        (options.output / "orderings.json").write_text(text + "\n", encoding="utf-8")
        title = f"ResNet-{options.depth} on {options.data or 'built-in shapes'}, {recipe.epochs} epochs"
        draw(results, title, options.output / "orderings.png")
    for ordering, found in sorted(results.items(), key=lambda item: item[1]["test_error"]):
        print(f"{ordering:<24} test error {found['test_error']:.2%}")


if __name__ == "__main__":
    main()
