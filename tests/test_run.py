"""Opening a run: damaged, foreign and dangerous ones."""

import dataclasses
import json
import os
import shutil

import h5py
import keras
import numpy as np
import pytest

from kerazoo.checkpoints.run_weights import WEIGHTS, load_weights, save_weights
from kerazoo.data.generated.sources import Cells
from kerazoo.errors import UserError
from kerazoo.families.siamese import Siamese
from kerazoo.families.siamese.tower import Tower
from kerazoo.families.unetpp import UNetPlusPlus
from kerazoo.files import checksums
from kerazoo.recipe import Recipe
from kerazoo.run import create_run, open_run

FAMILY = UNetPlusPlus(classes=1, filters=(2, 4))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made") / "run"
    create_run(Recipe(family=FAMILY, data=Cells()), folder, FAMILY.build())
    return folder


@pytest.fixture
def folder(made, tmp_path):
    return shutil.copytree(made, tmp_path / "run")


def values(network):
    return [keras.ops.convert_to_numpy(variable) for variable in network.weights]


def test_no_flipped_bit_of_the_weights_is_loaded(folder):
    network, path = FAMILY.build(), folder / WEIGHTS
    content, rng = path.read_bytes(), np.random.default_rng(0)
    for place in rng.integers(8 * len(content), size=200).tolist():
        damaged = bytearray(content)
        damaged[place // 8] ^= 1 << place % 8
        path.write_bytes(damaged)
        with pytest.raises(UserError, match=r"model.weights.h5 is not what was written"):
            load_weights(network, path)
    path.write_bytes(content)
    load_weights(network, path)


def test_sha256sum_reads_the_checksums(folder):
    line = (folder / "SHA256SUMS").read_text()
    assert line == f"{checksums.sha256(folder / WEIGHTS)}  {WEIGHTS}\n"


@pytest.mark.parametrize("killed", ["before", "after"])
def test_a_kill_between_weights_and_checksum_is_harmless(killed, folder, monkeypatch):
    old, new = FAMILY.build(), FAMILY.build()
    load_weights(old, folder / WEIGHTS)
    new.set_weights([value + 1 for value in values(old)])
    step = {"before": "kerazoo.files.writing.move_into_place", "after": "kerazoo.files.checksums.record"}[
        killed
    ]

    def kill(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(step, kill)
        with pytest.raises(KeyboardInterrupt):
            save_weights(new, folder / WEIGHTS)
    opened = open_run(folder).network
    for found, expected in zip(values(opened), values(old if killed == "before" else new), strict=True):
        np.testing.assert_array_equal(found, expected)
    save_weights(old, folder / WEIGHTS)
    assert len((folder / "SHA256SUMS").read_text().splitlines()) == 1


def test_weights_copied_in_by_hand_are_refused_with_what_to_do(folder, tmp_path):
    other = FAMILY.build()
    other.set_weights([value + 1 for value in values(other)])
    save_weights(other, tmp_path / WEIGHTS)
    shutil.copy(tmp_path / WEIGHTS, folder / WEIGHTS)
    remedy = (
        "if you put the file there yourself, trust it in that folder with: sha256sum model.weights.h5 > SHA"
    )
    with pytest.raises(UserError, match=remedy):
        _ = open_run(folder).network
    (folder / "SHA256SUMS").unlink()
    with pytest.raises(UserError, match=r"has no checksum in .*SHA256SUMS"):
        _ = open_run(folder).network
    checksums.record(folder / WEIGHTS)
    for found, expected in zip(values(open_run(folder).network), values(other), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_weights_that_are_not_finite_are_refused(folder):
    with h5py.File(folder / WEIGHTS, "r+") as file:
        names = []
        file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
        file[names[0]][...] = np.nan
    checksums.record(folder / WEIGHTS)
    with pytest.raises(UserError, match="holds weights that are not finite"):
        _ = open_run(folder).network


def test_no_run_is_made_of_weights_that_are_not_finite(tmp_path):
    network = FAMILY.build()
    network.weights[0].assign(np.full(network.weights[0].shape, np.inf))
    with pytest.raises(UserError, match="are not finite"):
        create_run(Recipe(family=FAMILY, data=Cells()), tmp_path / "run", network)
    assert list(tmp_path.iterdir()) == []


def bomb(file):
    file.create_dataset("bomb", shape=(2**30,), dtype="f4", chunks=(2**20,), compression="gzip")


def nest(file):
    group = file
    for _ in range(500):
        group = group.create_group("a")


def circle(file):
    file["again"] = file


def leave(file):
    file["away"] = h5py.ExternalLink("/dev/zero", "/")


@pytest.mark.parametrize(("change", "told"), [(bomb, "its arrays claim"), (nest, "groups are nested deeper")])
def test_weights_that_hold_more_than_the_network(change, told, folder):
    with h5py.File(folder / WEIGHTS, "r+") as file:
        change(file)
    checksums.record(folder / WEIGHTS)
    with pytest.raises(UserError, match=told):
        _ = open_run(folder).network


@pytest.mark.parametrize("change", [circle, leave])
def test_links_in_weights_lead_nowhere(change, folder):
    with h5py.File(folder / WEIGHTS, "r+") as file:
        change(file)
    checksums.record(folder / WEIGHTS)
    assert open_run(folder).network


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("recipe.json", "is not a run folder"),
        (WEIGHTS, "model.weights.h5 is missing"),
        ("log.jsonl", "log.jsonl is a pipe"),
        ("SHA256SUMS", "has no checksum"),
    ],
)
def test_a_pipe_in_a_run_is_not_waited_for(name, told, folder):
    (folder / name).unlink(missing_ok=True)
    os.mkfifo(folder / name)
    with pytest.raises(UserError, match=told):
        opened(folder)


def opened(folder):
    run = open_run(folder)
    return run.network, run.family


def test_a_recipe_of_gigabytes_is_not_read(folder):
    with open(folder / "recipe.json", "r+b") as file:
        file.truncate(1 << 33)
    with pytest.raises(UserError, match="has 8589934592 bytes, more than"):
        open_run(folder)


def verified(folder, lines) -> Recipe:
    family = Siamese(tower=Tower(width=4, embedding=6, features="mean", unit=True), pairs=4, ways=3)
    recipe = Recipe(family=family, data=Cells(), monitor="accuracy")
    run = dataclasses.replace(open_run(folder), recipe=recipe)
    (folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return run.family


def test_the_threshold_of_the_kept_weights_is_read_from_the_log(folder):
    rows = [
        {"epoch": n, "validation": {"accuracy": a, "threshold": n / 10}}
        for n, a in ((1, 0.5), (2, 0.9), (3, 0.7))
    ]
    assert verified(folder, [*rows, {"epoch": 4}]).threshold == 0.2


@pytest.mark.parametrize(
    "row",
    [
        [],
        {"validation": 3},
        {"validation": {"accuracy": [1]}},
        {"validation": {"accuracy": 10**400}},
        {"validation": {"accuracy": 0.9, "threshold": "high"}},
    ],
)
def test_a_log_of_other_types_is_refused(row, folder):
    with pytest.raises(UserError, match=r"log.jsonl|family.threshold"):
        verified(folder, [row])
