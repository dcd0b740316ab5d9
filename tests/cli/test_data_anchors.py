"""`kerazoo data anchors`: the shapes of the user's boxes, as text to set and as JSON."""

import json

from click.testing import CliRunner

from kerazoo.cli import main
from kerazoo.recipe import load_recipe, overridden
from tests.cli.runner import kerazoo


def test_anchors_are_told_as_settings():
    lines = kerazoo("data", "anchors", "yolov4-tiny-tiny").splitlines()
    assert lines[0].startswith("for family.size=[64,64]: the shapes of")
    assignments = [line.split()[1] for line in lines[1:]]
    family = overridden(load_recipe("yolov4-tiny-tiny"), assignments).family
    assert len(family.anchors) == 6
    assert family.masks == ((0, 1, 2), (3, 4, 5))


def test_anchors_go_with_the_size_of_the_input():
    once = json.loads(kerazoo("data", "anchors", "yolov4-twin", "--json"))
    size = "family.size=[128,64]"
    twice = json.loads(kerazoo("data", "anchors", "yolov4-twin", "--set", size, "--json"))
    assert twice["family.size"] == [128, 64]
    area, other = (sum(w * h for w, h in told["family.anchors"]) for told in (once, twice))
    assert 1.8 < other / area < 2.2


def test_real_boxes(shared):
    told = json.loads(kerazoo("data", "anchors", "yolov4", "--data", shared / "data" / "bccd", "--json"))
    assert len(told["family.anchors"]) == 9
    assert float(told["because"].split("IoU of ")[1].split()[0]) > 0.7


def test_networks_without_anchors_are_refused():
    result = CliRunner().invoke(main, ["data", "anchors", "centernet-tiny"])
    assert result.exit_code == 2
    assert "the network of centernet-tiny has no anchors" in result.stderr
