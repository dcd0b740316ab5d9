"""The verb predict: images and videos in, images, masks and JSON out."""

import contextlib
import itertools
import math
from collections import deque
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np

from kerazoo.data.keypoints.box_files import read_boxes
from kerazoo.engine.options import options_for
from kerazoo.engine.outputs import Row, holds_any, shortened, stems
from kerazoo.engine.pipeline import stage
from kerazoo.engine.progress import Progress, VideoProgress
from kerazoo.errors import UserError, error_context
from kerazoo.files.owned import check_owned
from kerazoo.files.reading import read_error
from kerazoo.files.writing import make_folder
from kerazoo.image import read_image, write_image
from kerazoo.media.video_writer import VideoWriter
from kerazoo.run import Run
from kerazoo.task import PLAIN, Options, Task
from kerazoo.tasks.detection.result_files import ResultFormat, result_notes, result_path, write_results
from kerazoo.tasks.fewshot import FewShot
from kerazoo.tasks.pose import TopDown
from kerazoo.tasks.verification import Verification
from kerazoo.video import is_video, open_video


class Question(NamedTuple):
    """An image to predict; in a video, `frame` is its number."""

    image: np.ndarray
    path: Path
    frame: int | None = None


Predictor = Callable[[Sequence[Question]], Sequence[Any]]
"""From images, at least one, to their results."""

_HELD = 2**22
"""Pixels of the images that wait to be predicted together; one may be larger."""

_LARGE_TILE = 1024
"""Pixels of a tile that is large enough for any network."""


def predict(
    run: Run,
    paths: Sequence[Path],
    output: Path,
    *,
    tile: int | None = None,
    tta: bool = False,
    boxes: Path | None = None,
    min_score: float | None = None,
    index: Path | None = None,
    top: int = 5,
    overlay: bool = True,
    batch_size: int = PLAIN.batch_size,
    results: Sequence[ResultFormat] = (),
) -> Generator[Row, None, None]:
    """Predict images and videos and write, for each, the result's files and an overlay.

    Whatever is wrong with an image or video becomes "error" in its row and stops nothing; what a video
    held until there is kept. So it is when the iterator is closed or interrupted. A camera
    ends in no other way.

    Args:
        run: what predicts.
        paths: image files, as `kerazoo.files.listing.find_images` gives them, videos
            (`kerazoo.video.SUFFIXES`), or cameras: camera:0.
        output: folder for the files; made if needed. A video gets an overlay only, as a video.
        tile: window for large images; None as the recipe says.
        tta: average over flips and turns.
        boxes: file of boxes to look for one person each in (`kerazoo.data.keypoints.box_files`), for
            families that do.
        min_score: of these boxes; by default 0.3 of a detector's, and any of kerazoo's own.
        index: file of `kerazoo.index`, in which the images nearest to each image are looked for.
        top: how many of these.
        overlay: draw results into images and videos, too.
        batch_size: images that the network gets together, at most (`kerazoo.task.batches`).
        results: formats that detections are written in as well, at the end
            (`kerazoo.tasks.detection.result_files.write_results`).

    Returns:
        An iterator: a JSON-ready row per image or frame: "image", in a video "frame" (from 0)
        and "seconds"; "height", "width" and "files", then what the task says of the result; or "error".
        A Siamese network without an index takes two images and gives one row: "image", "other", "files".

    Raises:
        UserError: the run cannot predict, boxes are unusable, nothing can be written to `output`, or
            result files are there that no prediction wrote.
    """
    if holds_any(output, paths):
        raise UserError(f"{output} holds the images themselves", "choose another --output")
    if min_score is not None and boxes is None:
        raise UserError(
            "a least score is of boxes, and there are none", "give --boxes, or leave --min-score out"
        )
    family = run.family
    if index is not None:
        predictor = _search_predictor(run, index, top, tile or tta or boxes or results)
    elif isinstance(family, FewShot):
        raise family.no_classes()
    else:
        options = options_for(
            family,
            tile=tile or run.recipe.tile,
            tta=tta,
            boxes=boxes is not None,
            results=bool(results),
            batch_size=batch_size,
        )
        if isinstance(family, Verification):
            return _pair_row(run, family, _two_images(paths), output, overlay)
        predictor = (
            _image_predictor(run, options)
            if boxes is None
            else _box_predictor(run, options, paths, boxes, min_score)
        )
    for to in results:
        check_owned(result_path(output, to))
        for note in result_notes(to, stems(paths), family.class_names()):
            Progress().say(note)
    make_folder(output)
    rows = _rows(run, predictor, paths, output, overlay, batch_size)
    return _with_results(rows, family, paths, output, results) if results else rows


