"""Reading the stored values of mask files."""

import functools
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from kerazoo.errors import UserError
from kerazoo.image import read_with
from kerazoo.media.pixels import pgm_values, raw_mode
from kerazoo.media.tiff import Page

if TYPE_CHECKING:
    from PIL import Image, ImageFile

Channel = Literal["values", "indices", "alpha", "colors"]
"""Where the meaning of a mask is: in its grey values (of a palette: the grey of its entries), in the numbers
of its palette's entries, in its alpha channel, or in its colours."""

KEPT = 256
"""Distinct values of a file that are kept of it, the most frequent ones."""

GREY = 0x010101
"""The packed colour of a grey value is that value times this."""

_LOSSY = frozenset({"JPEG", "MPO", "JPEG2000", "AVIF", "HEIF"})
_TINT = 16
"""By how much the channels of a grey pixel may differ where the file was compressed with loss."""


class MaskFile(NamedTuple):
    """The content of a mask file.

    Attributes:
        pixels: integers `(H, W)`, grey values or a palette's entries; or colours, uint8 `(H, W, 3)`.
        palette: packed colours (`pack_colors`) of a palette's 256 entries, or None.
        alpha: uint8 `(H, W)`, or None where the file has no transparency.
        lossy: compressed in a way that changes values, as JPEG does.
    """

    pixels: np.ndarray
    palette: np.ndarray | None
    alpha: np.ndarray | None
    lossy: bool


class Histogram(NamedTuple):
    """The values that occur, ascending, and their counts of pixels."""

    values: np.ndarray
    counts: np.ndarray


class Summary(NamedTuple):
    """The summary of a mask file, from which its classes are decided.

    Attributes:
        path: of the file.
        stored: histogram of grey values, of a palette's entries, or of packed colours.
        kind: which of the three.
        colors: packed colour of each value that is stored, for a palette.
        alpha: histogram of the alpha channel, or None.
        lossy: as in `MaskFile`.
    """

    path: Path
    stored: Histogram
    kind: Literal["grey", "palette", "colors"]
    colors: np.ndarray
    alpha: Histogram | None
    lossy: bool

    @property
    def is_uniform(self) -> bool:
        """Whether all pixels have one colour."""
        return len(np.unique(self.colors if self.kind == "palette" else self.stored.values)) == 1


def read_mask(path: Path, max_pixels: int | None = None) -> MaskFile:
    """Return the stored values of a mask file.

    Black and white of 1 bit gives 0 and 255, as its copy of 8 bits does; 2- and 4-bit grey gives 0..3 and
    0..15, 32-bit files their whole numbers. EXIF is ignored.

    Raises:
        UserError: as `kerazoo.image.read_image`; fractions, colours of 16 bits, or several pages.
    """
    return read_with(path, functools.partial(_decode_mask, path), max_pixels)


def channel_values(mask: MaskFile, channel: Channel, path: Path) -> np.ndarray:
    """Return the numbers `(H, W)` by which labels are looked up: values, or colours of `pack_colors`.

    Args:
        mask: of `read_mask`.
        channel: where the meaning is.
        path: for the message.

    Raises:
        UserError: the mask has no such channel.
    """
    if channel == "alpha":
        if mask.alpha is None:
            raise _no_alpha_error(path)
        return mask.alpha
    if mask.palette is not None and channel != "indices":
        return _select_channel(mask.palette[mask.pixels], channel, path)
    if mask.pixels.ndim == 3:
        return _select_channel(pack_colors(mask.pixels), channel, path)
    if channel == "colors":
        if mask.pixels.dtype != np.uint8:
            raise UserError(
                f"{path} has more than 8 bits, the classes are told by colours", "export it in colours"
            )
        return mask.pixels.astype("int32") * GREY
    return mask.pixels


def channel_histogram(mask: Summary, channel: Channel) -> Histogram | UserError:
    """Return the histogram of a mask's `channel_values`, or the error if it has none."""
    if channel == "alpha":
        return mask.alpha or _no_alpha_error(mask.path)
    if mask.kind == "grey":
        values = mask.stored.values * (GREY if channel == "colors" else 1)
        return Histogram(values, mask.stored.counts)
    if mask.kind == "palette" and channel == "indices":
        return mask.stored
    values = mask.colors if mask.kind == "palette" else mask.stored.values
    if channel != "colors" and not is_grey(values).all():
        return _color_error(mask.path)
    kept, places = np.unique(values if channel == "colors" else values & 255, return_inverse=True)
    return Histogram(kept, np.bincount(places.ravel(), mask.stored.counts, len(kept)).astype("int64"))


