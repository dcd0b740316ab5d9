"""Reading and writing images.

Decoders disagree about EXIF, alpha, 16 bits and truncated files (OpenCV returns the
first 90 % of a JPEG as if it were whole), so everything is read here, by Pillow.
"""

import io
import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal, TypeVar

import numpy as np

from kerazoo.errors import UserError
from kerazoo.files.reading import open_file
from kerazoo.files.writing import atomic_bytes
from kerazoo.media import png
from kerazoo.media.formats import START, format_of, pillow_reader
from kerazoo.media.pixels import ImageReading, stored_values, to_rgb, upright_size
from kerazoo.media.tiff import Page, open_page

if TYPE_CHECKING:
    from PIL import ImageFile

Content = TypeVar("Content")

MAX_PIXELS = 2**28
"""The largest image that is decoded; the environment variable KERAZOO_MAX_PIXELS overrides it."""

LARGEST_SCALED = 2**26
"""Pixels of the largest image that a smaller one is enlarged to, to be cut."""

_LONGEST_SIDE = 1_000_000
"""Pixels of the longest side that PNGs are written with (libpng's limit)."""

USUAL = ImageReading()
"""How ordinary images are read."""


def read_image(path: str | Path, max_pixels: int | None = None, how: ImageReading = USUAL) -> np.ndarray:
    """Return the image as uint8 `(H, W, 3)`, RGB, upright.

    EXIF orientation is applied. Grey becomes three equal channels, a palette its colours,
    CMYK is converted to RGB without a colour profile. Alpha is dropped and the colour below
    it kept. Of 16 bits the upper eight are kept (value // 256), so microscope images with 12
    significant bits come out dark unless `how.range` says what is white. Of an animation the
    first frame is read. docs/data.md tells more.

    Args:
        path: an image that Pillow reads, told by its first bytes, not by its name.
        max_pixels: refuse larger images before decoding; None for `MAX_PIXELS`.
        how: which page and channels are read, and what is black and white.

    Raises:
        UserError: missing, no regular file, empty, no image, too large, truncated or damaged; or `how`
            leaves open which page or channels are meant, or what is black and white.
    """
    name = str(path)
    with open_file(path) as file:
        return _decode_safely(
            name, lambda limit: to_rgb(_open_image(name, file, limit, how), name, how), max_pixels
        )


def decode_image(data: bytes, name: str, how: ImageReading = USUAL) -> np.ndarray:
    """Return the decoded image of a file's bytes, as `read_image`.

    Args:
        data: such as a member of an archive.
        name: what messages call it.
        how: as for `read_image`.

    Raises:
        UserError: as `read_image`.
    """
    file = io.BytesIO(data)
    return _decode_safely(name, lambda limit: to_rgb(_open_image(name, file, limit, how), name, how), None)


def image_size(path: str | Path, how: ImageReading = USUAL) -> tuple[int, int]:
    """Return the height and width of `read_image`'s result; reads little more than the header.

    Raises:
        UserError: as `read_image`, as far as the header tells.
    """
    name = str(path)
    with open_file(path) as file:
        width, height = _decode_safely(
            name, lambda limit: upright_size(_open_image(name, file, limit, how)), None
        )
    return height, width


def read_with(
    path: str | Path,
    decode: Callable[["ImageFile.ImageFile | Page"], Content],
    max_pixels: int | None = None,
) -> Content:
    """Return the result of `decode` for an image file opened by Pillow, or for a TIFF's page.

    Raises:
        UserError: as `read_image`, or of `decode`.
    """
    with open_file(path) as file:
        return _decode_safely(
            str(path), lambda limit: decode(_open_image(str(path), file, limit, USUAL)), max_pixels
        )


def largest_value(path: str | Path, how: ImageReading) -> int | None:
    """Return the largest value of a uint16 image; None for any other file.

    Of images of 8 bits little more than the header is read.
    """
    name = str(path)
    try:
        with open_file(path) as file:
            values = _decode_safely(
                name, lambda limit: stored_values(_open_image(name, file, limit, how), name, how), None
            )
    except UserError:
        return None
    if values is None or values.dtype.kind != "u" or values.itemsize != 2:
        return None
    return int(values.max())


def center_crop(
    image: np.ndarray,
    size: tuple[int, int],
    share: float = 1.0,
    interpolation: Literal["bilinear", "bicubic"] = "bilinear",
) -> np.ndarray:
    """Return a center crop of `size`, after the image was resized to cover `size` divided by `share`.

    Args:
        image: uint8 `(H, W, 3)`.
        size: height and width of what is returned.
        share: 0..1, part of the scaled image's shorter side that is kept.
        interpolation: of the scaling; where it shrinks, it averages (as Pillow does it).
    """
    height, width = _covering_size(image.shape[:2], [int(side / share) for side in size])
    check_enlargement(image.shape, (height, width), LARGEST_SCALED)
    top, left = (round((n - side) / 2) for n, side in zip((height, width), size, strict=True))
    return _resize(image, height, width, interpolation)[top : top + size[0], left : left + size[1]]


