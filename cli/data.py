"""`kerazoo data`: look at a data set before training on it, find anchors, write boxes in another format."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kerazoo.cli import json_option, recipe_argument, say, set_option, shots_option, warn, ways_option

if TYPE_CHECKING:
    from kerazoo.data.detection.layout import Format


@click.group("data")
def command() -> None:
    """Check a data set before training on it, find anchors for its boxes, or convert them."""


@command.command("check")
@recipe_argument
@click.option("--data", "folder", metavar="DIR", help="The data set; the recipe's own by default.")
@ways_option
@shots_option
@set_option("data.void=11")
@click.option("--picture", type=Path, metavar="FILE", help="Write a picture of classes, sizes and shapes.")
@json_option
def check(
    recipe: str,
    folder: str | None,
    ways: int | None,
    shots: int | None,
    assignments: tuple[str, ...],
    picture: Path | None,
    as_json: bool,
) -> None:
    """Read every file that RECIPE would train on; exit code 2 where something is wrong."""
    from kerazoo.engine.inspect import inspected_as_asked
    from kerazoo.engine.plan import Asked

    report = inspected_as_asked(recipe, Asked(assignments, folder, ways, shots))
    if picture:
        from kerazoo.data.check.picture import draw_report
        from kerazoo.image import write_image

        write_image(picture, draw_report(report))
    say(json.dumps(report.plain(), indent=2) if as_json else "\n".join(report.lines()))
    raise SystemExit(2 if report.problems else 0)


@command.command("anchors")
@recipe_argument
@click.option("--data", "folder", metavar="DIR", help="The data set; the recipe's own by default.")
@set_option("family.size=[416,416]")
@json_option
def anchors(recipe: str, folder: str | None, assignments: tuple[str, ...], as_json: bool) -> None:
    """Find the shapes of boxes that RECIPE's network tells boxes by, as the plan does; trains nothing."""
    from kerazoo.engine.anchors import find_anchors
    from kerazoo.engine.plan import Asked

    found = find_anchors(recipe, Asked(assignments, folder))
    say(json.dumps(found.plain(), indent=2) if as_json else "\n".join(found.lines()))


@command.command("convert")
@click.argument("data", metavar="IN")
@click.argument("output", metavar="OUT", type=Path)
@click.option("--to", required=True, type=click.Choice(["coco", "voc", "yolo"]), help="The format of OUT.")
@set_option("data.format=voc")
@json_option
def convert(data: str, output: Path, to: "Format", assignments: tuple[str, ...], as_json: bool) -> None:
    """Write the boxes of IN (COCO, Pascal VOC or YOLO) in another format, with copies of the images."""
    from kerazoo.engine.convert_data import convert_data

    done = convert_data(data, output, to, assignments)
    warn(done.warnings)
    say(json.dumps(done.plain(), indent=2) if as_json else "\n".join(done.lines()))
