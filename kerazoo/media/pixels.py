"""Conversion of stored pixels to 8-bit RGB."""

from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import AfterValidator, Field

from kerazoo.errors import UserError
from kerazoo.media.exif import orientation
from kerazoo.media.tiff import Page
from kerazoo.settings import settings

if TYPE_CHECKING:
    from PIL import Image, ImageFile

_TURNS = {
    2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE",
    6: "ROTATE_270", 7: "TRANSVERSE", 8: "ROTATE_90",
}  # fmt: skip
"""What makes an image of each orientation upright."""

_SIDEWAYS = (5, 6, 7, 8)

Band = Annotated[int, Field(ge=0)]


def _check_increasing(bounds: tuple[float, float]) -> tuple[float, float]:
    if bounds[0] >= bounds[1]:
        raise ValueError("the first value becomes black and the second white, so it must be larger")
    return bounds


@settings
class ImageReading:
    """Options for reading image files; ordinary files need none of them.

    Attributes:
        page: of TIFF files with several pages, such as stacks; from 0.
        bands: channels that become red, green and blue, or the one that becomes grey; from 0.
        range: stored values that become black (0) and white (255), where they have more than 8 bits.
    """

    page: Band | None = None
    bands: tuple[Band] | tuple[Band, Band, Band] | None = None
    range: Annotated[tuple[float, float], AfterValidator(_check_increasing)] | None = None


def to_rgb(image: "ImageFile.ImageFile | Page", name: str, how: ImageReading) -> np.ndarray:
    """Return an opened image as uint8 `(H, W, 3)`, RGB, upright.

    Args:
        image: as Pillow opens it, or the page of a TIFF file.
        name: what messages call it.
        how: what is read, and what is black and white.

    Raises:
        UserError: nobody says which channels are the colours, or which values black and white.
    """
    from PIL import Image

    values = stored_values(image, name, how)
    if isinstance(image, Page):
        assert values is not None
        grey = _to_uint8(values, name, how.range)
        return _apply_orientation(Image.fromarray(255 - grey if image.inverted else grey), image.orientation)
    if values is not None:
        known = image.format == "PPM" and image.mode == "I"  # its header tells which value is white
        eight: Image.Image = Image.fromarray(_to_uint8(values, name, None if known else how.range))
    elif how.range is not None and ";16" in raw_mode(image):
        raise UserError(f"{name} has colours of 16 bits, of which data.range can be told in TIFF only",
                        "save it as TIFF, or leave data.range out")  # fmt: skip
    else:
        eight = image
    image.load()
    pixels = _apply_orientation(eight, orientation(image.info))
    if how.bands is None:
        return pixels
    three = how.bands if len(how.bands) == 3 else how.bands * 3
    return np.ascontiguousarray(_select_bands(pixels, three, name))


def stored_values(image: "ImageFile.ImageFile | Page", name: str, how: ImageReading) -> np.ndarray | None:
    """Return the stored values of an image with more than 8 bits or with channels to choose from.

    Returns:
        `(H, W)` or `(H, W, 3)` numbers, neither inverted nor turned; None for usual images of 8 bits.

    Raises:
        UserError: nobody says which channels are the colours.
    """
    if isinstance(image, Page):
        bands = how.bands or image.colours
        if bands is None:
            raise UserError(
                f"{name} has {image.channels} channels, and nothing tells which are red, green and blue",
                "choose one as grey, such as --set data.bands=[0], or three, such as [2,1,0]",
            )
        return _select_bands(_unpremultiply(image), bands, name)
    if image.mode[0] not in "IF":
        return None
    return np.array(image, "uint16") if image.format == "PPM" and image.mode == "I" else np.array(image)


def upright_size(image: "ImageFile.ImageFile | Page") -> tuple[int, int]:
    """Return width and height of an opened image after it is turned upright."""
    if isinstance(image, Page):
        turned = image.orientation in _SIDEWAYS
    elif image.format == "TIFF":  # Pillow has turned the size of such already
        turned = False
    else:
        if image.format == "PNG":  # in which metadata may come last
            image.load()
        turned = orientation(image.info) in _SIDEWAYS
    width, height = image.size
    return (height, width) if turned else (width, height)


def pgm_values(image: "ImageFile.ImageFile") -> np.ndarray:
    """Return the stored values of a PGM file, which Pillow rescales: uint8 or uint16."""
    arguments: Any = image.tile[0].args
    white = 255 if image.mode == "L" else 65535
    stored = white if isinstance(arguments, str) else int(arguments[1])
    values = np.rint(np.array(image, "float64") * (stored / white))
    return values.astype("uint8" if stored < 256 else "uint16")


def raw_mode(image: "ImageFile.ImageFile") -> str:
    """Return Pillow's raw mode, which names the layout of the stored pixels."""
    arguments = image.tile[0].args if image.tile else ""
    return arguments if isinstance(arguments, str) else str((arguments or [""])[0])


def _unpremultiply(page: Page) -> np.ndarray:
    """Return the values of a page; premultiplied colours are divided by their opacity."""
    values = page.values()
    multiplied = [channel for channel, is_multiplied in page.alpha.items() if is_multiplied]
    if not multiplied or values.dtype.kind != "u":
        return values
    white, alpha = np.iinfo(values.dtype).max, list(page.alpha)
    share = values[..., multiplied[:1]] / white
    divided = np.divide(values, share, out=np.zeros(values.shape), where=share > 0)
    divided[..., alpha] = values[..., alpha]
    return np.minimum(divided, white).astype(values.dtype)


def _select_bands(values: np.ndarray, bands: tuple[int, ...], name: str) -> np.ndarray:
    """Return the selected channels; a single one has no channel axis."""
    count = values.shape[-1]
    if max(bands) >= count:
        raise UserError(f"{name} has {count} channels and no channel {max(bands)}, counted from 0",
                        "choose others with data.bands")  # fmt: skip
    return values[..., bands[0]] if len(bands) == 1 else values[..., list(bands)]


def _to_uint8(values: np.ndarray, name: str, bounds: tuple[float, float] | None) -> np.ndarray:
    """Return values scaled to uint8, of the same shape."""
    if values.dtype == np.uint8:
        return np.ascontiguousarray(values)
    if bounds is not None:
        low, high = bounds
        real = values.astype("float32" if values.itemsize <= 2 else "float64")
        with np.errstate(over="ignore"):
            scaled = np.nan_to_num((real - low) * (255 / (high - low)), nan=0)
        return np.clip(np.rint(scaled), 0, 255).astype("uint8")
    if values.dtype.kind == "u" and values.itemsize == 2:
        return (values >> 8).astype("uint8")
    raise UserError(
        f"{name} holds {values.dtype.name} numbers, and nothing tells which are black and white",
        "say it with --set data.range=[LOW,HIGH], or save it as unsigned 8 or 16 bits",
    )


def _apply_orientation(image: "Image.Image", orientation: int) -> np.ndarray:
    from PIL import Image

    if orientation in _TURNS:
        image = image.transpose(Image.Transpose[_TURNS[orientation]])
    return np.array(image if image.mode == "RGB" else image.convert("RGB"))
