"""Choosing the data source for a file of key points."""

from pathlib import Path

from kerazoo.data.annotations import Remarks, annotation_files
from kerazoo.data.keypoints.coco import CocoKeypoints
from kerazoo.data.keypoints.mpii import MpiiKeypoints
from kerazoo.data.source import Source
from kerazoo.errors import UserError
from kerazoo.files.reading import open_file


def keypoint_source(path: Path) -> type[Source]:
    """Return the source class for the key points at `path`: a JSON object is COCO's, a list MPII's.

    Raises:
        UserError: there is nothing, or something else.
    """
    file = next(iter(annotation_files(path.expanduser(), Remarks()).values()))
    with open_file(file) as content:
        start = content.read(4096).lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    if start not in (b"{", b"["):
        raise UserError(
            f"{file} holds no key points", "give COCO's or MPII's JSON, or a folder with train.json"
        )
    return CocoKeypoints if start == b"{" else MpiiKeypoints
