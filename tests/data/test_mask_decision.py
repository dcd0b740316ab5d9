"""What masks mean is decided once, over all of them: palettes, alpha, smooth edges, loss, contradictions."""

import json

import numpy as np
import pytest
from PIL import Image

from kerazoo import settings
from kerazoo.data.segmentation.mask_decision import DeclaredClasses, decide_classes
from kerazoo.data.segmentation.mask_files import read_mask
from kerazoo.data.segmentation.masks import MaskClasses, read_class_file
from kerazoo.errors import UserError
from kerazoo.structures.mask import VOID
from tests.data.test_mask_files import palette_image

SHAPE = (48, 64)
COLORS = [(0, 0, 0), (200, 0, 0), (0, 0, 200)]
ENTRIES = [{"name": name, "color": color} for name, color in zip("abc", COLORS, strict=True)]


def scene(index):
    """A disc of class 1 with a core of class 2: uint8 `(48, 64)`."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    down, right = y - 16 - index, x - 20 - 3 * index
    labels = (down**2 + right**2 < 100).astype("uint8")
    labels[(abs(down) < 4) & (abs(right) < 4)] = 2
    return labels


SCENES = [scene(index) for index in range(6)]


def write(folder, images, suffix="png", **options):
    """Write masks and return their paths."""
    folder.mkdir(exist_ok=True)
    for index, image in enumerate(images):
        image = image if isinstance(image, Image.Image) else Image.fromarray(image)
        image.save(folder / f"s{index}.{suffix}", **options)
    return [folder / f"s{index}.{suffix}" for index in range(len(images))]


def understood(paths, told=DeclaredClasses()):  # noqa: B008
    classes, problems, warnings, _ = decide_classes(paths, told, paths[0].parent)
    assert problems == []
    return classes, [classes.labels(read_mask(path), path) for path in paths], warnings


def refused(paths, *words, told=DeclaredClasses()):  # noqa: B008
    problems = list(map(str, decide_classes(paths, told, paths[0].parent).problems))
    assert problems
    assert not [problem for problem in problems if "\n" in problem]
    for word in words:
        assert word in problems[0]
    return problems


def json_classes(folder, entries):
    folder.mkdir(exist_ok=True)
    (folder / "classes.json").write_text(json.dumps(entries))
    return DeclaredClasses(read_class_file(folder / "classes.json"))


def own_order(labels, seed):
    """A palette image in which classes have entries in an order of the file's own."""
    order = np.random.default_rng(seed).permutation(3)
    return palette_image([COLORS[label] for label in order], np.argsort(order)[labels].astype("uint8"))


def test_a_grey_palette_means_its_grey_values_in_any_order(tmp_path):
    white_first = [palette_image([(255,) * 3, (0,) * 3], (labels == 0).astype("uint8")) for labels in SCENES]
    black_first = [palette_image([(0,) * 3, (255,) * 3], (labels > 0).astype("uint8")) for labels in SCENES]
    mixed = [pair[index % 2] for index, pair in enumerate(zip(white_first, black_first, strict=True))]
    classes, labels, _ = understood(write(tmp_path, mixed))
    assert classes.describe() == {"mask values": "0 -> background, 255 -> foreground"}
    np.testing.assert_array_equal(labels, [labels > 0 for labels in SCENES])


def test_one_palette_in_colours_numbers_the_classes(tmp_path):
    classes, labels, _ = understood(write(tmp_path, [palette_image(COLORS, labels) for labels in SCENES]))
    assert classes.describe() == {"palette entries": "0 -> class 0, 1 -> class 1, 2 -> class 2, 255 -> void"}
    assert classes.palette == dict(enumerate(COLORS))
    np.testing.assert_array_equal(labels, SCENES)


def test_palettes_that_differ_are_read_by_the_colours_of_classes_json_or_refused(tmp_path):
    paths = write(tmp_path, [own_order(labels, seed) for seed, labels in enumerate(SCENES)])
    _, labels, _ = understood(paths, json_classes(tmp_path, ENTRIES))
    np.testing.assert_array_equal(labels, SCENES)
    for told in (
        DeclaredClasses(),
        json_classes(tmp_path, [{"name": n, "value": k} for k, n in enumerate("abc")]),
    ):
        refused(paths, "palettes of their own", "s0.png", '"color": [200, 0, 0]', told=told)


