"""COCO's key points: photographs, people with points, crowds."""

import functools
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from kerazoo.data.keypoints import SPLITS, Keypoints, Listed, Photograph, divided, finite, read_annotations
from kerazoo.data.source import Split
from kerazoo.errors import UserError
from kerazoo.settings import nearest, settings

REMEDY = "mend or remove it"


@settings
class CocoKeypoints(Keypoints):
    """A COCO annotation file with key points, or a folder with one for each split.

    In a folder these are `train.json`, `val.json` and `test.json`, in it or in `annotations/`, or COCO's own
    `annotations/person_keypoints_train2017.json` and so on; the photographs lie in folders of the split's
    name (`train/`, `train2017/`), in `images/`, or beside the file. Crowds and people none of whose points
    are labelled teach nothing where they are; of the annotations of other categories nothing is used.

    Attributes:
        category: whose points these are.
    """

    category: str = "person"

    def listed(self) -> Listed:
        return self._listed

    @functools.cached_property
    def _listed(self) -> Listed:
        if not self.root.is_dir():
            found = _read(self.root, self.category, self.images, "train")
            return Listed(found.names, found.category, divided(found.photographs, self), found.problems)
        files = {split: file for split in SPLITS if (file := _file_of(self.root, split))}
        if not files:
            raise UserError(
                f"{self.path} has no key points",
                "it should hold train.json and val.json, or COCO's annotations/",
            )
        read = {split: _read(file, self.category, self.images, split) for split, file in files.items()}
        first = next(iter(read.values()))
        others = [file for split, file in files.items() if read[split].names != first.names]
        problems = [problem for found in read.values() for problem in found.problems]
        problems += [
            UserError(f"{file} has other points than its neighbours", "use one skeleton") for file in others
        ]
        splits: dict[Split, list[Photograph]] = {
            split: read[split].photographs if split in read else [] for split in SPLITS
        }
        if "val" not in read:
            splits |= {
                k: v for k, v in divided(splits["train"], self).items() if k != "test" or "test" not in read
            }
        return Listed(first.names, first.category, splits, problems)


class _Read:
    """One file: point names, the category's number, its photographs, and what is wrong."""

    def __init__(self, names: tuple[str, ...], category: int):
        self.names, self.category = names, category
        self.photographs: list[Photograph] = []
        self.problems: list[UserError] = []


def _file_of(root: Path, split: Split) -> Path | None:
    names = (f"{split}.json", f"annotations/{split}.json", f"annotations/person_keypoints_{split}2017.json")
    return next((root / name for name in names if (root / name).is_file()), None)


def _read(file: Path, category: str, images: str | None, split: Split) -> _Read:
    content = read_annotations(file)
    parts = ("images", "annotations", "categories")
    if not isinstance(content, dict) or not all(isinstance(content.get(part), list) for part in parts):
        raise UserError(
            f"{file} is no COCO file of key points", "it needs images, annotations and categories"
        )
    found = _Read(*_points(content["categories"], category, file))
    photographs = _photographs(content["images"], file, found)
    known = {each.get("id") for each in content["categories"]}
    people = _people(content["annotations"], photographs, known, file, found)
    folder = _folder(file, photographs, images, split)
    for number, told in photographs.items():
        path = folder / told["file_name"]
        if not path.is_file():
            found.problems.append(
                UserError(f"{file}: image {number}: there is no {path}", "add it, or set data.images")
            )
        else:
            found.photographs.append(_photograph(path, number, people.get(number, []), len(found.names)))
    if not any(photograph.visible.any() for photograph in found.photographs) and not found.problems:
        raise UserError(f"{file} has no person with labelled points", "check the file")
    return found


def _points(categories: list[Any], category: str, file: Path) -> tuple[tuple[str, ...], int]:
    """Return the names of a category's points and its number."""
    named = {each.get("name"): each for each in categories if isinstance(each, dict)}
    if category not in named:
        raise UserError(
            f"{file} has no category {category!r}", nearest(category, [str(name) for name in named])
        )
    points = named[category].get("keypoints")
    if not isinstance(points, list) or not points:
        raise UserError(f"{file}: its category {category!r} has no keypoints", "take a file of key points")
    return tuple(map(str, points)), named[category].get("id", 1)


