"""COCO's key points: photographs, people with points, crowds."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kerazoo.data.annotations import finite_rows, read_json
from kerazoo.data.keypoints import AREA_OF_BOX, Keypoints, Photograph
from kerazoo.data.regions import region
from kerazoo.errors import UserError
from kerazoo.settings import nearest, settings
from kerazoo.tasks.pose import People

_PARTS = ("images", "annotations", "categories")
_MEND = "mend or remove it"


class _Image(NamedTuple):
    name: str
    size: tuple[int, int] | None


class _Category(NamedTuple):
    number: int
    points: tuple[str, ...]
    known: set
    """Numbers of all categories."""


@settings
class CocoKeypoints(Keypoints):
    """COCO's annotations of key points (https://cocodataset.org/#format-data).

    Crowds and people who are not labelled teach nothing where they are: in their polygons or run
    lengths or, without these, in their boxes. Points of visibility 0 are not labelled, whatever their place.
    Annotations of other categories are left out.

    Attributes:
        category: whose points these are.
    """

    category: str = "person"

    def parsed(self, file: Path, problems: list[UserError]) -> list[Photograph]:
        content = read_json(file)
        if not isinstance(content, dict) or not all(isinstance(content.get(part), list) for part in _PARTS):
            raise UserError(
                f"{file} has no lists {', '.join(_PARTS)}", "export the key points in COCO's form"
            )
        category = _category(content["categories"], self.category, file)
        self.check_points(category.points, file)
        images = _images(content["images"], file, problems)
        told = _sound(content["annotations"], images, category, file, problems)
        return self._photographs(told, images, category)

    def _photographs(
        self, told: list[dict], images: dict[int, _Image], category: _Category
    ) -> list[Photograph]:
        """Return the photographs with what sound annotations tell of them."""
        count = len(category.points)
        flat = np.array([_keypoints(each, count) for each in told], "float32").reshape(-1, count, 3)
        given = flat[..., 2].astype("uint8")
        points, visible = self.skeleton.taken_from(category.points, flat[..., :2], given)
        boxes, areas = _boxes(told, images, points, visible)
        crowd = np.array([bool(each.get("iscrowd")) for each in told], bool)
        labelled = self.enough(visible, areas) & ~crowd
        places = {number: index for index, number in enumerate(images)}
        place = np.array([places[each["image_id"]] for each in told], int)
        order = np.argsort(place, kind="stable")
        ends = np.searchsorted(place[order], np.arange(len(images)), side="right")
        photographs = []
        for part, (number, image) in zip(np.split(order, ends)[:-1], images.items(), strict=True):
            quiet = part[~labelled[part]].tolist()
            people, crowds = part[~crowd[part]], part[crowd[part]]
            truth = People(
                points[people],
                visible[people],
                boxes[people],
                areas[people],
                self.skeleton,
                crowds=boxes[crowds],
                image=number,
                category=category.number,
            )
            silent = tuple(region(told[each].get("segmentation"), boxes[each]) for each in quiet)
            photographs.append(Photograph(image.name, image.size, truth, labelled[people], silent))
        return photographs


def _category(categories: list[Any], name: str, file: Path) -> _Category:
    """Return what is said of the category of a name."""
    objects = [each for each in categories if isinstance(each, dict)]
    with_points = {str(each.get("name")): each for each in objects if each.get("keypoints")}
    known = {_key(each.get("id")) for each in objects}
    if not with_points:
        raise UserError(f"{file} has no category with keypoints", "take the annotations of key points")
    if name not in with_points:
        remedy = nearest(name, list(with_points)) + ", with --set data.category"
        raise UserError(f"{file} has no category {name!r} with keypoints", remedy)
    points, number = with_points[name]["keypoints"], with_points[name].get("id")
    if not isinstance(points, list) or len({str(point) for point in points}) < len(points):
        raise UserError(f"{file}: the keypoints of {name!r} are no list of different names", "mend the file")
    if not isinstance(number, int):
        raise UserError(f"{file}: the category {name!r} has no number as id", "give it one")
    return _Category(number, tuple(map(str, points)), known)


def _images(images: list[Any], file: Path, problems: list[UserError]) -> dict[int, _Image]:
    """Return the photographs by number."""
    found: dict[int, _Image] = {}
    for index, each in enumerate(images, 1):
        number = each.get("id") if isinstance(each, dict) else None
        name = each.get("file_name") if isinstance(each, dict) else None
        if not isinstance(number, int) or not isinstance(name, str):
            which = number if isinstance(number, int) else f"number {index}"
            problems.append(UserError(f"{file}: image {which} has no id or no file_name", _MEND))
        elif number in found:
            problems.append(UserError(f"{file}: image {number} is there twice", "give each an id of its own"))
        else:
            sides = each.get("height"), each.get("width")
            found[number] = _Image(name, sides if all(isinstance(side, int) for side in sides) else None)
    return found


def _sound(
    annotations: list[Any],
    images: dict[int, _Image],
    category: _Category,
    file: Path,
    problems: list[UserError],
) -> list[dict]:
    """Return the annotations of the category that say what they must."""
    told, seen = [], set()
    for index, each in enumerate(annotations, 1):
        key = _key(each.get("id")) if isinstance(each, dict) else None
        problem = _placed(each, images, category) if isinstance(each, dict) else "is no object"
        if key is not None and key in seen:
            problem = "is there twice"
        seen.add(key)
        if problem:
            name = f"annotation {key if key is not None else f'number {index}'}"
            problems.append(UserError(f"{file}: {name} {problem}", _MEND))
        elif each["category_id"] == category.number:
            told.append(each)
    wrong = _misshapen(told, images, len(category.points))
    problems += [
        UserError(f"{file}: annotation {told[index].get('id')} {problem}", _MEND)
        for index, problem in wrong.items()
    ]
    return [each for index, each in enumerate(told) if index not in wrong]


def _placed(each: dict, images: dict[int, _Image], category: _Category) -> str:
    """Return what is wrong with where an annotation belongs, or nothing."""
    number, image = _key(each.get("category_id")), _key(each.get("image_id"))
    if number is None or number not in category.known:
        return f"is of the unknown category {each.get('category_id')!r}"
    if number == category.number and image not in images:
        return f"is of the unknown image {each.get('image_id')!r}"
    return ""


def _misshapen(told: list[dict], images: dict[int, _Image], count: int) -> dict[int, str]:
    """Return what is wrong with the numbers of annotations, by index."""
    boxes = finite_rows([each.get("bbox") for each in told], 4)
    points = finite_rows([_keypoints(each, count) for each in told], 3 * count).reshape(-1, count, 3)
    sizes = np.array([images[each["image_id"]].size or (np.inf, np.inf) for each in told]).reshape(-1, 2)
    left, top, width, height = boxes.T
    beyond = (left >= sizes[:, 1]) | (top >= sizes[:, 0]) | (left + width <= 0) | (top + height <= 0)
    beyond &= (width > 0) & (height > 0)  # COCO has a few boxes without extent
    wrong: dict[int, str] = {}
    for unsound, problem in (
        (~np.isin(points[..., 2], (0, 1, 2)).all(axis=1), "has keypoints of a visibility other than 0, 1, 2"),
        (np.isnan(points[:, 0, 0]), "has keypoints that are no finite numbers"),
        (beyond, "has a bbox outside the image"),
        (np.isnan(width) | (width < 0) | (height < 0), "has no bbox of left, top, width and height"),
    ):
        wrong |= dict.fromkeys(np.flatnonzero(unsound).tolist(), problem)
    for index in wrong:
        given = _keypoints(told[index], count)
        if not isinstance(given, list) or len(given) != 3 * count:
            length = len(given) if isinstance(given, list) else "no"
            wrong[index] = f"has {length} numbers as keypoints, {count} points need {3 * count}"
    return wrong


def _keypoints(each: dict, count: int) -> Any:
    """Return the numbers of a person's points; a crowd has none, nor have those whom nobody labelled."""
    return [0] * (3 * count) if each.get("iscrowd") else each.get("keypoints") or [0] * (3 * count)


