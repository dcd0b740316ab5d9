"""COCO's key points: images, people with points, crowds."""

import dataclasses
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kerazoo.data.annotations import LARGEST, Ids, Key, Remarks, entry_errors, parse_key
from kerazoo.data.image_paths import locate_images
from kerazoo.data.keypoints.coco_people import AnnotatedPeople, boxes_and_areas, check_boxes, parse_people
from kerazoo.data.keypoints.plausible import validate_points
from kerazoo.data.keypoints.source import AnnotatedImage, AnnotatedImages, Keypoints, try_image_size
from kerazoo.data.regions import parse_region
from kerazoo.errors import UserError
from kerazoo.files.reading import read_json
from kerazoo.settings import nearest, settings
from kerazoo.structures.keypoints import People

_PARTS = ("images", "annotations", "categories")
_MEND = "mend or remove it"


class _Image(NamedTuple):
    name: str
    size: tuple[int, int] | None


class _Category(NamedTuple):
    """What is said of a category: of all that have its name."""

    name: str
    keys: tuple[Key, ...]
    points: tuple[str, ...]
    names: dict[Key, str]
    """Ids and names of all categories."""


@settings
class CocoKeypoints(Keypoints):
    """COCO's annotations of key points (https://cocodataset.org/#format-data).

    Crowds and people who are not labelled teach nothing where they are: in their polygons or run
    lengths or, without these, in their boxes. Points of visibility 0 are not labelled, whatever their place.
    Who has no box gets that of the labelled points; who has neither may be anywhere in the image. Ids are
    whole numbers or text. Annotations of other categories are left out.

    Attributes:
        category: whose points these are; several categories of that name are taken for one.
    """

    category: str = "person"

    def parse_file(self, file: Path, remarks: Remarks) -> AnnotatedImages:
        content = read_json(file)
        if not isinstance(content, dict) or not all(isinstance(content.get(part), list) for part in _PARTS):
            raise UserError(
                f"{file} has no lists {', '.join(_PARTS)}", "export the key points in COCO's form"
            )
        category = _find_category(content["categories"], self.category, file, remarks)
        self.check_points(category.points, file)
        images = _images_by_key(content["images"], file, remarks)
        folder, names = locate_images(file, [each.name for each in images.values()], self.images, remarks)
        sizes = [
            image.size or try_image_size(folder, name, self)
            for image, name in zip(images.values(), names, strict=True)
        ]
        told = _parse_people(content["annotations"], images, sizes, category, file, remarks)
        told = _check_people(told, file, remarks)
        truths = self._truths(told, category, list(images))
        parts = zip(truths, names, sizes, strict=True)
        there = [AnnotatedImage(name, size, *each) for each, name, size in parts if name is not None]
        return AnnotatedImages(folder, there, category.keys)

    def _truths(self, told: AnnotatedPeople, category: _Category, images: list[Key]) -> list[tuple]:
        """Return of every image its people, who of them is labelled, and where nothing is known."""
        boxes, areas = boxes_and_areas(told)
        points, visible = self.skeleton.convert_points(
            category.points, told.points.astype("float32"), told.visible
        )
        labelled = self.has_enough_points(visible, areas) & ~told.crowd
        order = np.argsort(told.image_index, kind="stable")
        ends = np.searchsorted(told.image_index[order], np.arange(len(images)), side="right")
        found = []
        for part, image in zip(np.split(order, ends)[:-1], images, strict=True):
            quiet = part[~labelled[part]].tolist()
            people, crowds = part[~told.crowd[part]], part[told.crowd[part]]
            truth = People(
                points[people],
                visible[people],
                boxes[people],
                areas[people],
                self.skeleton,
                crowds=boxes[crowds],
                image=image,
                category=category.keys[0],
            )
            ignore = tuple(
                parse_region(told.entries[each].get("segmentation"), boxes[each]) for each in quiet
            )
            found.append((truth, labelled[people], ignore))
        return found


def _find_category(categories: list[Any], name: str, file: Path, remarks: Remarks) -> _Category:
    """Return what is said of the categories of a name."""
    objects = [each for each in categories if isinstance(each, dict)]
    with_points = dict.fromkeys(str(each.get("name")) for each in objects if each.get("keypoints"))
    if not with_points:
        raise UserError(f"{file} has no category with keypoints", "take the annotations of key points")
    if name not in with_points:
        remedy = nearest(name, list(with_points)) + ", with --set data.category"
        raise UserError(f"{file} has no category {name!r} with keypoints", remedy)
    wanted = [each for each in objects if str(each.get("name")) == name]
    keys = [key for each in wanted if (key := parse_key(each.get("id"))) is not None]
    if len(keys) < len(wanted):
        raise UserError(f"{file}: the category {name!r} has no id", "give it a whole number")
    points, *others = [each["keypoints"] for each in wanted if each.get("keypoints")]
    if not isinstance(points, list) or len({str(point) for point in points}) < len(points):
        raise UserError(f"{file}: the keypoints of {name!r} are no list of different names", "mend the file")
    if any(other != points for other in others):
        told = f"{file}: {len(wanted)} categories are called {name!r}, with different keypoints"
        raise UserError(told, "give each a name of its own, and choose with --set data.category")
    if len(wanted) > 1:
        told = ", ".join(map(str, keys))
        remarks.warnings.append(f"{file}: the categories {told} are all called {name!r} and taken for one")
    return _Category(name, tuple(keys), tuple(map(str, points)), _category_names(objects, file))


