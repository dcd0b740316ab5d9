"""Foreign text, such as names of files and classes, made safe to print and to draw."""

import functools
import re
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import ImageFont

_COMMANDS = re.compile("[\0-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, line breaks, changes of the direction of writing, and halves of characters."""


def printable(text: str) -> str:
    """Return a text as one line without characters that control a terminal.

    Control characters, line breaks, changes of the direction of writing, and bytes of file names that are
    not UTF-8 become escapes as in JSON, such as `\\u001b` and `\\udce9`.
    """
    return _COMMANDS.sub(lambda match: _escape(match[0]), text)


def drawable(text: str) -> str:
    """Return a text with only the characters that `font` has; all others are escaped."""
    available = _font_characters()
    composed = unicodedata.normalize("NFC", printable(text))
    return "".join(char if ord(char) in available else _escape(char) for char in composed)


def is_unicode(text: str) -> bool:
    """Whether a text is valid Unicode: file names that are not UTF-8 become lone surrogates in Python."""
    return not re.search("[\ud800-\udfff]", text)


@functools.cache
def font(size: int) -> "ImageFont.FreeTypeFont":
    """Return the font DejaVu Sans, which comes with matplotlib, in a size of `size` pixels."""
    from PIL import ImageFont

    return ImageFont.truetype(_font_file(), size)


def _escape(char: str) -> str:
    number = ord(char)
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def _font_file() -> Path:
    import matplotlib

    return Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")


@functools.cache
def _font_characters() -> frozenset[int]:
    from matplotlib.ft2font import FT2Font

    return frozenset(FT2Font(str(_font_file())).get_charmap())