def _boxes(
    told: list[dict], images: dict[int, _Image], points: np.ndarray, visible: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return boxes within their photographs, `(N, 4)`, and areas, `(N,)`, both float32.

    A box without extent becomes that of the labelled points.
    """
    boxes = np.array([each["bbox"] for each in told], "float64").reshape(-1, 4)
    flat = np.flatnonzero((boxes[:, 2:] <= 0).any(axis=1) & visible.any(axis=1))
    for index in flat:
        places = points[index][visible[index] > 0]
        boxes[index] = *places.min(axis=0), *np.maximum(np.ptp(places, axis=0), 1)
    sizes = np.array([images[each["image_id"]].size or (np.inf, np.inf) for each in told]).reshape(-1, 2)
    low = np.maximum(boxes[:, :2], 0)
    high = np.minimum(boxes[:, :2] + boxes[:, 2:], sizes[:, ::-1])
    clipped = np.concatenate([low, np.maximum(high - low, 0)], axis=1)
    areas = finite_rows([[each.get("area")] for each in told], 1)[:, 0]
    usual = AREA_OF_BOX * clipped[:, 2:].prod(axis=1)
    return clipped.astype("float32"), np.where(areas > 0, areas, usual).astype("float32")


def _key(value: Any) -> int | str | None:
    return value if isinstance(value, int | str) else None