def _category_names(categories: list[dict[str, Any]], file: Path) -> dict[Key, str]:
    """Return the names of categories by their ids."""
    known: dict[Key, str] = {}
    for each in categories:
        key = parse_key(each.get("id"))
        if key in known:
            raise UserError(f"{file}: the category id {key} is there twice", "give each an id of its own")
        known |= {} if key is None else {key: str(each.get("name"))}
    return known


def _images_by_key(images: list[Any], file: Path, remarks: Remarks) -> dict[Key, _Image]:
    """Return the images by id."""
    found: dict[Key, _Image] = {}
    for index, each in enumerate(images, 1):
        key = parse_key(each.get("id")) if isinstance(each, dict) else None
        name = each.get("file_name") if isinstance(each, dict) else None
        if key is None or not isinstance(name, str) or not name:
            which = f"number {index}" if key is None else key
            remarks.problems.append(UserError(f"{file}: image {which} has no id or no file_name", _MEND))
        elif key in found:
            told = f"{file}: image {key} is there twice"
            remarks.problems.append(UserError(told, "give each an id of its own"))
        else:
            size = _parse_side(each.get("height")), _parse_side(each.get("width"))
            found[key] = _Image(name, size if all(size) else None)
    twice = [name for name, count in Counter(image.name for image in found.values()).items() if count > 1]
    if twice:
        told = f"{len(twice)} image(s) have several ids, such as {twice[0]}"
        remarks.warnings.append(f"{file}: {told}; people of one id are unknown to the other")
    return found


def _parse_side(value: Any) -> int:
    """Return the length of a side in pixels, 0 where it is not told."""
    length = parse_key(value)
    return length if isinstance(length, int) and 0 < length < LARGEST else 0


def _parse_people(
    annotations: list[Any],
    images: dict[Key, _Image],
    sizes: list[tuple[int, int] | None],
    category: _Category,
    file: Path,
    remarks: Remarks,
) -> AnnotatedPeople:
    """Return the annotations of the category that say what they must."""
    entries, place = _select_annotations(annotations, images, category, file, remarks)
    sides = np.array([size or (np.inf, np.inf) for size in sizes], "float64").reshape(-1, 2)
    told, wrong = parse_people(entries, place, sides[place], len(category.points))
    named = ((entries[index].get("id"), problem) for index, problem in sorted(wrong.items()))
    remarks.problems += entry_errors(file, "annotation", named)
    return told.select([index not in wrong for index in range(len(entries))])


def _check_people(told: AnnotatedPeople, file: Path, remarks: Remarks) -> AnnotatedPeople:
    """Return annotations whose points are in their images, and tell what their numbers cannot mean."""
    points, visible = validate_points(
        told.points,
        told.visible,
        told.sizes,
        lambda index: f"annotation {told.entries[index].get('id')}",
        file,
        remarks,
    )
    found = dataclasses.replace(told, points=points, visible=visible)
    check_boxes(found, file, remarks)
    return found


def _select_annotations(
    annotations: list[Any], images: dict[Key, _Image], category: _Category, file: Path, remarks: Remarks
) -> tuple[list[dict[str, Any]], np.ndarray]:
    """Return the annotations of the category, and the number of the image that each is in."""
    categories, keys = Ids(category.names), Ids(images)
    places = {key: place for place, key in enumerate(images)}
    entries, place, seen, others = [], [], set(), Counter[str]()
    wrong: list[tuple[object, str]] = []
    for index, each in enumerate(annotations, 1):
        if not isinstance(each, dict):
            wrong.append((f"number {index}", "is no object"))
            continue
        key, kind = parse_key(each.get("id")), categories.find(each.get("category_id"))
        problem = ""
        if key is not None and key in seen:
            problem = "is there twice"
        elif kind is None:
            problem = f"is of the unknown category {each.get('category_id')!r:.80}"
        elif kind not in category.keys:
            others[category.names[kind]] += bool(each.get("keypoints"))
        elif (image := keys.find(each.get("image_id"))) is None:
            problem = f"is of the unknown image {each.get('image_id')!r:.80}"
        else:
            entries.append(each)
            place.append(places[image])
        seen.add(key)
        if problem:
            wrong.append((f"number {index}" if key is None else key, problem))
    remarks.problems += entry_errors(file, "annotation", wrong)
    if count := others.total():
        told = f"{file}: {count} annotation(s) with keypoints of {', '.join(+others)[:200]} are left out"
        remarks.warnings.append(f"{told}: data.category is {category.name!r}")
    return entries, np.array(place, int)
