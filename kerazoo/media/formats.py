"""The image formats that are read: their suffixes, signatures and readers."""

import functools
import importlib
from pathlib import Path
from typing import TYPE_CHECKING

from kerazoo.errors import UserError

if TYPE_CHECKING:
    from PIL import ImageFile

_USUAL = {
    ".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".tif", ".tiff", ".bmp", ".webp",
    ".gif", ".jp2", ".j2k", ".jpc", ".jpf", ".jpx", ".j2c", ".jpeg2000", ".avif", ".avifs",
    ".ppm", ".pgm", ".pbm", ".pnm", ".pfm",
}  # fmt: skip
_RARE = {
    ".blp", ".bw", ".cur", ".dcx", ".dds", ".dib", ".fit", ".fits", ".flc", ".fli", ".ftc", ".ftu", ".gbr",
    ".icb", ".icns", ".ico", ".iim", ".im", ".msp", ".pcd", ".pcx", ".psd", ".pxr", ".qoi", ".ras", ".rgb",
    ".rgba", ".sgi", ".tga", ".vda", ".vst", ".xbm", ".xpm",
}  # fmt: skip

SUFFIXES = frozenset(_USUAL | _RARE)
"""What counts as an image when a folder is searched: all that Pillow reads as images.

PostScript is left out, being a program, and what Pillow needs other programs for (WMF, GRIB, BUFR, HDF5).
"""

START = 64
"""So many bytes tell a format."""

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
    b"\xff\x4f\xff\x51": "Jpeg2K",
    b"\0\0\0\x0cjP  \r\n\x87\n": "Jpeg2K",
} | {b"P" + digit: "Ppm" for digit in (b"1", b"2", b"3", b"4", b"5", b"6", b"f", b"F")}
_REMEDY = "convert it to PNG, JPEG, TIFF, BMP, WebP or GIF"


def format_of(path: str, start: bytes) -> str:
    """Return Pillow's name for the format of a file, such as Png.

    The first bytes decide, whatever the name is; of formats that Pillow knows besides the usual ones,
    the name tells which one to try.

    Args:
        path: what messages call the file.
        start: its first `START` bytes.

    Raises:
        UserError: it is empty or of no format that is read.
    """
    if not start:
        raise UserError(f"{path} is empty (0 bytes)", "copy or export it again")
    if start[4:8] == b"ftyp":
        return _isobmff_format(path, start)
    joined = start[:4] + start[8:] if start.startswith(b"RIFF") else start
    name = next((name for signature, name in _SIGNATURES.items() if joined.startswith(signature)), None)
    return name or _rare_format(path, start)


def pillow_reader(name: str) -> type["ImageFile.ImageFile"]:
    """Return Pillow's reader class for a format.

    `Image.open` would refuse what is above Pillow's own, lower limit of pixels, and can
    only be told otherwise for the whole process.
    """
    if name == "Jpeg":
        return _jpeg_reader()
    module = "Bmp" if name == "Dib" else name
    return getattr(importlib.import_module(f"PIL.{module}ImagePlugin"), f"{name}ImageFile")


@functools.cache
def _jpeg_reader() -> type["ImageFile.ImageFile"]:
    from PIL.JpegImagePlugin import JpegImageFile

    class Jpeg(JpegImageFile):
        def _read_dpi_from_exif(self) -> None:
            """Do nothing: Pillow would look for the dots per inch, and warn of damaged EXIF."""

    return Jpeg


def _isobmff_format(path: str, start: bytes) -> str:
    """Return the format of an ISO base media file: AVIF and HEIC are such, and most videos."""
    from PIL import features

    brands = {start[place : place + 4] for place in (8, *range(16, len(start), 4))}
    if brands & {b"avif", b"avis"}:
        if not features.check("avif"):
            raise UserError(f"{path} is an AVIF image, which the installed Pillow does not read", _REMEDY)
        return "Avif"
    heic = brands & {b"heic", b"heix", b"mif1", b"hevc"}
    raise UserError(f"{path} is a {'HEIC image' if heic else 'video'}, which is not read here", _REMEDY)


def _rare_format(path: str, start: bytes) -> str:
    from PIL import Image

    suffix = Path(path).suffix.lower()
    if suffix in _RARE:
        Image.init()
        format_name = Image.registered_extensions().get(suffix, "")
        reader, accept = Image.OPEN.get(format_name, (None, None))
        if reader is not None and (accept is None or accept(start)):
            return reader.__name__.removesuffix("ImageFile")
    raise UserError(f"{path} is not an image of a known format", _REMEDY)