def _photographs(images: list[Any], file: Path, found: _Read) -> dict[int, dict[str, Any]]:
    """Return what is told of every image, by its number."""
    numbers = Counter(each.get("id") for each in images if isinstance(each, dict))
    found.problems += [
        UserError(f"{file}: image {number} is listed {count} times", "give every image a number of its own")
        for number, count in numbers.items()
        if count > 1
    ]
    whole = [each for each in images if isinstance(each, dict) and isinstance(each.get("file_name"), str)]
    if len(whole) < len(images):
        found.problems.append(
            UserError(f"{file}: {len(images) - len(whole)} images have no file_name", REMEDY)
        )
    return {each["id"]: each for each in whole if isinstance(each.get("id"), int)}


def _people(
    annotations: list[Any], photographs: dict[int, dict], known: set, file: Path, found: _Read
) -> dict[int, list[dict]]:
    """Return the sound annotations of the category, by image."""
    people: dict[int, list[dict]] = {}
    seen: set = set()
    for told in annotations:
        name = f"{file}: annotation {told.get('id') if isinstance(told, dict) else told!r}"
        problem = _problem(told, photographs, known, seen, found)
        if problem:
            found.problems.append(UserError(f"{name} {problem}", REMEDY))
        elif told["category_id"] == found.category:
            people.setdefault(told["image_id"], []).append(told)
    return people


def _problem(told: Any, photographs: dict[int, dict], known: set, seen: set, found: _Read) -> str:
    """Return what is wrong with an annotation, or nothing."""
    if not isinstance(told, dict):
        return "is no object"
    if told.get("id") in seen:
        return "is listed twice"
    seen.add(told.get("id"))
    if told.get("category_id") not in known:
        return f"is of an unknown category {told.get('category_id')!r}"
    if told["category_id"] != found.category:
        return ""
    if told.get("image_id") not in photographs:
        return f"is of an unknown image {told.get('image_id')!r}"
    if not finite(told.get("bbox"), 4) or min(told["bbox"][2:]) < 0:
        return f"has no box but {told.get('bbox')!r}"
    image, (left, top, width, height) = photographs[told["image_id"]], told["bbox"]
    if (
        left >= image.get("width", np.inf)
        or top >= image.get("height", np.inf)
        or left + width <= 0
        or top + height <= 0
    ):
        return "has a box outside the image"
    if told.get("iscrowd"):
        return ""
    points = told.get("keypoints", [0] * (3 * len(found.names)))
    if not isinstance(points, list) or len(points) != 3 * len(found.names):
        count = len(points) / 3 if isinstance(points, list) else 0
        return f"has {count:g} keypoints, its category {len(found.names)}"
    return "" if finite(points, len(points)) else "has keypoints that are no numbers"


def _folder(file: Path, photographs: dict[int, dict], images: str | None, split: Split) -> Path:
    """Return where the first of the photographs is."""
    root = file.parent.parent if file.parent.name == "annotations" else file.parent
    places = [
        root / f"{split}2017",
        root / split,
        root / "images" / split,
        root / "images",
        file.parent,
        root,
    ]
    places = [Path(images).expanduser()] if images else places
    first = next(iter(photographs.values()), {"file_name": ""})["file_name"]
    return next(
        (place for place in places if (place / first).is_file()), places[0] if images else file.parent
    )


def _photograph(path: Path, number: int, people: list[dict], count: int) -> Photograph:
    crowds = [told for told in people if told.get("iscrowd")]
    persons = [told for told in people if not told.get("iscrowd")]
    given = [told.get("keypoints") or [0] * (3 * count) for told in persons]
    points = np.array(given, "float32").reshape(-1, count, 3)
    visible = points[..., 2].clip(0, 2).astype("uint8")
    boxes, ignored = (
        np.array([told["bbox"] for told in some], "float32").reshape(-1, 4) for some in (persons, crowds)
    )
    areas = [told.get("area") or told["bbox"][2] * told["bbox"][3] for told in persons]
    unlabelled = [told for told, seen in zip(persons, visible, strict=True) if not seen.any()]
    silent = [told.get("segmentation") or told["bbox"] for told in (*crowds, *unlabelled)]
    return Photograph(
        path, number, points[..., :2], visible, boxes, np.array(areas, "float32"), ignored, silent
    )
