"""`kerazoo predict`: images and videos in, what is on them and images out."""

import contextlib
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kerazoo.cli import backend_option, directed, direction_option, run_argument, say, set_option
from kerazoo.files.text import printable

if TYPE_CHECKING:
    from kerazoo.task import Task
    from kerazoo.tasks.detection.result_files import ResultFormat


@click.command("predict")
@run_argument
@click.argument("paths", nargs=-1, required=True)
@click.option(
    "--output", type=Path, default=Path("predictions"), show_default=True, help="Folder for the files."
)
@click.option(
    "--json",
    "json_file",
    type=Path,
    metavar="FILE",
    help="Rows as JSON lines [default: OUTPUT/predictions.jsonl].",
)
@click.option(
    "--tile",
    type=click.IntRange(min=1),
    metavar="N",
    help="Predict in windows of N pixels, in bounded memory.",
)
@click.option("--weights", metavar="REF", help="Published weights to use: a path, hf:// or https://.")
@click.option(
    "--boxes",
    type=Path,
    metavar="FILE",
    help="Find a person in each of these boxes: COCO results or a predictions.jsonl.",
)
@click.option(
    "--min-score",
    type=click.FloatRange(min=0),
    metavar="S",
    help="Leave out boxes of a lower score [default: 0.3 in COCO results, none in a predictions.jsonl].",
)
@click.option(
    "--score",
    type=click.FloatRange(0, 1),
    metavar="S",
    help="Detection: leave out objects of a lower score. Short for --set family.score=S.",
)
@click.option(
    "--index",
    type=Path,
    metavar="FILE",
    help="Find the nearest images in this index (see kerazoo index).",
)
@click.option(
    "--top",
    type=click.IntRange(min=1),
    default=5,
    show_default=True,
    help="How many images of the index to show.",
)
@click.option(
    "--overlay/--no-overlay", default=True, help="Draw results into images and videos [default: do]."
)
@click.option(
    "--batch-size",
    type=click.IntRange(min=1),
    default=32,
    show_default=True,
    help="Give the network up to N images at once; large ones are fewer.",
)
@click.option(
    "--results",
    type=click.Choice(("coco", "voc", "yolo")),
    multiple=True,
    help="Detection: write this format, too; repeat for several.",
)
@click.option("--tta", is_flag=True, help="Average over flips (and quarter turns of masks).")
@direction_option
@set_option("family.mode=fast")
@backend_option
def command(
    run: str,
    paths: tuple[str, ...],
    output: Path,
    json_file: Path,
    tile: int,
    boxes: Path,
    min_score: float | None,
    score: float | None,
    index: Path,
    top: int,
    overlay: bool,
    batch_size: int,
    results: tuple["ResultFormat", ...],
    tta: bool,
    weights: str,
    direction: str | None,
    assignments: tuple[str, ...],
) -> None:
    """Run RUN on image files, folders and globs, videos and cameras.

    RUN is a run folder or a recipe: its newest run, else its published weights. PATHS may also
    be videos (such as clip.mp4) and cameras (camera:0): they are drawn on and written as a
    video, with a row of JSON per frame, while they run; Ctrl-C ends a camera and keeps what is there.
    A Siamese network takes two images, or with --index any number.
    """
    from kerazoo.engine.convert import run_or_weights
    from kerazoo.engine.outputs import find_inputs
    from kerazoo.engine.predict import predict
    from kerazoo.files.listing import unread_file_warnings_in
    from kerazoo.run import with_settings
    from kerazoo.video import SUFFIXES

    images, left_out = find_inputs(paths, output)
    for line in unread_file_warnings_in(paths, SUFFIXES):
        say(f"warning: {line}", err=True)
    if left_out:
        say(f"left out: {left_out} images in {output}, where results go", err=True)
    scored = () if score is None else (f"family.score={score}",)
    chosen = with_settings(run_or_weights(run, weights), (*assignments, *directed(direction), *scored))
    rows = predict(
        chosen,
        images,
        output,
        tile=tile,
        tta=tta,
        boxes=boxes,
        min_score=min_score,
        index=index,
        top=top,
        overlay=overlay,
        batch_size=batch_size,
        results=results,
    )
    failed = 0
    with _written(rows, json_file or output / "predictions.jsonl") as written:
        for row in _worth_a_line(written):
            failed += "error" in row
            say(_line(row, chosen.recipe.family), err="error" in row)
    raise SystemExit(2 if failed else 0)


@contextlib.contextmanager
def _written(rows: Generator[dict[str, Any], None, None], file: Path) -> Iterator[Iterator[dict[str, Any]]]:
    """Have rows written while they pass by; say where they are if they were cut short."""
    from kerazoo.engine.outputs import partial, write_rows

    try:
        with contextlib.closing(rows), contextlib.closing(write_rows(rows, file)) as written:
            yield written
    finally:
        if partial(file).exists():
            say(f"{file} is that of before; the rows until here are in {partial(file)}", err=True)


def _worth_a_line(rows: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the rows of images and of errors, and of videos the last; an error names all lost frames."""
    video = None
    for row in rows:
        frame = "seconds" in row
        if video is not None and not (frame and row["image"] == video["image"]):
            yield video
            video = None
        if not frame:
            yield row
        elif "error" not in row:
            video = row
    if video is not None:
        yield video


def _line(row: dict[str, Any], family: "Task") -> str:
    if "error" in row:
        return printable(f"Error: {row['error']}")
    summary = f"{row['frame'] + 1} frames" if "frame" in row else family.summary(row)
    names = " and ".join(row[name] for name in ("image", "other") if name in row)
    written = f" -> {row['files'][-1]}" if row["files"] else ""
    return printable(f"{names}{written}" + (f": {summary}" if summary else ""))
