"""The one way an image is read and written.

Decoders disagree about EXIF, alpha, 16 bits and truncated files (OpenCV returns the
first 90 % of a JPEG as if it were whole), so everything is read here, by Pillow.
"""

import functools
import glob
import importlib
import io
import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal, TypeVar

import numpy as np

from kerazoo.errors import UserError
from kerazoo.files import atomic_bytes, natural
from kerazoo.reading import opened

if TYPE_CHECKING:
    from PIL import Image, ImageFile

Content = TypeVar("Content")

MAX_PIXELS = 2**28
"""The largest image that is decoded; the environment variable KERAZOO_MAX_PIXELS overrides it."""

LARGEST_SCALED = 2**26
"""Pixels of the largest image that a smaller one is enlarged to, to be cut."""

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp", ".gif"})
"""What counts as an image when a folder is searched; what a file is its first bytes say."""

_LONGEST_SIDE = 1_000_000
"""Pixels of the longest side that PNGs are written with (libpng's limit)."""

_SIGNATURES = {
    b"\x89PNG\r\n\x1a\n": "Png",
    b"\xff\xd8\xff": "Jpeg",
    b"II*\0": "Tiff",
    b"MM\0*": "Tiff",
    b"II+\0": "Tiff",
    b"MM\0+": "Tiff",
    b"BM": "Bmp",
    b"GIF8": "Gif",
    b"RIFFWEBP": "WebP",
}


def read_image(path: str | Path, max_pixels: int | None = None) -> np.ndarray:
    """Return the image as uint8 `(H, W, 3)`, RGB, upright.

    EXIF orientation is applied. Grey becomes three equal channels, a palette its colours,
    CMYK is converted to RGB without a colour profile. Alpha is dropped and the colour below
    it kept. Of 16 bits the upper eight are kept (value // 256), so microscope images with 12
    significant bits come out dark: stretch them before. Of an animation the first frame is read.

    Args:
        path: PNG, JPEG, TIFF, BMP, WebP or GIF, told by its first bytes, not by its name.
        max_pixels: refuse larger images before decoding; None for `MAX_PIXELS`.

    Raises:
        UserError: missing, a folder, empty, no image, too large, truncated or damaged.
    """
    return read_with(path, functools.partial(_photograph, str(path)), max_pixels)


def image_size(path: str | Path) -> tuple[int, int]:
    """Return height and width of the image that `read_image` returns; only the file's header is read.

    Raises:
        UserError: as `read_image`, as far as the header tells.
    """

    def upright(image: "ImageFile.ImageFile") -> tuple[int, int]:
        orientation = 1 if image.format == "TIFF" else image.getexif().get(0x0112)  # a TIFF's size is turned
        turned = orientation in (5, 6, 7, 8)
        width, height = image.size[::-1] if turned else image.size
        return height, width

    return read_with(path, upright)


def decode_image(data: bytes, name: str) -> np.ndarray:
    """Return the image that an image file's bytes hold, as `read_image` does.

    Args:
        data: such as a member of an archive.
        name: what messages call it.

    Raises:
        UserError: as `read_image`.
    """
    return _decoded(name, io.BytesIO(data), functools.partial(_photograph, name), None)


def read_with(
    path: str | Path, decode: Callable[["ImageFile.ImageFile"], Content], max_pixels: int | None = None
) -> Content:
    """Return what `decode` makes of an image file that Pillow has opened; its first frame is current.

    Raises:
        UserError: as `read_image`, or of `decode`.
    """
    with opened(path) as file:
        return _decoded(str(path), file, decode, max_pixels)


def centred(
    image: np.ndarray,
    size: tuple[int, int],
    share: float = 1.0,
    interpolation: Literal["bilinear", "bicubic"] = "bilinear",
) -> np.ndarray:
    """Return the middle of a photograph that was scaled until it just covers `size` divided by `share`.

    Args:
        image: uint8 `(H, W, 3)`.
        size: height and width of what is returned.
        share: 0..1, part of the scaled photograph's shorter side that is kept.
        interpolation: of the scaling; where it shrinks, it averages (as Pillow does it).
    """
    height, width = _covering(image.shape[:2], [int(side / share) for side in size])
    check_scaled(image.shape, (height, width), LARGEST_SCALED)
    top, left = (round((n - side) / 2) for n, side in zip((height, width), size, strict=True))
    return _scaled(image, height, width, interpolation)[top : top + size[0], left : left + size[1]]


def write_image(path: str | Path, array: np.ndarray) -> None:
    """Write a PNG, atomically.

    Args:
        array: uint8 `(H, W, 3)` RGB, or uint8 or uint16 `(H, W)` grey.

    Raises:
        UserError: the file cannot be written, or is too large for a PNG.
    """
    import cv2

    height, width = array.shape[:2]
    pixels = array[..., ::-1] if array.ndim == 3 else array
    done = 0 < min(height, width) and max(height, width) <= _LONGEST_SIDE
    if done:
        done, data = cv2.imencode(".png", np.ascontiguousarray(pixels))
    if not done:
        raise UserError(f"cannot write {path}: no PNG has {width} x {height} pixels", "make it smaller")
    atomic_bytes(path, data.tobytes())


