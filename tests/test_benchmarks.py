"""What is made of measured speeds: ratios, a table, and what fell."""

import importlib.util
import json
from pathlib import Path

import pytest

from kerazoo import models

FOLDER = Path(__file__).parents[1] / "benchmarks"


def script(name):
    spec = importlib.util.spec_from_file_location(f"benchmarks_{name}", FOLDER / f"{name}.py")
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


@pytest.fixture(scope="module")
def module():
    return script("all")


def told(torch, **others):
    pieces = {"plain-torch": 10.0, "tensorflow": 10.0, "torch": torch, "jax": 5.0}
    speeds = {name: {"train": speed, "data": 1.0} for name, speed in pieces.items()}
    memory = {"plain-torch": 1.0, "tensorflow": 2.0, "torch": 1.5, "jax": 1.25}
    return {"images_per_second": speeds, "gib": memory, "date": "2026-01-02"} | others


def test_ratios_are_of_plain_pytorch_in_the_same_run(module):
    assert module.ratios(told(8.0)) == {
        ("train", "tensorflow"): 1.0,
        ("train", "torch"): 0.8,
        ("train", "jax"): 0.5,
    }


def test_what_fell_by_more_than_a_tenth_is_named(module):
    assert module.fallen(told(8.0), told(7.3)) == []
    assert module.fallen(told(8.0), told(7.0)) == ["train on torch: 0.80 -> 0.70"]
    assert module.fallen(told(7.0), told(8.0)) == []


def test_the_table_has_a_line_for_each_piece(module):
    *_, line = module.table({"unetpp": told(8.0)}).splitlines()
    assert line == "| `unetpp` train | 10.0 | 1.00 | 0.80 | 0.50 | 2.00 1.50 1.25 | 2026-01-02 |"


def test_operations_are_those_of_the_published_network():
    """He et al. 2015, table 1: ResNet-50 has 3.8e9 multiply-adds for 224 x 224; with stride in 3x3, 4.1e9."""
    counted = script("gpu").operations(models.resnet(depth=50), (2, 224, 224, 3))
    assert counted / 2 / 2 == pytest.approx(4.1e9, rel=0.01)


def test_all_kinds_of_recipes_are_measured(tmp_path, capsys):
    names = ["unet-tiny", "cyclegan-tiny", "siamese-tiny", "maml-tiny"]
    output = tmp_path / "gpu.json"
    options = ["--seconds", "0", "--matrix", "64", "--batch", "1", "--no-plain", "--output", str(output)]
    script("gpu").main(["--recipes", *names, *options])
    rows = json.loads(output.read_text())["rows"]
    assert [row["recipe"] for row in rows] == 2 * names
    assert all(row["step"] > 0 and row.get("predict", 1) > 0 for row in rows)
    assert rows[0]["share"] > 0
    assert len(capsys.readouterr().out.splitlines()) == len(rows)