def object_numbers(mask: MaskFile, path: Path) -> np.ndarray:
    """Return the number of every pixel's object, integers `(H, W)`, 0 being background.

    Of a palette it is the number of the entry if the first one is black, else the grey value.

    Raises:
        UserError: the file holds no numbers that tell objects.
    """
    remedy = "number the objects in grey, from 1, with 16 bits where there are more than 255"
    if mask.lossy:
        raise UserError(
            f"{path} was compressed with loss, which changes the numbers of objects", "export it as PNG"
        )
    if mask.pixels.ndim == 3:
        raise UserError(f"{path} holds colours, instances are numbers", remedy)
    numbered = mask.palette is None or mask.palette[0] == 0
    objects = mask.pixels if numbered else channel_values(mask, "values", path)
    if mask.alpha is not None and objects.min() == objects.max() and mask.alpha.min() < mask.alpha.max():
        raise UserError(f"{path} has its shape in its alpha channel, instances are numbers", remedy)
    if objects.min() < 0:
        raise UserError(f"{path} holds the number {objects.min()}, which is no object", remedy)
    return objects


def pack_colors(colors: np.ndarray) -> np.ndarray:
    """Return colours as numbers: uint8 `(..., 3)` -> int32, red * 65536 + green * 256 + blue."""
    return colors.astype("int32") @ np.array([2**16, 2**8, 1], "int32")


def unpack_color(color: Any) -> tuple[Any, Any, Any]:
    """Return red, green and blue of a packed colour, or of an array of them."""
    return color >> 16, color >> 8 & 255, color & 255


def is_grey(colors: np.ndarray) -> np.ndarray:
    """Return which packed colours are grey."""
    return colors == (colors & 255) * GREY