def test_a_palette_that_tells_void_and_background_alike_is_read_by_its_entries(tmp_path):
    masks = [np.where(labels == 2, 255, labels).astype("uint8") for labels in SCENES]
    _, labels, _ = understood(
        write(tmp_path, [palette_image([*COLORS[:2], *[(0, 0, 0)] * 254], mask) for mask in masks])
    )
    np.testing.assert_array_equal(labels, masks)


def test_a_run_reads_palettes_by_its_own_and_refuses_others(tmp_path):
    classes, _, _ = understood(write(tmp_path / "a", [palette_image(COLORS, labels) for labels in SCENES]))
    kept = settings.from_plain(json.loads(json.dumps(settings.to_plain(classes))))
    assert kept == classes
    _, labels, _ = understood(write(tmp_path / "b", SCENES), DeclaredClasses(kept))
    np.testing.assert_array_equal(labels, SCENES)
    swapped = [palette_image([COLORS[0], COLORS[2], COLORS[1]], labels) for labels in SCENES]
    refused(write(tmp_path / "c", swapped), "entry 1 is [200, 0, 0] in the run", told=DeclaredClasses(kept))


def test_a_shape_in_the_alpha_channel_is_read_from_there(tmp_path):
    def rgba(labels, alpha):
        return np.dstack([np.full((*SHAPE, 3), 255, "uint8"), np.where(labels, alpha, 0).astype("uint8")])

    paths = write(tmp_path, [*(rgba(labels, 255) for labels in SCENES), rgba(np.zeros(SHAPE), 255)])
    classes, labels, (warning,) = understood(paths)
    assert classes.describe() == {"mask alpha": "0 -> background, 255 -> foreground"}
    np.testing.assert_array_equal(labels[:-1], [labels > 0 for labels in SCENES])
    assert labels[-1].max() == 0
    assert "alpha channel" in warning
    drawn = np.dstack([*[SCENES[0] * 100] * 3, np.full(SHAPE, 255, "uint8")])
    refused(write(tmp_path / "b", [rgba(SCENES[0], 255), drawn]), "s0.png is in its alpha channel", "s1.png")
    refused(paths, "told by colours", told=json_classes(tmp_path, ENTRIES))


def test_smooth_edges_between_two_values_are_parted_in_the_middle(tmp_path):
    def smooth(labels):
        image = Image.fromarray((labels > 0).astype("uint8") * 255).resize(
            (32, 24), Image.Resampling.BILINEAR
        )
        return image.resize((64, 48), Image.Resampling.BILINEAR)

    classes, labels, (warning,) = understood(write(tmp_path, list(map(smooth, SCENES))))
    assert classes.describe() == {"mask values": "0..127 -> background, 128..255 -> foreground"}
    assert "smooth" in warning
    assert np.mean(np.array(labels) == [labels > 0 for labels in SCENES]) > 0.99


def test_jpeg_masks_of_black_and_white_are_parted_in_the_middle(tmp_path):
    masks = [(labels > 0).astype("uint8") * 255 for labels in SCENES]
    classes, labels, warnings = understood(write(tmp_path, masks, "jpg"))
    assert classes.names == ("background", "foreground")
    np.testing.assert_array_equal(labels, [labels > 0 for labels in SCENES])
    assert "6 of 6 masks were compressed with loss" in warnings[0]


def test_jpeg_masks_of_more_classes_need_their_values_and_are_taken_for_the_nearest(tmp_path):
    paths = write(tmp_path, [labels * 10 for labels in SCENES], "jpg")
    refused(paths, "s0.jpg was compressed with loss", '"value": 10')
    told = json_classes(tmp_path, [{"name": name, "value": 10 * k} for k, name in enumerate("abc")])
    _, labels, _ = understood(paths, told)
    assert np.mean(np.array(labels) == SCENES) > 0.97
    clear = np.array(labels) != VOID
    assert np.mean(np.array(labels)[clear] == np.array(SCENES)[clear]) > 0.985


