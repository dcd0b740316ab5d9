"""The orientation of an image, from its metadata.

The orientation alone is read, so that nothing else in damaged metadata is of any matter.
"""

import re
from collections.abc import Mapping
from typing import Any, Literal

_ORIENTATION = 0x0112
_TYPES = {3: 2, 4: 4}
"""Bytes of the types that an orientation may have."""


def orientation(info: Mapping[Any, Any]) -> int:
    """Return EXIF's orientation, 1 (upright) to 8; 1 if there is none.

    Args:
        info: `PIL.Image.Image.info` of an image that is loaded.
    """
    value = _orientation_in_exif(info.get("exif") or _exif_in_text(info.get("Raw profile type exif", "")))
    return value or _orientation_in_xmp(info.get("XML:com.adobe.xmp") or info.get("xmp") or "") or 1


def _orientation_in_exif(data: bytes) -> int:
    """Return the orientation in a block of EXIF, 0 if there is none."""
    while data.startswith(b"Exif\0\0"):
        data = data[6:]
    if data[:2] not in (b"II", b"MM"):
        return 0
    order: Literal["little", "big"] = "little" if data[:2] == b"II" else "big"

    def number(place: int, size: int) -> int:
        return int.from_bytes(data[place : place + size], order)

    start = number(4, 4) + 2
    end = min(start + 12 * number(start - 2, 2), len(data) - 11)
    for entry in range(start, end, 12):
        if number(entry, 2) == _ORIENTATION:
            return _valid_orientation(number(entry + 8, _TYPES.get(number(entry + 2, 2), 0)))
    return 0


def _exif_in_text(text: str) -> bytes:
    """Return the EXIF block in a PNG's text chunk, as ImageMagick writes it: name, length, hex digits."""
    digits = "".join(text.split()[2:])
    return bytes.fromhex(digits) if re.fullmatch(r"([0-9a-fA-F]{2})*", digits) else b""


def _orientation_in_xmp(text: str | bytes) -> int:
    text = text if isinstance(text, str) else text.decode("latin-1")
    match = re.search(r'tiff:Orientation(="|>)([0-9])', text)
    return _valid_orientation(int(match[2])) if match else 0


def _valid_orientation(value: int) -> int:
    return value if 1 <= value <= 8 else 0
