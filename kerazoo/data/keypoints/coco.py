"""Reading COCO's annotations of key points."""

import dataclasses
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kerazoo.data.annotations import (
    Ids,
    Key,
    ListedImage,
    Remarks,
    category_names,
    entry_errors,
    images_by_key,
    parse_key,
)
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


class _Category(NamedTuple):
    """A category, or several of the same name."""

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
        images = images_by_key(content["images"], file, remarks)
        folder, names = locate_images(file, [entry.name for entry in images.values()], self.images, remarks)
        sizes = [
            image.size or try_image_size(folder, name, self)
            for image, name in zip(images.values(), names, strict=True)
        ]
        annotated = _parse_people(content["annotations"], images, sizes, category, file, remarks)
        annotated = _check_people(annotated, file, remarks)
        truths = self._truths(annotated, category, list(images))
        parts = zip(truths, names, sizes, strict=True)
        existing = [AnnotatedImage(name, size, *entry) for entry, name, size in parts if name is not None]
        return AnnotatedImages(folder, existing, category.keys)

    def _truths(self, annotated: AnnotatedPeople, category: _Category, images: list[Key]) -> list[tuple]:
        """Return (people, which to train on, ignored regions) of every image."""
        boxes, areas = boxes_and_areas(annotated)
        points, visible = self.skeleton.convert_points(
            category.points, annotated.points.astype("float32"), annotated.visible
        )
        labelled = self.has_enough_points(visible, areas) & ~annotated.crowd
        # Annotations sorted by image, then cut where the next image begins: one array of indices per image.
        order = np.argsort(annotated.image_index, kind="stable")
        ends = np.searchsorted(annotated.image_index[order], np.arange(len(images)), side="right")
        truths = []
        for part, image in zip(np.split(order, ends)[:-1], images, strict=True):
            quiet = part[~labelled[part]].tolist()
            people, crowds = part[~annotated.crowd[part]], part[annotated.crowd[part]]
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
                parse_region(annotated.entries[index].get("segmentation"), boxes[index]) for index in quiet
            )
            truths.append((truth, labelled[people], ignore))
        return truths


def _find_category(categories: list[Any], name: str, file: Path, remarks: Remarks) -> _Category:
    """Return the category of a name."""
    objects = [category for category in categories if isinstance(category, dict)]
    with_points = dict.fromkeys(
        str(category.get("name")) for category in objects if category.get("keypoints")
    )
    if not with_points:
        raise UserError(f"{file} has no category with keypoints", "take the annotations of key points")
    if name not in with_points:
        remedy = nearest(name, list(with_points)) + ", with --set data.category"
        raise UserError(f"{file} has no category {name!r} with keypoints", remedy)
    matching = [category for category in objects if str(category.get("name")) == name]
    keys = [key for category in matching if (key := parse_key(category.get("id"))) is not None]
    if len(keys) < len(matching):
        raise UserError(f"{file}: the category {name!r} has no id", "give it a whole number")
    points, *others = [category["keypoints"] for category in matching if category.get("keypoints")]
    if not isinstance(points, list) or len({str(point) for point in points}) < len(points):
        raise UserError(f"{file}: the keypoints of {name!r} are no list of different names", "mend the file")
    if any(other != points for other in others):
        message = f"{file}: {len(matching)} categories are called {name!r}, with different keypoints"
        raise UserError(message, "give each a name of its own, and choose with --set data.category")
    if len(matching) > 1:
        ids = ", ".join(map(str, keys))
        remarks.warnings.append(f"{file}: the categories {ids} are all called {name!r} and taken for one")
    return _Category(name, tuple(keys), tuple(map(str, points)), category_names(objects, file))


def _parse_people(
    annotations: list[Any],
    images: dict[Key, ListedImage],
    sizes: list[tuple[int, int] | None],
    category: _Category,
    file: Path,
    remarks: Remarks,
) -> AnnotatedPeople:
    """Return the valid annotations of the category; report the others."""
    entries, image_index = _select_annotations(annotations, images, category, file, remarks)
    sides = np.array([size or (np.inf, np.inf) for size in sizes], "float64").reshape(-1, 2)
    people, wrong = parse_people(entries, image_index, sides[image_index], len(category.points))
    by_id = ((entries[index].get("id"), problem) for index, problem in sorted(wrong.items()))
    remarks.problems += entry_errors(file, "annotation", by_id)
    return people.select([index not in wrong for index in range(len(entries))])


def _check_people(people: AnnotatedPeople, file: Path, remarks: Remarks) -> AnnotatedPeople:
    """Return annotations with points clipped to their images; report implausible numbers."""
    points, visible = validate_points(
        people.points,
        people.visible,
        people.sizes,
        lambda index: f"annotation {people.entries[index].get('id')}",
        file,
        remarks,
    )
    checked = dataclasses.replace(people, points=points, visible=visible)
    check_boxes(checked, file, remarks)
    return checked


def _select_annotations(
    annotations: list[Any], images: dict[Key, ListedImage], category: _Category, file: Path, remarks: Remarks
) -> tuple[list[dict[str, Any]], np.ndarray]:
    """Return the annotations of the category and the index of each one's image."""
    categories, keys = Ids(category.names), Ids(images)
    image_indices = {key: image_index for image_index, key in enumerate(images)}
    entries, image_index, keys_read, left_out = [], [], set(), Counter[str]()
    wrong: list[tuple[object, str]] = []
    for index, entry in enumerate(annotations, 1):
        if not isinstance(entry, dict):
            wrong.append((f"number {index}", "is no object"))
            continue
        key, kind = parse_key(entry.get("id")), categories.find(entry.get("category_id"))
        problem = ""
        if key is not None and key in keys_read:
            problem = "is there twice"
        elif kind is None:
            problem = f"is of the unknown category {entry.get('category_id')!r:.80}"
        elif kind not in category.keys:
            left_out[category.names[kind] or f"category {kind}"] += bool(entry.get("keypoints"))
        elif (image := keys.find(entry.get("image_id"))) is None:
            problem = f"is of the unknown image {entry.get('image_id')!r:.80}"
        else:
            entries.append(entry)
            image_index.append(image_indices[image])
        keys_read.add(key)
        if problem:
            wrong.append((f"number {index}" if key is None else key, problem))
    remarks.problems += entry_errors(file, "annotation", wrong)
    if count := left_out.total():
        message = f"{file}: {count} annotation(s) with keypoints of {', '.join(+left_out)[:200]} are left out"
        remarks.warnings.append(f"{message}: data.category is {category.name!r}")
    return entries, np.array(image_index, int)