def test_jpeg_masks_of_values_that_are_too_close_are_refused(tmp_path):
    classes, _, _ = understood(write(tmp_path / "a", SCENES))
    binary = write(tmp_path / "b", [(labels > 0).astype("uint8") * 255 for labels in SCENES], "jpg")
    problems = refused(
        binary,
        "s0.jpg was compressed with loss",
        "more than classes differ",
        told=DeclaredClasses(classes),
    )
    assert len(problems) == len(SCENES)


def test_jpeg_masks_in_colours_are_taken_for_the_nearest_where_that_is_clear(tmp_path):
    colors = np.array(COLORS, "uint8")
    paths = write(tmp_path, [colors[labels] for labels in SCENES], "jpg")
    _, labels, (warning,) = understood(paths, json_classes(tmp_path, ENTRIES))
    labels, void = np.array(labels), np.mean(np.array(labels) == VOID)
    assert 0 < void < 0.02
    assert np.mean((labels != SCENES) & (labels != VOID)) < 0.0015
    assert "near no class count for nothing" in warning
    other = write(tmp_path / "b", [np.full((*SHAPE, 3), (0, 180, 0), "uint8")], "jpg")
    classes = read_class_file(tmp_path / "classes.json")
    with pytest.raises(
        UserError, match=r"near none of .* in 100% of its pixels, such as at the colour \[1, 180, 0"
    ):
        classes.labels(read_mask(other[0]), other[0])


def test_ranges_of_values_are_declared(tmp_path):
    entries = [{"name": "low", "range": [0, 99]}, {"name": "high", "range": [150, 255]}]
    told = json_classes(tmp_path, [*entries, {"name": "edge", "range": [100, 149], "void": True}])
    ramp = np.arange(256, dtype="uint8").reshape(16, 16)
    _, (labels,), _ = understood(write(tmp_path, [ramp]), told)
    np.testing.assert_array_equal(labels, np.where(ramp < 100, 0, np.where(ramp < 150, VOID, 1)))


@pytest.mark.parametrize(
    ("entries", "told"),
    [
        ([{"name": "a", "range": [9, 3]}, {"name": "b", "value": 0}], "above its last"),
        ([{"name": "a", "range": [0, 9]}, {"name": "b", "value": 9}], "declares a class twice"),
        ([{"name": "a", "range": [0, 9], "value": 3}, {"name": "b", "value": 10}], 'one of "value", "range"'),
    ],
)
def test_wrong_ranges_are_told(tmp_path, entries, told):
    with pytest.raises(UserError, match=told):
        json_classes(tmp_path, entries)


def test_half_0_and_1_half_0_and_255_is_a_contradiction(tmp_path):
    masks = [(labels > 0).astype("uint8") * (255 if index % 2 else 1) for index, labels in enumerate(SCENES)]
    paths = write(tmp_path, masks)
    refused(paths, "s1.png holds 0 and 255", "s0.png holds 1", "classes.json")
    entries = [
        {"name": "a", "value": 0},
        {"name": "b", "value": 1},
        {"name": "v", "value": 255, "void": True},
    ]
    _, labels, _ = understood(paths, json_classes(tmp_path, entries))
    assert (labels[1] == VOID).sum() == (SCENES[1] > 0).sum()
    classes, _, _ = understood(paths, DeclaredClasses(void=255))
    assert classes.describe() == {"mask values": "0 -> background, 1 -> foreground, 255 -> void"}


def test_1_bit_and_8_bits_of_one_image_mean_the_same(tmp_path):
    white = [labels > 0 for labels in SCENES]
    mixed = [mask if index % 2 else mask.astype("uint8") * 255 for index, mask in enumerate(white)]
    classes, labels, warnings = understood(write(tmp_path / "mixed", mixed))
    assert classes.describe() == {"mask values": "0 -> background, 255 -> foreground"}
    np.testing.assert_array_equal(labels, white)
    assert warnings == []
    bits, _, _ = understood(write(tmp_path / "bits", white))
    _, labels, _ = understood(
        write(tmp_path / "bytes", [mask * np.uint8(255) for mask in white]), DeclaredClasses(bits)
    )
    np.testing.assert_array_equal(labels, white)