def find_images(paths: Sequence[str | Path]) -> list[Path]:
    """Return the images that files, folders (searched recursively) and globs name.

    Folders and globs are listed in natural order, hidden files left out; a file named
    outright is taken whatever it is called. Nothing is listed twice.

    Raises:
        UserError: a path that does not exist, or one that holds no image.
    """
    found: dict[Path, None] = {}
    for path in paths:
        images = _images_of(str(path))
        if not images:
            raise UserError(f"no images in {path}", f"looked for {', '.join(sorted(SUFFIXES))}")
        found.update(dict.fromkeys(images))
    return list(found)


def images_below(folder: Path) -> list[Path]:
    """Return all image files of a folder and its sub-folders, hidden ones left out, in natural order."""
    inside = (path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    return sorted((p for p in inside if not _hidden(p.relative_to(folder))), key=natural)


def _images_of(path: str) -> list[Path]:
    if os.path.isdir(path):
        if not os.access(path, os.R_OK | os.X_OK):
            raise UserError(f"the folder {path} cannot be read", "change its permissions")
        return images_below(Path(path))
    if os.path.exists(path) or not glob.has_magic(path):
        return [Path(path)]  # a missing one is told when it is read, so that it stops no other
    # Path.glob knows no absolute patterns.
    matches = [Path(match) for match in sorted(glob.glob(_pattern(path), recursive=True), key=natural)]
    nested = (images_below(m) if m.is_dir() else [m] for m in matches)
    return [image for images in nested for image in images if image.suffix.lower() in SUFFIXES]


def _pattern(path: str) -> str:
    """Return a glob in which the folders that exist stand for themselves, whatever is in their names."""
    folder = Path(path).parent
    while not folder.is_dir():
        folder = folder.parent
    return str(Path(glob.escape(str(folder)), Path(path).relative_to(folder)))


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _decoded(
    name: str, file: BinaryIO, decode: Callable[["ImageFile.ImageFile"], Content], max_pixels: int | None
) -> Content:
    limit = _limit() if max_pixels is None else max_pixels
    plugin = _plugin(name, file.read(16))
    file.seek(0)
    try:
        image = plugin(file)
        _check_header(name, image, limit)
        return decode(image)
    except UserError:
        raise
    except Exception as error:  # on damaged files Pillow's decoders raise almost anything
        remedy = "the file is truncated or damaged: copy or export it again"
        raise UserError(f"{name} cannot be read: {error}", remedy) from None


def _photograph(name: str, image: "ImageFile.ImageFile") -> np.ndarray:
    from PIL import ImageOps

    if image.mode in ("I", "F"):
        raise UserError(f"{name} holds 32-bit numbers", "save it with 8 or 16 bits")
    return np.array(_eight_bits(ImageOps.exif_transpose(image)).convert("RGB"))


def _plugin(path: str, start: bytes) -> type["ImageFile.ImageFile"]:
    """Return Pillow's reader of the format that the file's first bytes tell.

    `Image.open` would refuse what is above Pillow's own, lower limit of pixels, and can
    only be told otherwise for the whole process.
    """
    if not start:
        raise UserError(f"{path} is empty (0 bytes)", "copy or export it again")
    start = start[:4] + start[8:] if start.startswith(b"RIFF") else start
    name = next((name for signature, name in _SIGNATURES.items() if start.startswith(signature)), None)
    if name is None:
        remedy = "convert it to PNG, JPEG, TIFF, BMP, WebP or GIF"
        raise UserError(f"{path} is not an image of a known format", remedy)
    return getattr(importlib.import_module(f"PIL.{name}ImagePlugin"), f"{name}ImageFile")


def _check_header(path: str, image: "Image.Image", limit: int) -> None:
    width, height = image.size
    if width * height > limit:
        raise UserError(
            f"{path} has {width} x {height} pixels, more than the {limit} that are read",
            f"cut it into pieces, or set KERAZOO_MAX_PIXELS={width * height}",
        )


def _limit() -> int:
    text = os.environ.get("KERAZOO_MAX_PIXELS", "") or str(MAX_PIXELS)
    if not text.isdecimal():
        raise UserError(f"KERAZOO_MAX_PIXELS is {text!r}", "set it to a whole number of pixels")
    return int(text)


def _eight_bits(image: "Image.Image") -> "Image.Image":
    from PIL import Image

    if not image.mode.startswith("I;16"):
        return image  # of 16-bit colours Pillow itself keeps the upper eight
    return Image.fromarray((np.array(image) >> 8).astype("uint8"))


def check_scaled(image: Sequence[int], scaled: Sequence[int], largest: int) -> None:
    """Refuse to enlarge an image far beyond what it is: 1 x 40000 pixels would become gigabytes.

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


def _covering(image: Sequence[int], least: Sequence[int]) -> tuple[int, int]:
    """Return the smallest height and width of the image's shape that hold `least`."""
    (height, width), (rows, columns) = image, least
    if rows * width >= columns * height:
        return rows, width * rows // height
    return height * columns // width, columns


def _scaled(image: np.ndarray, height: int, width: int, interpolation: str) -> np.ndarray:
    from PIL import Image

    if image.shape[:2] == (height, width):
        return image
    method = Image.Resampling[interpolation.upper()]
    return np.asarray(Image.fromarray(image).resize((width, height), method))