def summarise_mask(path: Path) -> Summary | UserError:
    """Return the summary of a mask file, or the error of reading it; cached while the file is unchanged."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return _summarise_mask(path, None)
    return _summarise_mask(path, (status.st_size, status.st_mtime_ns, status.st_ino))


@functools.lru_cache(maxsize=2**16)
def _summarise_mask(path: Path, _stamp: tuple[int, ...] | None) -> Summary | UserError:
    try:
        mask = read_mask(path)
    except UserError as error:
        return error
    alpha = None if mask.alpha is None else _histogram(mask.alpha)
    if mask.palette is not None:
        stored = _histogram(mask.pixels)
        return Summary(path, stored, "palette", mask.palette[stored.values], alpha, mask.lossy)
    kind: Literal["grey", "colors"] = "grey" if mask.pixels.ndim == 2 else "colors"
    stored = _histogram(mask.pixels if kind == "grey" else pack_colors(mask.pixels))
    return Summary(path, stored, kind, np.zeros(0, "int32"), alpha, mask.lossy)


def _histogram(numbers: np.ndarray) -> Histogram:
    """Count by runs of equal neighbours, of which a mask has few."""
    flat = numbers.ravel()
    # Sorting the first values of runs, weighted by their lengths, is much faster than sorting all pixels.
    starts = np.flatnonzero(np.r_[True, flat[1:] != flat[:-1]])
    values, places = np.unique(flat[starts], return_inverse=True)
    counts = np.bincount(places, np.diff(np.r_[starts, flat.size])).astype("int64")
    kept = np.sort(np.argsort(-counts, kind="stable")[:KEPT])
    return Histogram(values[kept].astype("int64"), counts[kept])


def _select_channel(colors: np.ndarray, channel: Channel, path: Path) -> np.ndarray:
    if channel == "colors":
        return colors
    if not is_grey(colors).all():
        raise _color_error(path)
    return colors & 255


def _no_alpha_error(path: Path) -> UserError:
    message = f"{path} has no alpha channel, in which other masks have their shape"
    return UserError(message, "export all masks in one way")


def _color_error(path: Path) -> UserError:
    message = f"{path} is a mask in colours, the classes are told by numbers"
    return UserError(message, "say what the colours mean in classes.json beside images/")


def _decode_mask(path: Path, image: "ImageFile.ImageFile | Page") -> MaskFile:
    if isinstance(image, Page):
        return _decode_page(path, image)
    _check_image(image, path)
    lossy = _is_lossy(image)
    transparent = image.mode in ("LA", "PA", "RGBA") or (image.mode == "P" and "transparency" in image.info)
    alpha = np.array(image.convert("RGBA"))[..., 3] if transparent else None
    if image.mode in ("P", "PA"):
        indices = np.array(image) if image.mode == "P" else np.array(image)[..., 0]
        return MaskFile(indices, _palette(image), alpha, lossy)
    if image.mode in ("L", "LA", "1", "I", "F") or image.mode.startswith("I;16"):
        return MaskFile(_grey_values(image, path), None, alpha, lossy)
    return MaskFile(_grey_or_colors(np.array(image.convert("RGB")), lossy), None, alpha, lossy)


def _check_image(image: "ImageFile.ImageFile", path: Path) -> None:
    if (pages := getattr(image, "n_frames", 1)) > 1:
        raise UserError(
            f"{path} holds {pages} pages or frames", "a mask is one image: export each page as a file"
        )
    if ";16" in raw_mode(image) and not image.mode.startswith("I"):  # Pillow would keep the upper eight
        raise UserError(f"{path} has several channels of 16 bits", "export it with 8 bits each, or in grey")


def _decode_page(path: Path, page: Page) -> MaskFile:
    """Return the stored values of a TIFF page that Pillow would decode wrongly."""
    values, chosen = page.values(), page.colours
    if chosen is None or (len(chosen) > 1 and values.dtype != np.uint8):
        message = f"{path} has {page.channels} channels of {8 * values.itemsize} bits"
        raise UserError(message, "export it in grey, or in colours of 8 bits")
    opaque = next((values[..., channel] for channel in page.alpha), None)
    alpha = None if opaque is None else (opaque >> 8 * (opaque.itemsize - 1)).astype("uint8")
    if len(chosen) > 1:
        return MaskFile(_grey_or_colors(values[..., list(chosen)], lossy=False), None, alpha, lossy=False)
    stored = values[..., chosen[0]]
    if page.inverted and stored.dtype.kind == "u":
        stored = np.iinfo(stored.dtype).max - stored
    return MaskFile(_whole_numbers(stored, path), None, alpha, lossy=False)


def _grey_or_colors(colors: np.ndarray, lossy: bool) -> np.ndarray:
    """Return colours, or one channel of them if all are grey."""
    spread = colors.max(axis=-1) - colors.min(axis=-1)
    return colors[..., 1] if (spread <= (_TINT if lossy else 0)).all() else colors


def _grey_values(image: "ImageFile.ImageFile", path: Path) -> np.ndarray:
    """Return grey values as stored; Pillow rescales 2 and 4 bits to 0..255."""
    if image.format == "PPM" and image.mode in ("L", "I"):
        return pgm_values(image)
    if image.mode == "1":
        return np.array(image.convert("L"))
    stretch = {"L;2": 85, "L;4": 17}.get(raw_mode(image), 1)
    values = np.array(image)[..., 0] if image.mode == "LA" else np.array(image)
    return _whole_numbers(values // np.uint8(stretch) if stretch > 1 else values, path)


def _whole_numbers(values: np.ndarray, path: Path) -> np.ndarray:
    """Return whole numbers: uint8 and uint16 as they are, all others as int64."""
    if values.dtype.kind == "f":
        real = values.astype("float64")
        if not ((np.abs(real) < 2**53) & (real == np.floor(real))).all():
            raise UserError(
                f"{path} holds fractions", "a mask holds whole numbers: export it with 8 or 16 bits"
            )
    small = values.dtype.kind in "bu" and values.itemsize <= 2
    return values.astype(f"uint{8 * values.itemsize}" if small else "int64")


def _palette(image: "Image.Image") -> np.ndarray:
    """Return the packed colours of 256 entries; missing ones are black."""
    entries = np.zeros((256, 3), "uint8")
    stored = np.array(image.getpalette("RGB"), "uint8").reshape(-1, 3)[:256]
    entries[: len(stored)] = stored
    return pack_colors(entries)


def _is_lossy(image: "ImageFile.ImageFile") -> bool:
    if image.format == "WEBP":
        return _is_lossy_webp(image)
    return image.format in _LOSSY or image.info.get("compression") == "jpeg"


def _is_lossy_webp(image: "ImageFile.ImageFile") -> bool:
    """Whether a WebP file has a chunk of lossy data (VP8; lossless data are VP8L)."""
    file = image.fp
    assert file is not None
    file.seek(12)
    while len(head := file.read(8)) == 8:
        if head[:4] in (b"VP8 ", b"VP8L"):
            return head[:4] == b"VP8 "
        size = int.from_bytes(head[4:], "little")
        file.seek(size + size % 2, os.SEEK_CUR)
    return False