def test_the_remedy_for_an_unknown_value_makes_no_class_void(tmp_path):
    classes, _, _ = understood(write(tmp_path / "a", [(labels > 0).astype("uint8") for labels in SCENES]))
    white = write(tmp_path / "b", [(labels > 0).astype("uint8") * 255 for labels in SCENES])
    problems = refused(
        white, 'such as {"name": "foreground", "value": 255} if this value', told=DeclaredClasses(classes)
    )
    assert "void" not in problems[0]


def test_255_beside_a_class_or_alone_is_void(tmp_path):
    masks = [*SCENES[:3], np.full(SHAPE, 255, "uint8")]
    classes, labels, _ = understood(write(tmp_path / "a", masks))
    assert len(classes.names) == 3
    assert (labels[-1] == VOID).all()
    masks = [np.where(labels == 2, 255, labels).astype("uint8") for labels in SCENES]
    classes, _, _ = understood(write(tmp_path / "b", masks))
    assert classes.names == ("background", "foreground")
    binary = write(tmp_path / "c", [(labels > 0).astype("uint8") * 255 for labels in SCENES])
    refused(binary, "s0.png holds 0 and 255, no mask holds 255 beside a class", told=DeclaredClasses(classes))


def test_a_value_that_the_run_does_not_know_is_told(tmp_path):
    classes, _, _ = understood(write(tmp_path / "a", SCENES))
    problems = refused(write(tmp_path / "b", [labels * 2 for labels in SCENES]), "s0.png holds the value 4",
                       "none of 0 -> class 0, 1 -> class 1", told=DeclaredClasses(classes))  # fmt: skip
    assert len(problems) == len(SCENES)


def test_one_value_alone_teaches_nothing(tmp_path):
    for value in (0, 255):
        refused(
            write(tmp_path, [np.full(SHAPE, value, "uint8")]),
            f"hold the value {value} alone",
            "nothing to learn",
        )


def test_gaps_between_labels_are_warned_about(tmp_path):
    _, _, (warning,) = understood(write(tmp_path, [labels * 10 for labels in SCENES]))
    assert "of 21 classes only those of the values 0, 10, 20 occur" in warning


def test_labels_of_many_classes_with_void_are_not_taken_for_smooth_edges(tmp_path):
    mask = np.repeat(np.arange(21, dtype="uint8"), 12).reshape(12, 21)
    mask[:, 0] = 255
    classes, _, _ = understood(write(tmp_path, [mask]))
    assert isinstance(classes, MaskClasses)
    assert len(classes.names) == 21


def test_the_share_of_values_between_two_ends_is_told(tmp_path):
    mask = np.zeros((100, 100), "uint8")
    mask[50:] = 255
    mask[50, :60] = np.arange(20, 230, 3.5)[:60]
    mask[0, :19] = 128
    _, _, (warning,) = understood(write(tmp_path, [mask]))
    assert "(0.79% of the pixels lie between, 0.20% at 128)" in warning


def test_labels_that_do_not_begin_at_0_are_warned_about(tmp_path):
    trimaps = [labels + np.uint8(1) for labels in SCENES]
    classes, _, (warning,) = understood(write(tmp_path, trimaps))
    assert len(classes.names) == 4
    assert "no mask holds 0, so that the first class, class 0, is empty" in warning
    assert understood(write(tmp_path, trimaps), DeclaredClasses(classes))[2] == [
        warning
    ]  # `data check` decides first
    assert understood(write(tmp_path, trimaps), DeclaredClasses(void=255))[2] == [warning]
    entries = json.loads(warning[warning.index("[") : warning.index("]") + 1])
    _, labels, warnings = understood(write(tmp_path, trimaps), json_classes(tmp_path, entries))
    np.testing.assert_array_equal(labels, SCENES)
    assert warnings == []


def test_void_is_told_where_a_mask_holds_it(tmp_path):
    plain, void = write(tmp_path / "a", SCENES), np.where(SCENES[0] == 2, 255, SCENES[0]).astype("uint8")
    assert decide_classes(plain, DeclaredClasses(), tmp_path).facts == {
        "mask values": "0 -> class 0, 1 -> class 1, 2 -> class 2"
    }
    facts = decide_classes(write(tmp_path / "b", [*SCENES, void]), DeclaredClasses(), tmp_path).facts
    assert facts == {"mask values": "0 -> class 0, 1 -> class 1, 2 -> class 2, 255 -> void"}
