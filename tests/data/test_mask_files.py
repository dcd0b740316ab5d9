"""What is read of mask files: every format's values, palettes, transparency, and what is refused."""

import contextlib
import io

import numpy as np
import pytest
import tifffile
from PIL import Image

from kerazoo.data.segmentation.mask_files import (
    channel_values,
    object_numbers,
    read_mask,
    summarise_mask,
    unpack_color,
)
from kerazoo.errors import UserError
from kerazoo.image import write_image
from tests.refusals import refusal
from tests.test_image import BLOCKS, RAMP16, png

LABELS = np.kron(np.arange(4).reshape(2, 2), np.ones((6, 8), int)).astype("uint8")


def palette_image(entries, indices=LABELS):
    image = Image.frombytes("P", indices.shape[::-1], indices.tobytes())
    image.putpalette([part for color in entries for part in color])
    return image


def saved(path, image, **options):
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    image.save(path, **options)
    return path


def refused(path, *words, use=read_mask):
    with refusal(path, *words):
        use(path)


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.tif", "a.gif"])
def test_lossless_formats_give_the_values(tmp_path, name):
    mask = read_mask(saved(tmp_path / name, LABELS))
    np.testing.assert_array_equal(channel_values(mask, "values", tmp_path / name), LABELS)
    assert not mask.lossy


