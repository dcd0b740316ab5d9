"""Skeletons: what is published agrees with itself, a user's own is read from a file or named in a setting."""

import json
import os

import numpy as np
import pydantic
import pytest

from kerazoo import settings
from kerazoo.data.generated.sources import Figures
from kerazoo.errors import UserError
from kerazoo.recipe import parsed
from kerazoo.structures.skeleton import COCO17, COCO18, FACE68, FACE98, KNOWN, MPII, Skeleton, read_skeleton


@pytest.mark.parametrize("name", KNOWN)
def test_a_mirror_image_is_the_same_skeleton(name):
    skeleton = KNOWN[name]
    swapped = skeleton.flip_indices()
    np.testing.assert_array_equal(swapped[swapped], np.arange(len(skeleton.points)))
    limbs = {frozenset(limb) for limb in skeleton.limbs}
    assert {frozenset(swapped[list(limb)].tolist()) for limb in limbs} == limbs
    np.testing.assert_array_equal(skeleton.sigma_per_point()[swapped], skeleton.sigma_per_point())
    assert skeleton.limb_colours().shape == (len(skeleton.limbs), 3)


def test_points_of_other_data_are_taken_by_name():
    rng = np.random.default_rng(0)
    points, visible = rng.random((3, 17, 2), "float32"), rng.integers(0, 3, (3, 17)).astype("uint8")
    there, seen = COCO18.convert_points(COCO17.points, points, visible)
    back, seen_back = COCO17.convert_points(COCO18.points, there, seen)
    np.testing.assert_array_equal(back, points)
    np.testing.assert_array_equal(seen_back, visible)
    np.testing.assert_allclose(there[:, 1], points[:, 5:7].mean(axis=1))
    np.testing.assert_array_equal(seen[:, 1], visible[:, 5:7].min(axis=1))
    assert not MPII.convert_points(COCO17.points, points, visible)[1][:, MPII.points.index("head_top")].any()


@pytest.mark.parametrize("name", KNOWN)
def test_a_setting_names_a_skeleton(name):
    source = Figures(skeleton=name)
    assert source.skeleton == KNOWN[name]
    assert settings.from_plain(json.loads(json.dumps(settings.to_plain(source)))) == source


def test_a_setting_names_a_file(tmp_path):
    path = tmp_path / "own.json"
    path.write_text(
        json.dumps({"points": ["left", "right", "top"], "limbs": [[0, 2], [1, 2]], "flips": [[0, 1]]})
    )
    own = Skeleton(points=("left", "right", "top"), limbs=((0, 2), (1, 2)), flips=((0, 1),))
    assert read_skeleton(path) == own
    assert parsed([f"family.skeleton={path}"]) == {"family.skeleton": own}
    with pytest.raises(UserError, match="no skeleton 'coco': give coco17, .* or a FILE.json with --set"):
        settings.replace(Figures(), {"skeleton": "coco"})
    with pytest.raises(UserError, match=r"cannot open no\.json: no such file"):
        parsed(["data.skeleton=no.json"])


def test_a_run_names_no_file(tmp_path):
    """A stranger's recipe would have any file opened, a pipe too, which waits for ever."""
    path = tmp_path / "own.json"
    path.write_text('{"points": ["nose"]}')
    plain = settings.to_plain(Figures()) | {"skeleton": str(path)}
    with pytest.raises(UserError, match=r"there is no skeleton '.*own\.json'"):
        settings.from_plain(plain)


def test_a_pipe_or_a_large_file_is_no_skeleton(tmp_path):
    os.mkfifo(tmp_path / "pipe.json")
    with pytest.raises(UserError, match=r"pipe\.json is a pipe"):
        read_skeleton(tmp_path / "pipe.json")
    (tmp_path / "large.json").write_text(" " * (1 << 20) + "{}")
    with pytest.raises(UserError, match=r"large\.json has 1048578 bytes"):
        read_skeleton(tmp_path / "large.json")


@pytest.mark.parametrize(
    "points",
    [
        ("nose", "left_ear", "right_ear"),
        ("nose", "ear_left", "ear_right"),
        ("nose", "Left Ear", "Right Ear"),
        ("nose", "LEFT", "RIGHT"),
        ("nose", "leftear", "rightear"),
        ("nose", "L_ear", "R_ear"),
        ("nose", "ear.l", "ear.r"),
        ("nose", "LEar", "REar"),
        ("nose", "earL", "earR"),
        ("nose", "pawL2", "pawR2"),
    ],
)
def test_what_differs_in_left_and_right_changes_places_in_a_mirror(points):
    skeleton = Skeleton(points=points)
    assert skeleton.flips == ((1, 2),)
    assert Skeleton(points=points[::-1]).flips == ((1, 0),)
    assert skeleton.unflipped_points() == []
    assert Skeleton(points=points, flips=()).unflipped_points() == list(points[1:])


def test_other_names_keep_their_places_in_a_mirror():
    assert Skeleton(points=("bright", "Rear", "Lear", "r", "root", "loot")).flips == ()
    assert Skeleton(points=("upright", "left_ear", "nose")).unflipped_points() == ["left_ear"]
    assert settings.from_plain(settings.to_plain(Skeleton(points=("left", "right"), flips=()))).flips == ()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("{", "is no JSON"),
        ("[" * 9999, "nested too deeply"),
        ('{"points": ["a"], "sigmas": [1' + "0" * 400 + "]}", "sigmas"),
        ("[]", "holds no object"),
        ('{"points": ["a"], "limps": []}', "did you mean 'limbs'"),
        ('{"points": ["a", "a"]}', "none of them twice"),
        ('{"points": []}', "needs names"),
        ('{"points": ["a", "b"], "limbs": [[0, 2]]}', "points that do not exist"),
        ('{"points": ["a", "b"], "flips": [[1, 1]]}', "points that do not exist"),
        ('{"points": ["a", "b", "c"], "flips": [[0, 1], [1, 2]]}', "flips moves a point twice"),
        ('{"points": ["a"], "sigmas": [0]}', "above 0"),
        ('{"points": ["a", "b"], "published": ["c"]}', "points that do not exist"),
    ],
)
def test_wrong_files(tmp_path, content, told):
    path = tmp_path / "own.json"
    path.write_text(content)
    with pytest.raises(UserError, match=told) as error:
        read_skeleton(path)
    assert "own.json" in str(error.value)


def test_faces_are_measured_by_their_outer_eye_corners():
    assert FACE68.normalise == (36, 45)
    assert FACE68.annotated_points() == FACE68.points
    assert COCO18.annotated_points() == COCO17.points
    with pytest.raises(pydantic.ValidationError):
        Skeleton(points=("a", "b"), normalise=(0, 2))


def test_the_middle_of_mpiis_body_is_a_line():
    named = {(MPII.points[a], MPII.points[b]) for a, b in MPII.limbs}
    assert {("pelvis", "thorax"), ("thorax", "upper_neck"), ("upper_neck", "head_top")} <= named


@pytest.mark.parametrize(
    ("skeleton", "closed"),
    [
        (FACE68, {(41, 36), (47, 42), (59, 48), (67, 60)}),
        (FACE98, {(41, 33), (50, 42), (67, 60), (75, 68), (87, 76), (95, 88)}),
    ],
)
def test_only_eyes_lips_and_thick_brows_are_closed_contours(skeleton, closed):
    assert {limb for limb in skeleton.limbs if limb[0] > limb[1]} == closed
