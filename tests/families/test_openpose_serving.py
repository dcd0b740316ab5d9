"""The exported graph finds the peaks that parsing finds, and the client in docs/pose.md the people."""

import re
from pathlib import Path

import keras
import numpy as np
import pytest

from kerazoo.engine.export.verify import sample_images
from kerazoo.families.openpose import OpenPose
from kerazoo.families.openpose.codec import targets
from kerazoo.families.openpose.grouping import people
from kerazoo.families.openpose.parser import Parser
from kerazoo.families.openpose.serving import heights_apart
from kerazoo.layers.part_fields import MOST, LimbScores, Peaks
from kerazoo.settings import fields
from kerazoo.structures.skeleton import COCO17, COCO18
from tests.scenes import scene

FAMILY = OpenPose(trunk="mobilenet", width=0.125, height=64)


def client():
    text = (Path(__file__).parents[2] / "docs" / "pose.md").read_text()
    names: dict = {}
    exec(re.search(r"```python\n(import numpy.*?)```", text, re.S)[1], names)
    return names["people"]


@pytest.mark.parametrize("skeleton", [COCO17, COCO18])
def test_the_client_finds_the_people_of_the_maps(skeleton):
    parser, rng, found_by_client = Parser(), np.random.default_rng(7), client()
    find, score = Peaks(parser.peak), LimbScores(skeleton.limbs, 10, parser.agreement, parser.share)
    for _ in range(4):
        truth = scene(rng, skeleton, people=(1, 4))
        maps = targets(truth, (46, 46))
        peaks = find(maps["heatmaps"][None])
        limbs = score([peaks, maps["fields"][None]])
        peaks, limbs = (keras.ops.convert_to_numpy(value)[0] for value in (peaks, limbs))
        assert peaks.shape == (len(skeleton.points), MOST, 3)
        ours = people(maps["heatmaps"], maps["fields"], skeleton, parser)
        theirs = found_by_client(peaks, limbs, fields(skeleton))
        assert len(theirs) == len(ours.points)
        for mine, person in zip(ours.points, theirs, strict=True):
            np.testing.assert_array_equal(mine[:, 2] > 0, person[:, 2] > 0)
            seen = person[:, 2] > 0
            apart = np.abs(person[seen, :2] * 8 + 3.5 - mine[seen, :2])
            assert np.median(apart) < 0.1
            assert apart.max() < 4  # the graph knows no width of Gaussians, which tells more at borders


def test_small_images_and_no_peaks():
    model = FAMILY.serving(FAMILY.build())
    found = model({"image": sample_images(2, 17, 9, 3)}, training=False)
    assert found["peaks"].shape == (2, 18, MOST, 3)
    assert found["limbs"].shape == (2, 19, MOST, MOST)
    none = Peaks(2.0)(np.ones((1, 3, 4, 5), "float32"))
    assert float(keras.ops.max(none[..., 2])) == 0


def test_heights_are_compared_whatever_rounding_makes_a_peak_of():
    """Two equal cells, one peak or two; at the threshold; at the end of what is kept."""
    heights = np.array([0.9, 0.7, 0.5, 0.0])
    assert heights_apart(heights, np.array([0.9, 0.7, 0.7, 0.5]), 0.1) == 0
    assert heights_apart(heights, np.array([0.9, 0.7, 0.5, 0.1000001]), 0.1) == pytest.approx(1e-7, rel=1e-3)
    assert heights_apart(np.array([0.9, 0.8, 0.8, 0.7]), np.array([0.9, 0.8, 0.7, 0.6]), 0.1) == 0
    for wrong in ([0.9, 0.5, 0.0, 0.0], [0.9, 0.7, 0.3, 0.0], [0.9, 0.7, 0.5, 0.3], [0.0] * 4):
        assert heights_apart(heights, np.array(wrong), 0.1) > 0.15
        assert heights_apart(np.array(wrong), heights, 0.1) > 0.15