def _search_predictor(run: Run, index: Path, top: int, others: Any) -> Predictor:
    from kerazoo.engine.index import searching

    if others:
        raise UserError(
            "a search takes no tiles, boxes, test-time averaging or result files", "leave them or --index out"
        )
    search = searching(run, index, top)
    return lambda questions: [search(question.image) for question in questions]


def _two_images(paths: Sequence[Path]) -> Sequence[Path]:
    if videos := [path for path in paths if is_video(path)]:
        raise UserError(f"this network compares images, and {videos[0]} is a video", "give 2 images")
    if len(paths) != 2:
        raise UserError(
            "this network compares 2 different images, and there "
            + (f"is only {paths[0]}" if len(paths) == 1 else f"are {len(paths)}"),
            "give 2, or search with --index FILE (made by: kerazoo index RUN FOLDER)",
        )
    return paths


def _image_predictor(run: Run, options: Options) -> Predictor:
    family = run.family
    _check_options(family, options)
    forward = run.forward
    return lambda questions: list(family.infer(forward, [each.image for each in questions], options))


def _box_predictor(
    run: Run, options: Options, paths: Sequence[Path], file: Path, min_score: float | None
) -> Predictor:
    boxes = read_boxes(file, paths, min_score)
    for note in boxes.notes:
        Progress().say(note)
    family, forward = cast(TopDown, run.family), run.forward

    def found(image: np.ndarray, path: Path, frame: int | None) -> Any:
        inside = boxes.in_image(path, image.shape[:2], frame)
        return family.infer_boxes(forward, image, *inside, tta=options.tta)

    return lambda questions: [found(*question) for question in questions]


class _NetworkReached(Exception):
    """The network would be run now: what comes before it was accepted."""


def _check_options(family: Task, options: Options) -> None:
    """Raise what the family says of the options, once and before any file is read; no network is run."""

    def forward(x: np.ndarray) -> dict[str, np.ndarray]:
        raise _NetworkReached

    side = min(options.tile or 0, _LARGE_TILE) + 32
    with contextlib.suppress(_NetworkReached):
        next(family.infer(forward, [np.zeros((side, side, 3), "uint8")], options))


def _rows(
    run: Run, predictor: Predictor, paths: Sequence[Path], output: Path, overlay: bool, batch_size: int
) -> Generator[Row, None, None]:
    """Yield the rows of all files, in their order; images that follow each other overlap."""
    named = zip(paths, stems(paths), strict=True)
    for video, group in itertools.groupby(named, lambda pair: is_video(pair[0])):
        if not video:
            yield from _image_rows(run, predictor, group, output, overlay, batch_size)
            continue
        for path, name in group:
            file = output / f"{name}_overlay.mp4" if overlay else None
            yield from _video_rows(run.family, predictor, path, file)


def _with_results(
    rows: Generator[Row, None, None],
    family: Task,
    paths: Sequence[Path],
    output: Path,
    formats: Sequence[ResultFormat],
) -> Generator[Row, None, None]:
    """Yield the rows; at their end, write what they say in other formats.

    Where they are interrupted, they are written, too, unless there are older ones (as `write_rows` does).
    """
    names = dict(zip(map(str, paths), stems(paths), strict=True))
    taken = set(names.values())
    described: dict[str, Row] = {}
    finished = False
    try:
        with contextlib.closing(rows):
            for row in rows:
                if "error" not in row:
                    name = names[row["image"]]
                    if "frame" in row:
                        name = _frame_name(f"{name}-{row['frame']:06}", taken)
                    if "yolo" in formats:
                        row["files"].insert(0, str(result_path(output, "yolo") / f"{name}.txt"))
                    described[name] = row
                yield row
        finished = True
    finally:
        for to in formats:
            path = result_path(output, to)
            if finished or not path.exists():
                path = write_results(output, to, described, family.class_names())
                Progress().say(f"results: {path}")
            else:
                Progress().say(f"{path} is that of before")


def _frame_name(name: str, taken: Collection[str]) -> str:
    """Return the name of a frame, unlike those of all images: one may be called as a frame is."""
    return name if name not in taken else _frame_name(f"{name}_frame", taken)


class _Answer(NamedTuple):
    """An image on its way through the stages; without a result where the row has an error."""

    row: Row
    path: Path
    stem: Path
    image: np.ndarray | None = None
    result: Any = None


def _image_rows(
    run: Run,
    predictor: Predictor,
    named: Iterable[tuple[Path, str]],
    output: Path,
    overlay: bool,
    batch_size: int,
) -> Generator[Row, None, None]:
    family = run.family

    def read(pair: tuple[Path, str]) -> _Answer:
        path, name = pair
        row: Row = {"image": str(path)}
        image = None
        with _error_in_row(row):
            image = read_image(path, how=run.recipe.data)
        return _Answer(row, path, output / name, image)

    def written(answer: _Answer) -> Row:
        if "error" not in answer.row:
            with _error_in_row(answer.row):
                _write(family, answer, overlay)
        return answer.row

    with contextlib.closing(stage(read, named)) as images:
        groups = _gathered(images, batch_size)
        yield from stage(written, itertools.chain.from_iterable(_answered(predictor, g) for g in groups))