def write_image(path: str | Path, array: np.ndarray) -> None:
    """Write a PNG atomically.

    Args:
        array: uint8 `(H, W, 3)` RGB, or uint8 or uint16 `(H, W)` grey.

    Raises:
        UserError: the file cannot be written, or is too large for a PNG.
    """
    from kerazoo.media.opencv import cv2

    height, width = array.shape[:2]
    pixels = array[..., ::-1] if array.ndim == 3 else array
    done = 0 < min(height, width) and max(height, width) <= _LONGEST_SIDE
    if done:
        done, data = cv2.imencode(".png", np.ascontiguousarray(pixels))
    if not done:
        raise UserError(f"cannot write {path}: no PNG has {width} x {height} pixels", "make it smaller")
    atomic_bytes(path, data.tobytes())


def _decode_safely(name: str, decode: Callable[[int], Content], max_pixels: int | None) -> Content:
    """Call `decode` with the limit of pixels; turn what it raises into a `UserError` about the file."""
    limit = _max_pixels() if max_pixels is None else max_pixels
    try:
        return decode(limit)
    except UserError:
        raise
    except MemoryError:
        raise UserError(f"{name} needs more memory than there is", "cut it into pieces") from None
    except Exception as error:  # on damaged files Pillow's decoders raise almost anything
        if isinstance(error, OSError) and error.errno:  # the disk's, which `open_file` tells
            raise
        remedy = "the file is truncated or damaged: copy or export it again"
        raise UserError(f"{name} cannot be read: {error}", remedy) from None


def _open_image(name: str, file: BinaryIO, limit: int, how: ImageReading) -> "ImageFile.ImageFile | Page":
    """Return an opened image for `to_rgb`: a TIFF's page if Pillow would decode it wrongly."""
    if _file_format(name, file) != "Tiff":
        return _open_with_pillow(name, file, limit)
    page = _open_tiff_page(name, file, limit, how.page)
    return page.image() if page.pillow_decodes and (not how.bands or page.channels <= 3) else page


def _open_with_pillow(name: str, file: BinaryIO, limit: int) -> "ImageFile.ImageFile":
    """Return an image opened by Pillow."""
    kind = _file_format(name, file)
    image = pillow_reader(kind)(png.without_bad_chunks(file) if kind == "Png" else file)
    _check_size(name, image.size, limit)
    return image


def _file_format(name: str, file: BinaryIO) -> str:
    start = file.read(START)
    file.seek(0)
    return format_of(name, start)


def _open_tiff_page(name: str, file: BinaryIO, limit: int, number: int | None) -> Page:
    page = open_page(name, file, number)
    _check_size(name, page.size, limit)
    if page.decoded_values > 4 * limit:
        raise UserError(
            f"{name} holds {page.decoded_values} numbers, more than {4 * limit}", "save fewer channels"
        )
    return page


def _check_size(name: str, size: tuple[int, int], limit: int) -> None:
    width, height = size
    if width * height > limit:
        raise UserError(
            f"{name} has {width} x {height} pixels, more than the {limit} that are read",
            f"cut it into pieces, or set KERAZOO_MAX_PIXELS={width * height}",
        )
    if width * height < 1:
        raise UserError(f"{name} has {width} x {height} pixels", "copy or export it again")


def _max_pixels() -> int:
    text = os.environ.get("KERAZOO_MAX_PIXELS", "") or str(MAX_PIXELS)
    if not text.isdecimal():
        raise UserError(f"KERAZOO_MAX_PIXELS is {text!r}", "set it to a whole number of pixels")
    return int(text)


def check_enlargement(image: Sequence[int], scaled: Sequence[int], largest: int) -> None:
    """Refuse to enlarge an image too much: 1 x 40000 pixels would become gigabytes.

    Args:
        image: its height and width.
        scaled: height and width that it would have.
        largest: pixels that it may have, unless the image has more itself.

    Raises:
        UserError: it would have more.
    """
    if math.prod(scaled) > max(largest, math.prod(image[:2])):
        raise UserError(
            f"an image of {image[1]} x {image[0]} pixels would be enlarged to {scaled[1]} x {scaled[0]} "
            f"for this network, more than {largest} pixels",
            "cut it into pieces",
        )


def _covering_size(image: Sequence[int], least: Sequence[int]) -> tuple[int, int]:
    """Return the smallest height and width with the image's aspect ratio that cover `least`."""
    (height, width), (rows, columns) = image, least
    if rows * width >= columns * height:
        return rows, width * rows // height
    return height * columns // width, columns


def _resize(image: np.ndarray, height: int, width: int, interpolation: str) -> np.ndarray:
    from PIL import Image

    if image.shape[:2] == (height, width):
        return image
    method = Image.Resampling[interpolation.upper()]
    return np.asarray(Image.fromarray(image).resize((width, height), method))
