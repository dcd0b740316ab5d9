"""TIFF: reading one page of a file, with any bit depth, number and layout of channels.

Pillow is given a clean file that holds this page alone, so that no other tag of the original can trouble it.
What Pillow would decode wrongly or not at all it is given as a grey image of single bytes: libtiff undoes
the compression, and the page's tags say what the bytes mean.
"""

import math
import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from kerazoo.errors import UserError
from kerazoo.media.tiff_tags import Entry, Tags, build_tiff, read_directories

if TYPE_CHECKING:
    from PIL.TiffImagePlugin import TiffImageFile


class _Tag(IntEnum):
    SUBFILE = 254
    OLD_SUBFILE = 255
    WIDTH = 256
    HEIGHT = 257
    BITS = 258
    COMPRESSION = 259
    PHOTOMETRIC = 262
    FILL_ORDER = 266
    DESCRIPTION = 270
    STRIPS = 273
    ORIENTATION = 274
    SAMPLES = 277
    ROWS = 278
    STRIP_SIZES = 279
    PLANAR = 284
    PREDICTOR = 317
    TILE_WIDTH = 322
    TILE_HEIGHT = 323
    TILES = 324
    TILE_SIZES = 325
    EXTRA = 338
    FORMAT = 339


_DEFAULTS = {_Tag.SUBFILE: 0, _Tag.ROWS: 2**32 - 1, _Tag.WIDTH: 0, _Tag.HEIGHT: 0}
_DECODING = set(_Tag) - {_Tag.SUBFILE, _Tag.OLD_SUBFILE, _Tag.DESCRIPTION} | {
    292, 293, 320, 347, 529, 530, 532,
}  # fmt: skip
"""Tags that decide how pixels are decoded; by number: of fax, the palette, JPEG's tables and subsampling."""

_LOSSLESS = {1, 5, 8, 32773, 32946, 34925, 50000}
_READ = _LOSSLESS | {2, 3, 4, 7, 32771, 32809, 34676, 34677}
_COMPRESSIONS = {
    6: "old-style JPEG", 7: "JPEG", 34712: "JPEG 2000", 34887: "LERC", 50001: "WebP", 50002: "JPEG XL",
}  # fmt: skip
_RESAVE = "save it as grey or RGB of 8 or 16 bits, uncompressed or with LZW"


