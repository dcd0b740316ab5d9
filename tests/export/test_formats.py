"""Families without probabilities in every format: exported as they are, or refused with the true reason.

Those with probabilities are in `tests/export/test_export.py`.
"""

import pytest

from kerazoo.data.generated.sources import Cells
from kerazoo.engine.export import export, report
from kerazoo.errors import UserError
from kerazoo.recipe import Recipe
from kerazoo.run import create_run
from tests.export.test_export import FAMILIES, KINDS, made_run, on_tensorflow
from tests.tiny import TINY

OUTPUTS = {
    "centernet": {"boxes", "scores", "classes", "count"},
    "yolov4": {"boxes", "scores", "classes", "count"},
    "yolov4-tiny": {"boxes", "scores", "classes", "count"},
    "protonet": {"embedding"},
    "siamese": {"embedding"},
    "siamese-triplet": {"embedding"},
    "siamese-l1": {"embedding"},
    "cyclegan": {"AtoB", "BtoA"},
    "openpose": {"peaks", "limbs", "heatmaps", "fields"},
    "hrnet-pose": {"keypoints", "heatmaps"},
}
REFUSED = dict.fromkeys(("maml", "reptile"), "knows no classes by itself; .* kerazoo adapt RUN")
"""What they are asked is decided by images that they are shown first."""

QUICK = [("protonet", "keras"), ("maml", "keras"), ("reptile", "onnx")]


def test_every_family_is_exported_or_refused():
    assert FAMILIES.keys() | OUTPUTS.keys() | REFUSED.keys() >= TINY.keys()


def run_of(name, folder):
    if name == "cyclegan":  # whose instance norms make much of the rounding in random weights
        return create_run(Recipe(family=TINY[name], data=Cells()), folder, TINY[name].build())
    return made_run(TINY[name], folder, gain=0.6)


@on_tensorflow
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        pytest.param(name, kind, marks=[] if (name, kind) in QUICK else pytest.mark.slow)
        for name in (*OUTPUTS, *REFUSED)
        for kind in KINDS
    ],
)
def test_every_other_family_in_every_format(name, kind, tmp_path):
    run = run_of(name, tmp_path / "run")
    if name in REFUSED:
        with pytest.raises(UserError, match=REFUSED[name]):
            export(run, kind)
        return
    told = report(export(run, kind))
    assert told["format"] == kind
    assert told["outputs"].keys() == OUTPUTS[name]
    assert told["largest_difference"] <= told["tolerance"]
