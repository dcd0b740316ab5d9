"""TIFF files of all kinds give the right pixels, or say what is missing."""

import itertools
import struct

import numpy as np
import pytest
import tifffile
from PIL import Image

from kerazoo.errors import UserError
from kerazoo.image import USUAL, read_image
from kerazoo.media.pixels import ImageReading
from kerazoo.media.tiff import open_page
from tests.refusals import refusal

Y, X = np.mgrid[:40, :60]
RGB = np.stack([X * 4, Y * 6, np.full_like(X, 90)], -1).astype("uint8")
GREY16 = (Y * 60 + X).astype("uint16")
"""12 bits: 0 to 2399."""


def refused(path, *words, how=USUAL):
    with refusal(path.name, *words) as message:
        read_image(path, how=how)
    assert "damaged" not in message()


def values(path):
    with path.open("rb") as file:
        return open_page(str(path), file).values()


def numbers(kind, channels):
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, 2**62, (37, 45, channels))
    return drawn.astype(kind) if "float" not in kind else rng.standard_normal(drawn.shape).astype(kind)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("planar", ["separate", "contig"])
@pytest.mark.parametrize("kind", ["uint8", "uint16", "int16", "uint32", "float16", "float32", "float64"])
def test_what_is_stored_is_found(tmp_path, kind, planar, order):
    """All layouts that tifffile writes, bit by bit."""
    path = tmp_path / "a.tif"
    for channels, packed, tile, big in itertools.product(
        (2, 5), (None, "deflate"), (None, (32, 16)), (False, True)
    ):
        array = numbers(kind, channels)
        stored = np.moveaxis(array, -1, 0) if planar == "separate" else array
        differences = 2 if packed and "float" not in kind else None
        tifffile.imwrite(path, stored, photometric="minisblack", planarconfig=planar, compression=packed,
                         predictor=differences, tile=tile, byteorder=order, bigtiff=big,
                         rowsperstrip=None if tile else 10)  # fmt: skip
        np.testing.assert_array_equal(values(path), array)


@pytest.mark.parametrize("packed", ["tiff_lzw", "tiff_deflate", "zstd", "packbits"])
def test_what_libtiff_packed_is_found(tmp_path, packed):
    Image.fromarray(GREY16).save(tmp_path / "a.tif", compression=packed)
    np.testing.assert_array_equal(values(tmp_path / "a.tif")[..., 0], GREY16)
    if packed != "packbits":
        image = Image.fromarray((GREY16 / 7).astype("float32"))
        image.save(tmp_path / "b.tif", compression=packed, tiffinfo={317: 3})
        np.testing.assert_array_equal(values(tmp_path / "b.tif")[..., 0], np.array(image))


@pytest.mark.parametrize("planar", ["separate", "contig"])
@pytest.mark.parametrize("bits", [8, 16])
def test_colours_with_and_without_near_infrared_are_right(tmp_path, bits, planar):
    path = tmp_path / "a.tif"
    for bands, packed, tile, order in itertools.product((3, 4), (None, "deflate"), (None, (32, 32)), "<>"):
        array = np.dstack([RGB, RGB[..., : bands - 3]])
        array = array.astype("uint16") * 257 if bits == 16 else array
        stored = np.moveaxis(array, -1, 0) if planar == "separate" else array
        tifffile.imwrite(path, stored, photometric="rgb", planarconfig=planar, compression=packed, tile=tile,
                         byteorder=order, extrasamples=[0] * (bands - 3))  # fmt: skip
        np.testing.assert_array_equal(read_image(path), RGB)
    nir = read_image(path, how=ImageReading(bands=(3, 0, 1)))
    np.testing.assert_array_equal(nir, RGB[..., [0, 0, 1]])
    assert nir.flags.c_contiguous
    assert nir.flags.writeable