@dataclass(frozen=True)
class Page:
    """A page of an open TIFF file.

    Attributes:
        name: what messages call the file.
        parts: the directory that tells of the page; several where ImageJ gives each channel one.
    """

    name: str
    parts: tuple[Tags, ...]

    def tag_values(self, tag: _Tag) -> tuple[int, ...]:
        """Return the values of a tag."""
        return _tag_values(self.parts[0], tag)

    def tag_value(self, tag: _Tag) -> int:
        """Return the first value of a tag."""
        return self.tag_values(tag)[0]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.tag_value(_Tag.WIDTH), self.tag_value(_Tag.HEIGHT)

    @property
    def channels(self) -> int:
        """The number of values of a pixel."""
        return self.tag_value(_Tag.SAMPLES) * len(self.parts)

    @property
    def decoded_values(self) -> int:
        """The number of decoded values, including those of tiles beyond the page's border."""
        (width, height), (columns, rows) = self.size, self._segment_size
        return math.ceil(width / columns) * columns * math.ceil(height / rows) * rows * self.channels

    @property
    def orientation(self) -> int:
        """The orientation as in EXIF: 1 is upright."""
        return self.tag_value(_Tag.ORIENTATION)

    @property
    def inverted(self) -> bool:
        """Whether 0 means white."""
        return self.tag_value(_Tag.PHOTOMETRIC) == 0

    @property
    def alpha(self) -> dict[int, bool]:
        """`{channel: whether colours are premultiplied by it}` of the opacity channels."""
        extra = self.tag_values(_Tag.EXTRA) if _Tag.EXTRA in self.parts[0] else ()
        first = self.channels - len(extra)
        return {first + index: kind == 1 for index, kind in enumerate(extra) if kind in (1, 2)}

    @property
    def colours(self) -> tuple[int, ...] | None:
        """The channels that are grey, or red, green and blue; None where nothing says which are."""
        count = self.channels - len(self.alpha)
        if count == 3 or (count > 3 and self.tag_value(_Tag.PHOTOMETRIC) == 2):
            return 0, 1, 2
        return (0,) if count == 1 else None

    @property
    def pillow_decodes(self) -> bool:
        """Whether Pillow decodes the page correctly."""
        bits, photometric = self.tag_value(_Tag.BITS), self.tag_value(_Tag.PHOTOMETRIC)
        if photometric > 2 or bits % 8:
            return len(self.parts) == 1
        rgb = photometric == 2 and self.tag_value(_Tag.PLANAR) == 1 and self.channels in (3, 4)
        return bits == 8 and self.tag_value(_Tag.FORMAT) != 2 and (self.channels == 1 or rgb)

    @property
    def dtype(self) -> np.dtype:
        """The dtype of `values`.

        Raises:
            UserError: no numbers that NumPy knows.
        """
        bits, formats = set(self.tag_values(_Tag.BITS)), set(self.tag_values(_Tag.FORMAT))
        kind = {1: "u", 2: "i", 3: "f", 4: "u"}.get(min(formats)) if len(formats) == 1 else None
        widths_known = (16, 32, 64) if kind == "f" else (8, 16, 32, 64)
        if kind is None or len(bits) != 1 or min(bits) not in widths_known:
            widths = ", ".join(map(str, sorted(bits)))
            raise UserError(f"{self.name} holds numbers of an unusual kind ({widths} bits)", _RESAVE)
        return np.dtype(f"{self.parts[0].order}{kind}{min(bits) // 8}")

    def image(self) -> "TiffImageFile":
        """Return the page as Pillow decodes it; correct if `pillow_decodes`.

        Raises:
            UserError: Pillow does not know this kind.
            ValueError: the file is damaged.
        """
        from PIL.TiffImagePlugin import TiffImageFile

        tags, bits = self.parts[0], self.tag_value(_Tag.BITS)
        unknown = UserError(
            f"{self.name} is a TIFF of a kind that is not read: {self.channels} channels of {bits} bits, "
            f"photometric {self.tag_value(_Tag.PHOTOMETRIC)}, compression {self.tag_value(_Tag.COMPRESSION)}",
            _RESAVE,
        )
        if self.tag_value(_Tag.PLANAR) == 2 and bits > 8:  # which Pillow decodes to garbage
            raise unknown
        entries = {tag: tags.classic_entry(tag) for tag in _DECODING if tag in tags}
        try:
            return TiffImageFile(build_tiff(tags.order, entries, self._segments(tags), _Tag.TILES in tags))
        except SyntaxError:
            raise unknown from None

    def values(self) -> np.ndarray:
        """Return the stored values: `(H, W, channels)`, of `dtype`; neither inverted nor turned.

        Raises:
            UserError: numbers or a compression that only suit usual pages.
            ValueError: the file is damaged.
        """
        compression = self.tag_value(_Tag.COMPRESSION)
        if compression not in _LOSSLESS:
            description = f"{self.channels} channels of {self.tag_value(_Tag.BITS)} bits"
            raise UserError(
                f"{self.name} has {description}, compressed as {_compression_name(compression)}", _RESAVE
            )
        planes = [plane for part in self.parts for plane in self._planes(part)]
        return planes[0] if len(planes) == 1 else np.concatenate(planes, axis=-1)

    def _planes(self, part: Tags) -> Iterator[np.ndarray]:
        """Yield the values of a directory, `(H, W, N)`: all channels, or one by one where they lie apart."""
        samples, segments = self.tag_value(_Tag.SAMPLES), self._segments(part)
        apart = samples if self.tag_value(_Tag.PLANAR) == 2 else 1
        per_plane = len(segments) // apart
        for plane in range(apart):
            yield self._decode_segments(
                segments[plane * per_plane : (plane + 1) * per_plane], samples // apart
            )

    def _decode_segments(self, segments: Sequence[bytes], samples: int) -> np.ndarray:
        """Return the values in strips or tiles, `(H, W, samples)`; Pillow sees grey pixels of their bytes."""
        from PIL.TiffImagePlugin import TiffImageFile

        tags, (width, height), (columns, rows) = self.parts[0], self.size, self._segment_size
        across, size = math.ceil(width / columns), columns * samples * self.dtype.itemsize
        header = {_Tag.WIDTH: across * size, _Tag.HEIGHT: height, _Tag.BITS: 8, _Tag.PHOTOMETRIC: 1}
        header |= {
            _Tag.COMPRESSION: self.tag_value(_Tag.COMPRESSION),
            _Tag.FILL_ORDER: self.tag_value(_Tag.FILL_ORDER),
        }
        tiled = _Tag.TILES in tags
        header |= {_Tag.TILE_WIDTH: size, _Tag.TILE_HEIGHT: rows} if tiled else {_Tag.ROWS: rows}
        entries = {
            int(tag): Entry(4, 1, struct.pack(f"{tags.order}I", value)) for tag, value in header.items()
        }
        stored = np.array(TiffImageFile(build_tiff(tags.order, entries, segments, tiled)))
        values = self._undo_predictor(stored.reshape(height, across, size), samples)
        return values.reshape(height, across * columns, samples)[:, :width]

    def _undo_predictor(self, stored: np.ndarray, samples: int) -> np.ndarray:
        """Return the values of bytes `(H, segments across, size)`, with a predictor's differences summed."""
        predictor, (height, across, _) = self.tag_value(_Tag.PREDICTOR), stored.shape
        if predictor == 3:  # of floats: differences of bytes; the first byte of all values, then the second
            sums = np.add.accumulate(stored.reshape(height, across, -1, samples), axis=2, dtype="uint8")
            split = sums.reshape(height, across, self.dtype.itemsize, -1).swapaxes(2, 3)
            return np.ascontiguousarray(split).view(self.dtype.newbyteorder(">"))
        values = stored.view(self.dtype).reshape(height, across, -1, samples)
        if predictor != 2:
            return values
        return np.add.accumulate(values, axis=2, dtype=self.dtype.newbyteorder("="))

    @property
    def _segment_size(self) -> tuple[int, int]:
        """Width and height of a tile, or of a strip."""
        width, height = self.size
        if _Tag.TILES not in self.parts[0]:
            return width, min(max(self.tag_value(_Tag.ROWS), 1), height)
        return max(self.tag_value(_Tag.TILE_WIDTH), 1), max(self.tag_value(_Tag.TILE_HEIGHT), 1)

    def _segments(self, part: Tags) -> list[bytes]:
        """Return the compressed strips or tiles of a directory."""
        tiled, (width, height), (columns, rows) = _Tag.TILES in part, self.size, self._segment_size
        places = _tag_values(part, _Tag.TILES if tiled else _Tag.STRIPS)
        sizes = _tag_values(part, _Tag.TILE_SIZES if tiled else _Tag.STRIP_SIZES)
        planes = self.tag_value(_Tag.SAMPLES) if self.tag_value(_Tag.PLANAR) == 2 else 1
        expected = math.ceil(width / columns) * math.ceil(height / rows) * planes
        if len(places) != expected or len(sizes) != expected:
            raise ValueError(f"it tells of {len(places)} strips or tiles, and should of {expected}")
        return part.read_segments(places, sizes)


