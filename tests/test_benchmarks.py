"""What is made of measured speeds: ratios, a table, and what fell."""

import importlib.util
from pathlib import Path

import pytest

PATH = Path(__file__).parents[1] / "benchmarks" / "all.py"


@pytest.fixture(scope="module")
def module():
    spec = importlib.util.spec_from_file_location("benchmarks_all", PATH)
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


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
