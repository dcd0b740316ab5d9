"""Deciding, over all masks of a data set, which values stand for which classes."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from kerazoo.data.segmentation.mask_files import (
    Channel,
    Histogram,
    Summary,
    channel_histogram,
    summarise_mask,
    unpack_color,
)
from kerazoo.data.segmentation.mask_guess import guess_classes, mask_warnings, void_doubt, without_unused_void
from kerazoo.data.segmentation.masks import Color, MaskClasses
from kerazoo.errors import UserError
from kerazoo.settings import replace

_SHOWN = 3
"""Colours in the example of a classes.json."""


class DeclaredClasses(NamedTuple):
    """What the user declares about masks.

    Attributes:
        classes: of a run or of a classes.json, or None. Which channel of the files holds them is found out.
        names: of the classes in label order, or None.
        void: the value of unlabelled pixels, or None.
    """

    classes: MaskClasses | None = None
    names: tuple[str, ...] | None = None
    void: int | None = None


class MaskDecision(NamedTuple):
    """The decided classes or None, problems of masks, warnings, and facts for the report."""

    classes: MaskClasses | None
    problems: list[UserError]
    warnings: Sequence[str] = ()
    facts: Mapping[str, str] = MappingProxyType({})


def decide_classes(masks: Sequence[Path], declared: DeclaredClasses, where: Path) -> MaskDecision:
    """Read all mask files and decide their classes.

    Args:
        masks: of all splits.
        declared: what the user declares; the rest is guessed.
        where: the folder of the data, for messages.
    """
    with ThreadPoolExecutor() as pool:
        results = list(pool.map(summarise_mask, masks))
    summaries = [summary for summary in results if isinstance(summary, Summary)]
    problems = [summary for summary in results if isinstance(summary, UserError)]
    if not summaries:
        return MaskDecision(None, problems)
    try:
        classes = _choose_classes(summaries, declared, where)
    except UserError as error:
        return MaskDecision(None, [error, *problems])
    histograms = [(summary, channel_histogram(summary, classes.channel)) for summary in summaries]
    problems += [histogram for _, histogram in histograms if isinstance(histogram, UserError)]
    sound = [(summary, histogram) for summary, histogram in histograms if isinstance(histogram, Histogram)]
    wrong = [classes.problem(summary, histogram.values) for summary, histogram in sound]
    problems += [error for error in (*wrong, void_doubt(classes, sound)) if error]
    return MaskDecision(
        classes, problems, mask_warnings(classes, sound), without_unused_void(classes, sound).describe()
    )


def _choose_classes(summaries: Sequence[Summary], declared: DeclaredClasses, where: Path) -> MaskClasses:
    """Return the declared classes, or guess them.

    Raises:
        UserError: only the user can know, or the masks contradict one another or what was told.
    """
    classes, in_alpha = declared.classes, _find_shape_in_alpha(summaries)
    palette_of_run = {} if classes is None else dict(classes.palette)
    if classes is not None and classes.channel == "colors":
        if in_alpha is None:
            return classes
        raise UserError(
            f"the shape in {in_alpha.path} is in its alpha channel, the classes are told by colours",
            'tell them by "value" in classes.json: 0 and 255',
        )
    channel, palette = ("alpha", {}) if in_alpha is not None else _find_channel(summaries, palette_of_run)
    if classes is None:
        histograms = [
            (summary, histogram)
            for summary in summaries
            if isinstance(histogram := channel_histogram(summary, channel), Histogram)
        ]
        classes = guess_classes(histograms, channel, declared.names, declared.void, where)
    return replace(classes, {"channel": channel, "palette": palette})


def _find_shape_in_alpha(summaries: Sequence[Summary]) -> Summary | None:
    """Return a mask of one colour whose shape is in its alpha channel, or None.

    Raises:
        UserError: another mask has its shape in its colours.
    """
    transparent = [
        summary
        for summary in summaries
        if summary.alpha and len(summary.alpha.values) > 1 and summary.is_uniform
    ]
    colourful = [summary for summary in summaries if not summary.is_uniform]
    if transparent and colourful:
        shape = f"the shape in {transparent[0].path} is in its alpha channel"
        message = f"{shape}, that in {colourful[0].path} in its colours"
        raise UserError(message, "export all masks in one way")
    return transparent[0] if transparent else None


def _find_channel(
    summaries: Sequence[Summary], palette_of_run: dict[int, Color]
) -> tuple[Channel, dict[int, Color]]:
    """Return the channel of the masks, grey values or palette indices, and the palette.

    A grey palette gives its grey values, where these tell its entries apart. A palette in colours that is
    the same in all files numbers the classes, as those of PASCAL VOC and Cityscapes do.

    Args:
        summaries: the masks.
        palette_of_run: the palette of a run's masks.

    Raises:
        UserError: masks are in colours, or in palettes of which each has its own order.
    """
    if coloured := [summary for summary in summaries if summary.kind == "colors"]:
        more = f" (and {len(coloured) - 1} more)" if len(coloured) > 1 else ""
        raise UserError(f"{coloured[0].path} is a mask in colours{more}", _color_remedy(coloured))
    palettes = [summary for summary in summaries if summary.kind == "palette"]
    entries: dict[int, tuple[Color, str]] = {
        index: (color, "the run") for index, color in palette_of_run.items()
    }
    conflict = None
    for mask in palettes:
        for index, color in zip(
            mask.stored.values.tolist(), map(unpack_color, mask.colors.tolist()), strict=True
        ):
            first, where = entries.setdefault(index, (color, str(mask.path)))
            if first != color and conflict is None:
                difference = f"entry {index} is {list(first)} in {where} and {list(color)} in {mask.path}"
                conflict = UserError(
                    f"masks have palettes of their own: {difference}", _color_remedy(palettes)
                )
    colors = {color for color, _ in entries.values()}
    grey = all(red == green == blue for red, green, blue in colors)
    if grey and (conflict or len(colors) == len(entries)):
        return "values", {}
    if conflict:
        raise conflict
    return "indices", {index: color for index, (color, _) in entries.items()}


def _color_remedy(masks: Sequence[Summary]) -> str:
    """Return the remedy for masks in colours: an example of a classes.json with frequent colours."""
    colors: Counter[int] = Counter()
    for mask in masks:
        values = mask.colors if mask.kind == "palette" else mask.stored.values
        colors.update(dict(zip(values.tolist(), mask.stored.counts.tolist(), strict=True)))
    most = [color for color, _ in colors.most_common(_SHOWN)]
    entries = [{"name": f"class {k}", "color": unpack_color(color)} for k, color in enumerate(most)]
    more = f" and so on for {len(colors)} colours" if len(colors) > len(most) else ""
    return f"say what they mean in classes.json beside images/, such as {json.dumps(entries)}{more}"
