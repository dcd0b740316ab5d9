"""The readers of boxes that are fuzzed."""

from pathlib import Path

from tests.fuzz.reader import Reader


def _boxes(folder: Path) -> None:
    box = '"bbox": [4, 5.5, 20, 30], "score": 0.9'
    (folder / "a.json").write_text(
        f'[{{"image_id": 785, {box}, "category_id": 1}}, {{"file_name": "a/b.png", {box}}}]'
    )
    person = '{"box": [4, 5.5, 20, 30], "score": 0.9, "class": "person"}'
    video = f'{{"image": "c.mp4", "frame": 3, "objects": [{person}]}}'
    (folder / "a.jsonl").write_text(f'{{"image": "a/b.png", "people": [{person}]}}\n{video}\n')


def _read_boxes(folder: Path) -> object:
    from kerazoo.data.keypoints.box_files import read_boxes

    images = [Path("000000000785.jpg"), Path("a/b.png"), Path("c.mp4")]
    found = [read_boxes(folder / name, images) for name in ("a.json", "a.jsonl")]
    return [
        boxes.in_image(image, (48, 64), 3 if n == 2 else None)
        for boxes in found
        for n, image in enumerate(images)
    ]


READERS = {
    "boxes": Reader(_boxes, _read_boxes),
}