@pytest.mark.parametrize("depth", [2, 4])
def test_values_of_few_bits_are_what_is_stored(tmp_path, depth):
    values = np.arange(8 * 16, dtype="uint8").reshape(8, 16) % 2**depth
    packed = sum(values[:, k :: 8 // depth].astype(int) << (8 - depth * (k + 1)) for k in range(8 // depth))
    rows = b"".join(b"\0" + row.astype("uint8").tobytes() for row in packed)
    (tmp_path / "a.png").write_bytes(png(16, 8, depth, 0, rows))
    np.testing.assert_array_equal(read_mask(tmp_path / "a.png").pixels, values)


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.tif", "a.pbm", "a.gif"])
def test_black_and_white_of_1_bit_is_0_and_255_in_every_format(tmp_path, name):
    path = saved(tmp_path / name, Image.fromarray(LABELS > 1))
    np.testing.assert_array_equal(channel_values(read_mask(path), "values", path), (LABELS > 1) * 255)


def test_sixteen_bits_and_colours_are_kept(tmp_path):
    write_image(tmp_path / "a.png", RAMP16)
    mask = read_mask(tmp_path / "a.png")
    assert mask.pixels.dtype == np.uint16
    np.testing.assert_array_equal(mask.pixels, RAMP16)
    write_image(tmp_path / "b.png", BLOCKS)
    np.testing.assert_array_equal(read_mask(tmp_path / "b.png").pixels, BLOCKS)


@pytest.mark.parametrize("dtype", ["int32", "float32"])
def test_whole_numbers_of_32_bits_are_read(tmp_path, dtype):
    path = saved(tmp_path / "a.tif", (LABELS * 40_000.0).astype(dtype))
    np.testing.assert_array_equal(read_mask(path).pixels, LABELS.astype(int) * 40_000)
    np.testing.assert_array_equal(object_numbers(read_mask(path), path), LABELS.astype(int) * 40_000)


@pytest.mark.parametrize("dtype", ["<u2", ">u2", "i2", ">u4", "f2", "f8"])
def test_tiffs_of_any_depth_hold_their_values(tmp_path, dtype):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, LABELS.astype(dtype), byteorder=">" if dtype[0] == ">" else "<")
    pixels = read_mask(path).pixels
    assert pixels.dtype.isnative
    np.testing.assert_array_equal(pixels, LABELS)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_tiffs_in_which_0_is_white_are_inverted_at_any_depth(tmp_path, dtype):
    white = np.iinfo(dtype).max
    tifffile.imwrite(tmp_path / "a.tif", LABELS.astype(dtype) * 20, photometric="miniswhite")
    np.testing.assert_array_equal(read_mask(tmp_path / "a.tif").pixels, white - LABELS.astype(dtype) * 20)


def test_channels_of_tiffs_are_colours_and_alpha(tmp_path):
    colors, path = np.dstack([LABELS * 50, LABELS, LABELS]), tmp_path / "a.tif"
    tifffile.imwrite(path, np.moveaxis(colors, -1, 0), photometric="rgb", planarconfig="separate")
    np.testing.assert_array_equal(read_mask(path).pixels, colors)
    shaped = np.dstack([np.full_like(LABELS, 255), LABELS * 80]).astype("uint16") * 257
    tifffile.imwrite(path, shaped, photometric="minisblack", extrasamples=["unassalpha"])
    mask = read_mask(path)
    assert set(mask.pixels.ravel().tolist()) == {65535}
    np.testing.assert_array_equal(mask.alpha, LABELS * 80)
    tifffile.imwrite(path, colors.astype("uint16"), photometric="rgb")
    refused(path, "3 channels of 16 bits", "in colours of 8 bits")


def test_a_palette_keeps_its_colours(tmp_path):
    colors = [(255, 255, 255), (0, 0, 0), (200, 0, 0), (0, 0, 200)]
    path = saved(tmp_path / "a.png", palette_image(colors))
    mask = read_mask(path)
    np.testing.assert_array_equal(mask.pixels, LABELS)
    assert [unpack_color(int(color)) for color in mask.palette[:5]] == [*colors, (0, 0, 0)]
    np.testing.assert_array_equal(channel_values(mask, "indices", path), LABELS)
    red = channel_values(mask, "colors", path)[LABELS == 2]
    assert set(red.tolist()) == {200 << 16}
    refused(path, "colours", use=lambda path: channel_values(mask, "values", path))


def test_a_grey_palette_has_grey_values(tmp_path):
    path = saved(tmp_path / "a.png", palette_image([(255,) * 3, (0,) * 3, (7,) * 3, (9,) * 3]))
    np.testing.assert_array_equal(
        channel_values(read_mask(path), "values", path), np.array([255, 0, 7, 9], "uint8")[LABELS]
    )


def test_transparency_is_kept(tmp_path):
    alpha = LABELS * 85
    rgba = np.dstack([*[np.full_like(LABELS, 255)] * 3, alpha])
    for name, image, options in [
        ("rgba.png", Image.fromarray(rgba, "RGBA"), {}),
        ("la.png", Image.fromarray(rgba[..., 2:], "LA"), {}),
        ("p.png", palette_image([(255,) * 3] * 4), {"transparency": bytes([0, 85, 170, 255])}),
    ]:
        path = saved(tmp_path / name, image, **options)
        np.testing.assert_array_equal(channel_values(read_mask(path), "alpha", path), alpha)
        assert summarise_mask(path).is_uniform
    path = saved(tmp_path / "opaque.png", LABELS)
    refused(path, "no alpha channel", use=lambda path: channel_values(read_mask(path), "alpha", path))


@pytest.mark.parametrize(
    ("name", "options", "lossy"),
    [
        ("a.jpg", {}, True),
        ("a.webp", {}, True),
        ("b.webp", {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0"}, True),
        ("c.webp", {"lossless": True}, False),
        ("d.webp", {"lossless": True, "exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0"}, False),
        ("a.tif", {"compression": "jpeg"}, True),
        ("b.tif", {"compression": "tiff_lzw"}, False),
    ],
)
def test_files_whose_compression_changes_values_are_known(tmp_path, name, options, lossy):
    mask = read_mask(saved(tmp_path / name, LABELS * 85, **options))
    assert mask.lossy is lossy
    assert np.abs(mask.pixels.astype(int) - LABELS * 85).max() <= (40 if lossy else 0)


def test_what_is_no_mask_is_refused(tmp_path):
    refused(saved(tmp_path / "a.tif", LABELS / np.float32(2)), "holds fractions")
    pages = {"save_all": True, "append_images": [Image.fromarray(LABELS + 1)]}
    refused(saved(tmp_path / "b.tif", LABELS, **pages), "holds 2 pages")
    refused(saved(tmp_path / "b.gif", LABELS * 60, **pages), "holds 2 pages")
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in np.dstack([RAMP16] * 3))
    (tmp_path / "c.png").write_bytes(png(48, 32, 16, 2, rows))
    refused(tmp_path / "c.png", "several channels of 16 bits")


def test_what_numbers_no_objects_is_refused(tmp_path):
    def use(path):
        return object_numbers(read_mask(path), path)

    refused(saved(tmp_path / "a.jpg", LABELS), "compressed with loss", use=use)
    refused(saved(tmp_path / "b.png", BLOCKS), "holds colours", use=use)
    refused(saved(tmp_path / "c.tif", LABELS.astype("int32") - 1), "holds the number -1", use=use)
    shape = np.dstack([*[np.full_like(LABELS, 255)] * 3, LABELS])
    refused(saved(tmp_path / "d.png", Image.fromarray(shape, "RGBA")), "alpha channel", use=use)


def test_objects_in_palettes_are_numbered_by_entry_where_the_first_is_black(tmp_path):
    black = saved(tmp_path / "a.png", palette_image([(0, 0, 0), (255, 0, 0), (0, 255, 0), (0, 0, 255)]))
    np.testing.assert_array_equal(object_numbers(read_mask(black), black), LABELS)
    grey = saved(tmp_path / "b.png", palette_image([(3,) * 3, (0,) * 3, (1,) * 3, (2,) * 3]))
    np.testing.assert_array_equal(object_numbers(read_mask(grey), grey), np.array([3, 0, 1, 2])[LABELS])
    coloured = saved(tmp_path / "c.png", palette_image([(9, 0, 0), (0, 0, 0), (1, 0, 0), (2, 0, 0)]))
    refused(coloured, "colours", use=lambda path: object_numbers(read_mask(path), path))


def test_a_summary_counts_values_and_is_made_anew_when_the_file_changes(tmp_path):
    path = saved(tmp_path / "a.png", LABELS)
    assert summarise_mask(path) is summarise_mask(path)
    assert dict(zip(*map(np.ndarray.tolist, summarise_mask(path).stored), strict=True)) == dict.fromkeys(
        range(4), 48
    )
    saved(path, np.minimum(LABELS, 2))
    assert summarise_mask(path).stored.counts.tolist() == [48, 48, 96]


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "bmp", "gif", "webp"])
def test_truncated_and_damaged_files_are_refused_or_read(tmp_path, suffix):
    noise, buffer = np.random.default_rng(1).integers(0, 256, (64, 64, 3), "uint8"), io.BytesIO()
    Image.fromarray(noise).save(buffer, {"jpg": "jpeg", "tif": "tiff"}.get(suffix, suffix))
    whole, path = buffer.getvalue(), tmp_path / f"a.{suffix}"
    for share in (0.02, 0.1, 0.5, 0.9, 0.98):
        path.write_bytes(whole[: int(len(whole) * share)])
        refused(path)
    rng = np.random.default_rng(2)
    for _ in range(40):
        damaged = np.frombuffer(whole, "uint8").copy()
        damaged[rng.integers(0, min(len(whole), 400), 6)] = rng.integers(0, 256, 6)
        path.write_bytes(damaged.tobytes())
        with contextlib.suppress(UserError):
            assert read_mask(path, max_pixels=10**6).pixels.ndim in (2, 3)
