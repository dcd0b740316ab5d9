"""The verb evaluate on a pose network: scores, and results that COCO's own tools read."""

import json
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from faster_coco_eval import COCO, COCOeval_faster

from kerazoo import backend
from kerazoo.data.source import Source
from kerazoo.engine.evaluate import evaluate, table
from kerazoo.run import Run
from kerazoo.settings import settings
from kerazoo.structures.keypoints import People, Poses
from kerazoo.structures.sample import Sample
from kerazoo.structures.skeleton import COCO17, Skeleton
from kerazoo.tasks.pose import Pose

PEOPLE = np.random.default_rng(0).uniform(10, 90, (4, 17, 2)).astype("float32")


@settings
class Four(Source):
    """Images 101 to 104 with a person each, of category 7."""

    skeleton: Skeleton = COCO17

    def samples(self, split):
        visible, box = np.full((1, 17), 2, "uint8"), np.array([[10, 10, 80, 80]], "float32")
        return [
            Sample(
                np.full((100, 100, 3), number, "uint8"),
                People(
                    PEOPLE[number][None],
                    visible,
                    box,
                    np.full(1, 6400.0, "float32"),
                    COCO17,
                    image=101 + number,
                    category=7,
                ),
                f"{101 + number}.png",
            )
            for number in range(4)
        ]

    def class_names(self):
        return self.skeleton.points


@settings
class Guess(Pose):
    """Knows the images by their grey, and is right about as many points as that says."""

    def build(self):
        x = keras.Input((None, None, 3))
        return keras.Model(x, {"same": keras.layers.Identity()(x)})

    def infer(self, forward, images, options):
        for image in images:
            number = int(image[0, 0, 0])
            points = np.concatenate([PEOPLE[number], np.ones((17, 1))], axis=-1)[None]
            points[:, : 4 * number, 0] += 200.0
            yield Poses(points.astype("float32"), np.array([0.9 - 0.1 * number], "float32"))

    prepare = encode = objective = decode = serving = None


@pytest.fixture
def run(tmp_path):
    """What evaluate needs of a run."""
    family = Guess()
    stub = SimpleNamespace(folder=tmp_path, family=family, forward=backend.forward(family.build()))
    stub.recipe = SimpleNamespace(family=family, data=Four(), tile=None)
    stub.write_json = lambda name, value: Run.write_json(stub, name, value)
    return stub


def test_evaluate_writes_what_cocos_own_tool_reads(run):
    scores = evaluate(run)
    assert scores["ap50"] == pytest.approx(0.75, abs=0.01)
    assert json.loads((run.folder / "evaluation-val.json").read_text()) == scores
    assert (run.folder / "evaluation-val.png").stat().st_size > 0
    results = run.folder / "evaluation-val-coco.json"
    assert [each["image_id"] for each in json.loads(results.read_text())] == [101, 102, 103, 104]
    people = [
        {"id": number + 1, "image_id": 101 + number, "category_id": 7, "iscrowd": 0, "area": 6400.0}
        | {"bbox": [10, 10, 80, 80], "num_keypoints": 17}
        | {"keypoints": [float(x) for point in points for x in (*point, 2)]}
        for number, points in enumerate(PEOPLE)
    ]
    images = [{"id": each["image_id"]} for each in people]
    truth = COCO({"images": images, "categories": [{"id": 7}], "annotations": people})
    evaluation = COCOeval_faster(truth, truth.loadRes(str(results)), "keypoints")
    evaluation.run()
    assert evaluation.stats[0] == pytest.approx(scores["ap"], abs=1e-12)


def test_the_table_has_a_line_per_point(run):
    lines = table(evaluate(run)).splitlines()
    assert any(line.startswith("ap50") for line in lines)
    head = next(number for number, line in enumerate(lines) if line.startswith("class"))
    assert lines[head].split() == ["class", "point_pck"]
    assert [line.split()[0] for line in lines[head + 1 :]] == list(COCO17.points)
    assert len({len(line) for line in lines[head:]}) == 1