def open_page(name: str, file: BinaryIO, number: int | None = None) -> Page:
    """Return a page of a TIFF file; thumbnails and transparency masks do not count as pages.

    Args:
        name: what messages call the file.
        file: the file; it stays open until the pixels are read.
        number: of the page, from 0; None where there is one alone, or where ImageJ's channels are the pages.

    Raises:
        UserError: several pages of which none is chosen, no such page, or a compression that is not read.
        ValueError: the file is damaged.
    """
    directories = read_directories(file)
    full = [tags for tags in directories if not _is_reduced(tags)] or directories[:1]
    counts = _imagej_counts(full[0])
    count = max(len(full), counts.get("images", 0))
    if number is None and counts.get("channels") == len(full) == count:
        return _check_page(Page(name, tuple(full)))
    if number is None and count > 1:
        raise UserError(
            f"{name} holds {count} pages, and none is chosen",
            f"save one as a file of its own, or, of images, choose it: --set data.page=0 (to {count - 1})",
        )
    if (number or 0) >= len(full):
        raise UserError(f"{name} has no page {number}, only 0 to {len(full) - 1}", "choose one of them")
    return _check_page(Page(name, (full[number or 0],)))


def _check_page(page: Page) -> Page:
    """Return the page if it can be decoded; raise otherwise."""
    if page.tag_value(_Tag.COMPRESSION) not in _READ:
        compression = _compression_name(page.tag_value(_Tag.COMPRESSION))
        raise UserError(f"{page.name} is compressed as {compression}, which is not read in TIFF", _RESAVE)
    if min(page.size) < 1 or not 1 <= page.tag_value(_Tag.SAMPLES) < 2**16:
        raise ValueError("it has no pixels")
    alike = (_Tag.WIDTH, _Tag.HEIGHT, _Tag.BITS, _Tag.SAMPLES, _Tag.FORMAT, _Tag.PLANAR, _Tag.COMPRESSION)
    if len({tuple(_tag_values(part, tag) for tag in alike) for part in page.parts}) > 1:
        raise UserError(f"{page.name} has channels of different kinds", "choose one with --set data.page=0")
    return page


def _tag_values(tags: Tags, tag: _Tag) -> tuple[int, ...]:
    return tags.numbers(tag, _DEFAULTS.get(tag, 1))


def _is_reduced(tags: Tags) -> bool:
    """Whether a directory is a smaller copy or a transparency mask of another page."""
    return bool(_tag_values(tags, _Tag.SUBFILE)[0] & 5) or _tag_values(tags, _Tag.OLD_SUBFILE)[0] == 2


def _imagej_counts(tags: Tags) -> Mapping[str, int]:
    """Return the counts of images and channels in ImageJ's description of a file."""
    if _Tag.DESCRIPTION not in tags:
        return {}
    text = tags.entry(_Tag.DESCRIPTION).data[:4096].decode("latin-1")
    matches = (
        re.findall(r"^(images|channels)=(\d{1,9})\s*$", text, re.M) if text.startswith("ImageJ=") else []
    )
    return {name: int(number) for name, number in matches}


def _compression_name(compression: int) -> str:
    return _COMPRESSIONS.get(compression, f"scheme {compression}")
