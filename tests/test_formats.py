"""Formats: every suffix that Pillow reads is read, and what is none says why."""

import numpy as np
import pytest
from PIL import Image, features

from kerazoo.data.segmentation.mask_files import read_mask
from kerazoo.errors import UserError
from kerazoo.image import read_image
from kerazoo.media.formats import SUFFIXES

BLOCKS = np.kron(np.random.default_rng(0).integers(0, 256, (4, 6, 3)), np.ones((8, 8, 1))).astype("uint8")
OTHER_PROGRAMS = {"EPS", "WMF", "BUFR", "GRIB", "HDF5", "MPEG"}
"""What Pillow knows and leaves to other programs, or only by name."""


def test_every_suffix_that_pillow_reads_counts_as_an_image():
    known = Image.registered_extensions()
    read = {suffix for suffix, name in known.items() if name in Image.OPEN and name not in OTHER_PROGRAMS}
    avif = set() if features.check("avif") else {".avif", ".avifs"}
    assert read == SUFFIXES - avif - {".mpo", ".jpeg2000"}


@pytest.mark.parametrize("suffix", ["apng", "dib", "ppm", "pnm", "tga", "pcx", "sgi", "qoi", "dds", "ico"])
def test_other_lossless_formats_give_the_pixels(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(BLOCKS).save(path, **({"sizes": [(48, 32)]} if suffix == "ico" else {}))
    np.testing.assert_array_equal(read_image(path), BLOCKS)


@pytest.mark.parametrize(
    ("suffix", "kind"),
    [("jfif", "JPEG"), ("jpeg2000", "JPEG2000"), ("jp2", None), ("j2k", None), ("mpo", None)],
)
def test_jpeg_and_jpeg_2000_under_all_their_names(tmp_path, suffix, kind):
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(BLOCKS).save(path, format=kind, **({} if "2" in suffix else {"subsampling": 0}))
    assert np.abs(read_image(path).astype(int) - BLOCKS).max() < 25


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow reads no AVIF")
def test_avif_is_read_and_turned(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(BLOCKS).save(tmp_path / "a.avif", quality=100, subsampling="4:4:4", exif=exif)
    assert np.abs(read_image(tmp_path / "a.avif").astype(int) - np.rot90(BLOCKS, -1)).max() < 25


@pytest.mark.parametrize("white", [1, 100, 255, 4095, 65535])
def test_grey_pgm_of_any_depth(tmp_path, white):
    """The header tells which value is white; a mask keeps its values."""
    values = np.linspace(0, white, 48).astype("uint16" if white > 255 else "uint8").reshape(6, 8)
    stored = values.astype(">u2") if white > 255 else values
    (tmp_path / "a.pgm").write_bytes(b"P5 8 6 %d\n" % white + stored.tobytes())
    image = read_image(tmp_path / "a.pgm")
    assert np.abs(image[..., 1] - values * (255 / white)).max() <= 1
    codes = read_mask(tmp_path / "a.pgm").pixels
    assert codes.dtype == stored.dtype.newbyteorder("=")
    np.testing.assert_array_equal(codes, values)


@pytest.mark.parametrize(
    ("start", "told"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC image, which is not read"),
        (b"\0\0\0\x18ftypisom\0\0\0\0isomavc1", "video, which is not read"),
        (b"%!PS-Adobe-3.0", "not an image of a known format"),
        (b"\x89HDF\r\n\x1a\n", "not an image of a known format"),
    ],
)
def test_what_is_not_read_is_called_by_its_name(tmp_path, start, told):
    (tmp_path / "a.png").write_bytes(start + bytes(200))
    with pytest.raises(UserError, match=f"a.png is .*{told}"):
        read_image(tmp_path / "a.png")


def test_a_rare_format_needs_its_own_name(tmp_path):
    Image.fromarray(BLOCKS).save(tmp_path / "a.tga")
    (tmp_path / "a.tga").rename(tmp_path / "a.png")
    with pytest.raises(UserError, match="not an image"):
        read_image(tmp_path / "a.png")
