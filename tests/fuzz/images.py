"""Image files of all kinds, fuzzed."""

from pathlib import Path

import numpy as np

from tests.fuzz.reader import Reader

IMAGES = ("png", "jpg", "gif", "bmp", "webp", "pgm", "jp2", "tga", "ico", "avif")


def _images(folder: Path) -> None:
    from PIL import Image, PngImagePlugin

    pixels = np.random.default_rng(0).integers(0, 256, (16, 24, 3), "uint8")
    exif, text = Image.Exif(), PngImagePlugin.PngInfo()
    exif[0x0112], exif[0x010E] = 6, "a description"
    text.add_text("a name", "a text" * 20, zip=True)
    for suffix in IMAGES:
        options = {"exif": exif} if suffix in ("png", "jpg", "webp") else {}
        options |= {"pnginfo": text} if suffix == "png" else {}
        Image.fromarray(pixels if suffix != "pgm" else pixels[..., 0]).save(folder / f"a.{suffix}", **options)


def _tiffs(folder: Path) -> None:
    import tifffile

    values = np.random.default_rng(0).integers(0, 2**16, (5, 24, 40), "uint16")
    tifffile.imwrite(folder / "tiles.tif", values, planarconfig="separate", photometric="minisblack",
                     tile=(16, 16), compression="deflate", predictor=True)  # fmt: skip
    tifffile.imwrite(folder / "strips.tif", np.moveaxis(values, 0, -1), planarconfig="contig", byteorder=">",
                     photometric="minisblack", rowsperstrip=10, bigtiff=True)  # fmt: skip
    tifffile.imwrite(folder / "stack.tif", values[:3], imagej=True, metadata={"axes": "CYX"})
    tifffile.imwrite(folder / "usual.tif", (values[:3] >> 8).astype("uint8").transpose(1, 2, 0))


def _read_images(folder: Path) -> None:
    from kerazoo.errors import UserError
    from kerazoo.image import read_image
    from kerazoo.media.pixels import ImageReading

    errors = []
    for path in sorted(folder.iterdir()):
        try:
            read_image(path, 10**6, ImageReading(bands=(0, 1, 2), range=(0, 65535)))
        except UserError as error:
            errors.append(error)
    for error in errors:
        raise error


READERS = {
    "images": Reader(_images, _read_images),
    "tiff": Reader(_tiffs, _read_images),
}
