"""The formats of artefacts, and the record that is kept of each."""

from dataclasses import dataclass
from typing import Literal

Format = Literal["savedmodel", "onnx", "litert", "keras"]

NEEDS = {
    "savedmodel": ("tensorflow",),
    "onnx": ("tensorflow", "tf2onnx", "onnx", "onnxruntime"),
    "litert": ("tensorflow",),
    "keras": ("tensorflow",),
}
"""The packages that write and verify each format."""

RECORD = "export.json"


@dataclass(frozen=True)
class Record:
    """What is read again of an artefact's entry in `export.json`."""

    format: str
    largest_difference: float
    sizes: list[str]
