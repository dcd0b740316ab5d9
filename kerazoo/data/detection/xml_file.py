"""Reading XML safely: no document type, no entities, a size limit, and the line of each element."""

from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

from kerazoo.errors import UserError
from kerazoo.files.reading import read_bytes

LARGEST = 1 << 24
"""Bytes of the largest file that is read."""


@dataclass
class Element:
    """An element.

    Attributes:
        tag: its name.
        line: of its start in the file, from 1.
        pieces: of the text that is written directly in it.
        children: the elements in it.
    """

    tag: str
    line: int
    pieces: list[str] = field(default_factory=list)
    children: list["Element"] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The text that is written directly in it, without white space around."""
        return "".join(self.pieces).strip()

    def child(self, tag: str) -> "Element | None":
        """Return the first child of that name, None if there is none."""
        return next((child for child in self.children if child.tag == tag), None)


def read_xml(path: Path, largest: int = LARGEST) -> Element:
    """Return the root element of a file.

    A document type is refused as soon as it begins, whatever the encoding: what it declares, such as
    entities that expand to gigabytes or that are other files, is never looked at.

    Raises:
        UserError: as `kerazoo.files.reading.open_file`; no XML, or with a document type.
    """
    data = read_bytes(path, largest)
    parser = expat.ParserCreate()
    parser.buffer_text = True
    top = Element("", 0)
    inside = [top]

    def start(tag: str, attributes: dict[str, str]) -> None:
        element = Element(tag, parser.CurrentLineNumber)
        inside[-1].children.append(element)
        inside.append(element)

    def refuse(*declaration: object) -> None:
        message = f"{path} has a document type (<!DOCTYPE ...>), which may declare anything"
        raise UserError(message, "remove it: annotations need none")

    parser.StartElementHandler, parser.EndElementHandler = start, lambda tag: inside.pop()
    parser.CharacterDataHandler = lambda text: inside[-1].pieces.append(text)
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = refuse
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, ValueError, LookupError) as error:  # also an encoding that is none
        raise UserError(f"{path} is no XML: {error}", "export it again") from None
    return top.children[0]
