"""The one way an image is read: every policy, every refusal."""

import contextlib
import errno
import os
import struct
import time
import zlib
from pathlib import Path

import numpy as np
import pydantic
import pytest
from PIL import Image

from kerazoo.errors import UserError
from kerazoo.files.writing import atomic_bytes, atomic_text
from kerazoo.image import MAX_PIXELS, image_size, read_image, write_image
from kerazoo.media.pixels import ImageReading
from tests.refusals import refusal

BLOCKS = np.kron(np.random.default_rng(0).integers(0, 256, (4, 6, 3)), np.ones((8, 8, 1))).astype("uint8")
RAMP16 = (np.arange(32 * 48).reshape(32, 48) * 42).astype("uint16")
LUMA = np.array(Image.fromarray(BLOCKS).convert("L"))


def png(width: int, height: int, depth: int, colour: int, data: bytes) -> bytes:
    """A PNG made by hand."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def refused(path: Path, *words: str) -> None:
    with refusal(path, *words):
        read_image(path)


@pytest.mark.parametrize(
    ("name", "options"),
    [("a.png", {}), ("a.bmp", {}), ("a.tif", {"compression": "tiff_lzw"}), ("a.webp", {"lossless": True})],
)
def test_lossless_formats_give_the_pixels(tmp_path, name, options):
    Image.fromarray(BLOCKS).save(tmp_path / name, **options)
    image = read_image(tmp_path / name)
    assert image.dtype == np.uint8
    assert image.flags.writeable
    np.testing.assert_array_equal(image, BLOCKS)


def test_a_jpeg_is_close(tmp_path):
    Image.fromarray(BLOCKS).save(tmp_path / "a.jpg", quality=95, subsampling=0)
    assert np.abs(read_image(tmp_path / "a.jpg").astype(int) - BLOCKS).max() < 12


@pytest.mark.parametrize(
    ("orientation", "seen"),
    [
        (1, BLOCKS), (2, BLOCKS[:, ::-1]), (3, BLOCKS[::-1, ::-1]), (4, BLOCKS[::-1]),
        (5, BLOCKS.transpose(1, 0, 2)), (6, np.rot90(BLOCKS, -1)),
        (7, BLOCKS[::-1, ::-1].transpose(1, 0, 2)), (8, np.rot90(BLOCKS)),
    ],
)  # fmt: skip
@pytest.mark.parametrize("suffix", ["png", "jpg", "tif"])
def test_exif_orientation_is_applied(tmp_path, orientation, seen, suffix):
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"quality": 95, "subsampling": 0} if suffix == "jpg" else {}
    Image.fromarray(BLOCKS).save(tmp_path / f"a.{suffix}", exif=exif, **options)
    image = read_image(tmp_path / f"a.{suffix}")
    assert image.shape == (*image_size(tmp_path / f"a.{suffix}"), 3) == seen.shape
    assert np.abs(image.astype(int) - seen).max() < 12


def test_grey_becomes_three_equal_channels(tmp_path):
    Image.fromarray(LUMA).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), np.dstack([LUMA] * 3))


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_of_sixteen_grey_bits_the_upper_eight_are_kept(tmp_path, suffix):
    Image.fromarray(RAMP16).save(tmp_path / f"a.{suffix}")
    np.testing.assert_array_equal(read_image(tmp_path / f"a.{suffix}")[..., 1], RAMP16 // 256)


def test_of_sixteen_colour_bits_the_upper_eight_are_kept(tmp_path):
    colours = np.dstack([RAMP16, RAMP16[::-1], RAMP16[:, ::-1]])
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in colours)
    (tmp_path / "a.png").write_bytes(png(48, 32, 16, 2, rows))
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), colours // 256)


def test_what_is_white_of_sixteen_bits_can_be_told(tmp_path):
    Image.fromarray(RAMP16 // 16).save(tmp_path / "a.png")
    image = read_image(tmp_path / "a.png", how=ImageReading(range=(0, 4095)))
    np.testing.assert_array_equal(image[..., 0], np.rint((RAMP16 // 16) * (255 / 4095)))
    write_image(tmp_path / "b.png", BLOCKS)
    np.testing.assert_array_equal(read_image(tmp_path / "b.png", how=ImageReading(range=(0, 4095))), BLOCKS)
    (tmp_path / "c.png").write_bytes(png(1, 1, 16, 2, b"\0" + bytes(6)))
    with pytest.raises(UserError, match=r"c\.png has colours of 16 bits, .* in TIFF only"):
        read_image(tmp_path / "c.png", how=ImageReading(range=(0, 4095)))


def test_channels_of_ordinary_images_can_be_chosen(tmp_path):
    write_image(tmp_path / "a.png", BLOCKS)
    chosen = read_image(tmp_path / "a.png", how=ImageReading(bands=(2, 1, 0)))
    np.testing.assert_array_equal(chosen, BLOCKS[..., ::-1])
    grey = read_image(tmp_path / "a.png", how=ImageReading(bands=(1,)))
    np.testing.assert_array_equal(grey, np.dstack([BLOCKS[..., 1]] * 3))


@pytest.mark.parametrize("wrong", [{"range": (5, 5)}, {"bands": (0, 1)}, {"bands": (-1,)}, {"page": -1}])
def test_readings_that_mean_nothing_are_refused(wrong):
    with pytest.raises(pydantic.ValidationError):
        ImageReading(**wrong)


def test_alpha_is_dropped_and_the_colour_kept(tmp_path):
    transparent = np.dstack([BLOCKS, np.zeros(BLOCKS.shape[:2], "uint8")])
    Image.fromarray(transparent, "RGBA").save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), BLOCKS)
    Image.fromarray(transparent[..., 2:], "LA").save(tmp_path / "b.png")
    np.testing.assert_array_equal(read_image(tmp_path / "b.png")[..., 0], BLOCKS[..., 2])


def test_cmyk_becomes_rgb(tmp_path):
    Image.new("CMYK", (16, 16), (0, 255, 255, 0)).save(tmp_path / "a.jpg", quality=95)
    red = read_image(tmp_path / "a.jpg")[8, 8].astype(int)
    assert np.abs(red - (255, 0, 0)).max() < 8


def test_a_palette_becomes_its_colours(tmp_path):
    quantised = Image.fromarray(BLOCKS).quantize(24)
    quantised.save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), np.array(quantised.convert("RGB")))


@pytest.mark.parametrize("suffix", ["gif", "webp", "png"])
def test_of_an_animation_the_first_frame_is_read(tmp_path, suffix):
    frames = [Image.new("RGB", (12, 9), colour) for colour in ((200, 0, 0), (0, 200, 0), (0, 0, 200))]
    options = {"lossless": True} if suffix == "webp" else {}
    frames[0].save(tmp_path / f"a.{suffix}", save_all=True, append_images=frames[1:], **options)
    np.testing.assert_array_equal(read_image(tmp_path / f"a.{suffix}"), np.array(frames[0]))


def test_a_two_colour_image_is_black_and_white(tmp_path):
    Image.fromarray(LUMA > 128).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png")[..., 0], (LUMA > 128) * 255)


def test_the_first_bytes_decide_and_not_the_name(tmp_path):
    Image.fromarray(BLOCKS).save(tmp_path / "a.png")
    (tmp_path / "a.png").rename(tmp_path / "a.jpg")
    np.testing.assert_array_equal(read_image(tmp_path / "a.jpg"), BLOCKS)


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "bmp", "gif", "webp"])
def test_truncated_files_are_refused(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3), "uint8")
    Image.fromarray(noise).save(path)
    whole = path.read_bytes()
    for share in (0.02, 0.1, 0.5, 0.9, 0.98):
        path.write_bytes(whole[: int(len(whole) * share)])
        refused(path)


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "bmp", "gif", "webp"])
def test_damaged_files_are_read_or_refused_but_never_crash(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(BLOCKS).save(path)
    whole, rng = np.frombuffer(path.read_bytes(), "uint8"), np.random.default_rng(2)
    for _ in range(60):
        damaged = whole.copy()
        damaged[rng.integers(0, min(len(whole), 400), 6)] = rng.integers(0, 256, 6)
        path.write_bytes(damaged.tobytes())
        with contextlib.suppress(UserError):
            assert read_image(path, max_pixels=10**6).ndim == 3


def test_what_is_no_image_is_refused(tmp_path):
    refused(tmp_path / "missing.png", "no such file")
    refused(tmp_path, "is a folder")
    (tmp_path / "empty.png").touch()
    refused(tmp_path / "empty.png", "0 bytes")
    (tmp_path / "text.png").write_text("This is not an image.")
    refused(tmp_path / "text.png", "convert it to PNG")
    Image.fromarray(np.zeros((4, 4), "float32")).save(tmp_path / "float.tif")
    refused(tmp_path / "float.tif", "float32", "data.range")


def test_pipes_and_devices_are_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    refused(tmp_path / "a.png", "a pipe or a device")
    refused(Path(os.devnull), "a pipe or a device")


def test_an_error_of_the_disk_is_no_damage(tmp_path, monkeypatch):
    write_image(tmp_path / "a.png", BLOCKS)

    def broken(*_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("kerazoo.media.png.without_bad_chunks", broken)
    refused(tmp_path / "a.png", "cannot open", "Input/output error; check")


def test_a_huge_header_is_refused_at_once(tmp_path):
    (tmp_path / "bomb.png").write_bytes(png(50_000, 50_000, 8, 2, b"\0"))
    start = time.perf_counter()
    refused(tmp_path / "bomb.png", "50000 x 50000", "KERAZOO_MAX_PIXELS=2500000000")
    assert time.perf_counter() - start < 0.5


def test_the_pixel_limit_can_be_set(tmp_path, monkeypatch):
    write_image(tmp_path / "a.png", BLOCKS)
    monkeypatch.setenv("KERAZOO_MAX_PIXELS", "100")
    refused(tmp_path / "a.png", "more than the 100")
    assert read_image(tmp_path / "a.png", max_pixels=MAX_PIXELS).shape == BLOCKS.shape
    monkeypatch.setenv("KERAZOO_MAX_PIXELS", "many")
    with pytest.raises(UserError, match="KERAZOO_MAX_PIXELS is 'many'"):
        read_image(tmp_path / "a.png")


def test_a_write_replaces_the_whole_file_and_leaves_nothing_beside(tmp_path):
    path = tmp_path / "new" / "a.txt"
    atomic_text(path, "long old text")
    atomic_bytes(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(path.parent.iterdir()) == [path]


def test_a_failed_write_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    atomic_bytes(path, b"old")

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match=r"a\.png: No space left on device; the disk is full"):
        write_image(path, BLOCKS)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_path_below_a_file_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"cannot write .*file/a\.png"):
        write_image(tmp_path / "file" / "a.png", BLOCKS)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_told(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(UserError, match="may not write there"):
        write_image(tmp_path / "a.png", BLOCKS)