@pytest.mark.parametrize("options", [{}, {"imagej": True}], ids=["plain", "ImageJ"])
def test_where_0_is_white_both_depths_look_as_in_a_viewer(tmp_path, options):
    for kind, seen in (("uint8", 255 - (GREY16 // 10)), ("uint16", 255 - GREY16 // 256)):
        array = (GREY16 // 10).astype("uint8") if kind == "uint8" else GREY16
        tifffile.imwrite(tmp_path / "a.tif", array, **options)
        data = (tmp_path / "a.tif").read_bytes()
        white = data.replace(struct.pack("<HHII", 262, 3, 1, 1), struct.pack("<HHII", 262, 3, 1, 0))
        (tmp_path / "a.tif").write_bytes(white)
        assert white != data
        np.testing.assert_array_equal(read_image(tmp_path / "a.tif")[..., 0], seen)
    stretched = read_image(tmp_path / "a.tif", how=ImageReading(range=(0, 2399)))
    assert (stretched[0, 0, 0], stretched[-1, -1, 0]) == (255, 0)


def test_of_several_pages_one_is_to_be_chosen(tmp_path):
    stack = np.stack([np.full((8, 9), level, "uint8") for level in (10, 20, 30)])
    for name, options in (("a.tif", {}), ("imagej.tif", {"imagej": True, "metadata": {"axes": "ZYX"}})):
        tifffile.imwrite(tmp_path / name, stack, photometric="minisblack", **options)
        refused(tmp_path / name, "3 pages", "data.page=0 (to 2)")
        assert read_image(tmp_path / name, how=ImageReading(page=2)).max() == 30
        refused(tmp_path / name, "no page 3", how=ImageReading(page=3))


def test_overviews_and_masks_of_transparency_are_no_pages(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(RGB, photometric="rgb")
        file.write(RGB[::2, ::2], photometric="rgb", subfiletype=1)
        file.write(RGB[..., 0] > 9, photometric="mask", subfiletype=4)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), RGB)


def test_channels_that_imagej_keeps_as_pages(tmp_path):
    three = np.moveaxis(RGB, -1, 0)
    tifffile.imwrite(tmp_path / "a.tif", three, imagej=True, metadata={"axes": "CYX"})
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), RGB)
    tifffile.imwrite(tmp_path / "b.tif", three[:2], imagej=True, metadata={"axes": "CYX"})
    refused(tmp_path / "b.tif", "2 channels", "data.bands=[0]")
    np.testing.assert_array_equal(
        read_image(tmp_path / "b.tif", how=ImageReading(bands=(1,)))[..., 2], three[1]
    )
    np.testing.assert_array_equal(read_image(tmp_path / "b.tif", how=ImageReading(page=1))[..., 2], three[1])


@pytest.mark.parametrize("channels", [2, 4, 5])
def test_channels_that_nobody_calls_colours_are_to_be_chosen(tmp_path, channels):
    array = np.dstack([RGB, RGB])[..., :channels]
    tifffile.imwrite(tmp_path / "a.tif", array, photometric="minisblack", planarconfig="contig")
    refused(tmp_path / "a.tif", f"{channels} channels", "data.bands")
    chosen = read_image(tmp_path / "a.tif", how=ImageReading(bands=(channels - 1, 1, 0)))
    np.testing.assert_array_equal(chosen, array[..., [channels - 1, 1, 0]])
    refused(tmp_path / "a.tif", "no channel 9", how=ImageReading(bands=(9,)))


@pytest.mark.parametrize("kind", ["int8", "int16", "uint32", "int32", "float16", "float32", "float64"])
def test_numbers_of_which_nobody_says_what_is_white(tmp_path, kind):
    array = np.array([[0, 25, 50], [75, 100, 110]]).astype(kind)
    tifffile.imwrite(tmp_path / "a.tif", array)
    refused(tmp_path / "a.tif", kind, "data.range=[LOW,HIGH]")
    image = read_image(tmp_path / "a.tif", how=ImageReading(range=(25, 100)))
    np.testing.assert_array_equal(image[..., 0], [[0, 0, 85], [170, 255, 255]])


def test_twelve_bits_are_stretched(tmp_path):
    for name, array in (("grey.tif", GREY16), ("colours.tif", np.dstack([GREY16] * 3))):
        tifffile.imwrite(tmp_path / name, array)
        np.testing.assert_array_equal(read_image(tmp_path / name)[..., 1], GREY16 // 256)
        stretched = read_image(tmp_path / name, how=ImageReading(range=(0, 4095)))
        np.testing.assert_array_equal(stretched[..., 1], np.rint(GREY16 * (255 / 4095)).astype("uint8"))


def test_not_a_number_is_black(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.array([[np.nan, np.inf, -np.inf, 0.5]], "float32"))
    image = read_image(tmp_path / "a.tif", how=ImageReading(range=(0, 1)))
    assert image[0, :, 0].tolist() == [0, 255, 0, 128]


@pytest.mark.parametrize("kind", ["uint8", "uint16"])
def test_an_orientation_is_applied_at_any_depth(tmp_path, kind):
    array = (GREY16 // 10).astype(kind)
    tifffile.imwrite(tmp_path / "a.tif", array, extratags=[(274, "H", 1, 6, True)])
    seen = array >> 8 if kind == "uint16" else array
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif")[..., 0], np.rot90(seen, -1))


def test_colours_multiplied_by_their_opacity_are_divided_by_it(tmp_path):
    alpha = np.full(RGB.shape[:2], 0x8000, "uint16")
    half = np.dstack([RGB.astype("uint16") * 257 // 2, alpha])
    tifffile.imwrite(tmp_path / "a.tif", half, photometric="rgb", extrasamples=[1])
    assert np.abs(read_image(tmp_path / "a.tif").astype(int) - RGB).max() <= 1


def test_other_tags_may_be_damaged(tmp_path):
    nowhere = [
        (34665, "I", 1, 99_999_999, True),
        (34853, "I", 1, 3, True),
        (42112, "s", 9, b"\xff" * 8, True),
    ]
    tifffile.imwrite(tmp_path / "a.tif", RGB, extratags=nowhere)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), RGB)


@pytest.mark.parametrize(
    ("tag", "value", "told"),
    [(259, 34712, "compressed as JPEG 2000"), (259, 50001, "compressed as WebP"), (259, 777, "scheme 777")],
)
def test_a_compression_that_is_not_read_is_named(tmp_path, tag, value, told):
    tifffile.imwrite(tmp_path / "a.tif", RGB)
    data = (tmp_path / "a.tif").read_bytes()
    assert struct.pack("<HHII", tag, 3, 1, 1) in data
    data = data.replace(struct.pack("<HHII", tag, 3, 1, 1), struct.pack("<HHII", tag, 3, 1, value))
    (tmp_path / "a.tif").write_bytes(data)
    refused(tmp_path / "a.tif", told)


def test_too_many_numbers_are_refused_before_anything_is_decoded(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((20, 20, 9), "uint16"), planarconfig="contig")
    with pytest.raises(UserError, match="20 x 20 pixels, more than the 100"):
        read_image(tmp_path / "a.tif", max_pixels=100)
    with pytest.raises(UserError, match="holds 3600 numbers, more than 1600"):
        read_image(tmp_path / "a.tif", max_pixels=400, how=ImageReading(bands=(0,)))


def test_a_deep_file_that_is_cut_is_refused(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.dstack([GREY16] * 5), planarconfig="separate")
    whole = (tmp_path / "a.tif").read_bytes()
    for share in (0.02, 0.1, 0.5, 0.9, 0.98):
        (tmp_path / "a.tif").write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(UserError, match="truncated or damaged"):
            read_image(tmp_path / "a.tif", how=ImageReading(bands=(0,)))