def _gathered(answers: Iterable[_Answer], most: int) -> Iterator[list[_Answer]]:
    """Yield answers that follow each other in groups of at most `most` and about `_HELD` pixels."""
    group: list[_Answer] = []
    pixels = 0
    for answer in answers:
        group.append(answer)
        pixels += 0 if answer.image is None else math.prod(answer.image.shape[:2])
        if len(group) == most or pixels >= _HELD:
            yield group
            group, pixels = [], 0
    if group:
        yield group


def _answered(predictor: Predictor, group: Sequence[_Answer]) -> Iterator[_Answer]:
    """Yield the answers of a group with their results; where one fails, they are asked one by one."""
    asked = [Question(answer.image, answer.path) for answer in group if answer.image is not None]
    together: deque[Any] = deque()
    if len(asked) > 1:
        with contextlib.suppress(Exception):  # it comes again below, and goes into its own row
            together.extend(predictor(asked))
    for answer in group:
        if answer.image is not None:
            with _error_in_row(answer.row), error_context(answer.path):
                alone = () if together else predictor([Question(answer.image, answer.path)])
                answer = answer._replace(result=together.popleft() if together else alone[0])
        yield answer


def _write(family: Task, answer: _Answer, overlay: bool) -> None:
    """Describe a result in its row, and write its files and, if wanted, its overlay."""
    row, image, result, stem = answer.row, cast(np.ndarray, answer.image), answer.result, answer.stem
    row |= _result_fields(family, image, result, [])
    for file in family.save(result, stem):
        row["files"].append(str(file))
    if overlay:
        drawn = stem.with_name(f"{stem.name}_overlay.png")
        write_image(drawn, family.draw(image, result))
        row["files"].append(str(drawn))


def _pair_row(
    run: Run, family: Verification, paths: Sequence[Path], output: Path, overlay: bool
) -> Generator[Row, None, None]:
    """Yield the one row of two images that are compared."""
    forward = run.forward
    row: Row = {"image": str(paths[0]), "other": str(paths[1])}
    with _error_in_row(row):
        images = [read_image(path, how=run.recipe.data) for path in paths]
        result = next(family.infer(forward, [family.pair(images)]))
        row |= {"files": []} | family.describe(result)
        if overlay:
            drawn = output / f"{shortened('_'.join(stems(paths)))}_overlay.png"
            write_image(drawn, family.draw_pair(images, [path.name for path in paths], result))
            row["files"].append(str(drawn))
    yield row


def _video_rows(
    family: Task, predictor: Predictor, path: Path, overlay: Path | None
) -> Generator[Row, None, None]:
    ended: Row = {"image": str(path)}
    with _error_in_row(ended):
        video = open_video(path)
        ended["frame"] = 0
        frames = VideoProgress().through(video.frames(), video.frame_count, str(path))
        writer = contextlib.nullcontext() if overlay is None else VideoWriter(overlay, video.fps)
        with writer as written, contextlib.closing(frames):
            for image, number, seconds in frames:
                row = {"image": str(path), "frame": number, "seconds": round(seconds, 3)}
                if image is None:
                    row["error"] = f"frame {number} of {path} is damaged or missing"
                else:
                    with error_context(f"{path}, frame {number}"):
                        [result] = predictor([Question(image, path, number)])
                    if written is not None:
                        written.add(family.draw(image, result), seconds)
                    row |= _result_fields(family, image, result, [] if overlay is None else [overlay])
                ended["frame"] = number + 1
                yield row
        if (problem := video.problem()) is not None:
            ended |= {"frame": video.frames_read, "error": problem}
    if "error" in ended:
        yield ended


@contextlib.contextmanager
def _error_in_row(row: Row) -> Iterator[None]:
    """Put what goes wrong with a file into its row, whatever it is: the others go on."""
    try:
        yield
    except UserError as error:
        row["error"] = str(error)
    except OSError as error:  # of the disk that the file is on; what cannot be written is a UserError
        row["error"] = str(read_error(row["image"], error))
    except Exception as error:  # decoders, drivers and backends raise dozens of kinds
        reason = " ".join([f"{type(error).__name__}:", *str(error).split()])[:300]
        message = UserError(
            f"{row['image']} cannot be predicted: {reason}", "make it smaller, or leave it out"
        )
        row["error"] = str(message)


def _result_fields(family: Task, image: np.ndarray, result: Any, files: Sequence[Path]) -> Row:
    size = {"height": image.shape[0], "width": image.shape[1]}
    return size | {"files": [str(file) for file in files]} | family.describe(result)
