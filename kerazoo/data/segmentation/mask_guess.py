"""Guessing the classes of masks if they are not declared."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kerazoo.data.segmentation.mask_files import Channel, Histogram, Summary
from kerazoo.data.segmentation.masks import REMEDY, ClassEntry, MaskClasses
from kerazoo.errors import UserError
from kerazoo.settings import replace
from kerazoo.structures.mask import VOID

MOST_CLASSES = 64
"""More classes than this are not guessed from the masks: they are rather grey values."""

_NAMED = "class {}"
"""How a class is called that nobody has named."""

_SHOWN = 4
"""As many entries are in an example."""

BINARY = ("background", "foreground")

MaskHistograms = Sequence[tuple[Summary, Histogram]]
"""Masks with the numbers that tell their labels."""

_Bounds = tuple[int, int]


def guess_classes(
    histograms: MaskHistograms, channel: Channel, names: tuple[str, ...] | None, void: int | None, where: Path
) -> MaskClasses:
    """Return the guessed classes of masks.

    Masks of 0 and one other value are binary, whatever that value is; so are masks with smooth edges
    between two values, which are parted in the middle. Otherwise the value is the label, with 255 as void
    unless `void` says another.

    Args:
        histograms: the masks.
        channel: where their numbers come from.
        names: of the classes in label order, if the user gave them.
        void: the value of unlabelled pixels, if the user gave it.
        where: the folder of the masks, for messages.

    Raises:
        UserError: there is nothing to learn, or the values look like no labels.
    """
    total = _total_histogram(histograms)
    values = set(total.values.tolist()) - {void}
    two = names is None or len(names) == 2
    if len(values) < 2 and names is None:
        message = f"all masks in {where} hold the value {max(values, default=void)} alone"
        raise UserError(message, "there is nothing to learn: check the masks")
    if two and len(values - {0}) <= 1:
        foreground = max(values | {0}) or 1
        return _mask_classes(names or BINARY, [(0, 0), (foreground, foreground)], void, assumed=False)
    lossy = [mask.path for mask, _ in histograms if mask.lossy]
    if two and void is None and channel != "indices" and _has_smooth_edges(total, bool(lossy)):
        middle = int(total.values[0] + total.values[-1]) // 2
        return _mask_classes(
            names or BINARY, [(0, middle), (middle + 1, max(255, max(values)))], None, assumed=True
        )
    if lossy:
        message = f"{lossy[0]} was compressed with loss, which changes its values"
        raise UserError(message, f"save masks as PNG, or {REMEDY}")
    return _label_classes(values, names, void, where)


def void_doubt(classes: MaskClasses, histograms: MaskHistograms) -> UserError | None:
    """Return an error if 255 may be a class instead of void, else None.

    It may be one if some masks hold it beside 0 and no mask holds it beside a class: half of the masks hold
    0 and 1, the other half 0 and 255.
    """
    void = next((entry.value for entry in classes.entries if entry.void), None)
    if not classes.assumed or void is None:
        return None
    values = [(mask.path, set(histogram.values.tolist())) for mask, histogram in histograms]
    if any(void in stored and stored - {0, void} for _, stored in values):
        return None
    doubtful = next((path for path, stored in values if stored == {0, void}), None)
    if doubtful is None:
        return None
    labelled = next(((path, max(stored)) for path, stored in values if stored - {0, void}), None)
    beside = f"{labelled[0]} holds {labelled[1]}, but " if labelled else ""
    return UserError(
        f"{doubtful} holds 0 and {void}, {beside}no mask holds {void} beside a class: it may be one, or void",
        "store each class as one value in all masks, or list all values in classes.json beside images/",
    )


def without_unused_void(classes: MaskClasses, histograms: MaskHistograms) -> MaskClasses:
    """Return classes without an assumed void value that no mask contains."""
    values = _total_histogram(histograms).values
    kept = [
        entry for entry in classes.entries if not (entry.void and classes.assumed) or entry.value in values
    ]
    return replace(classes, {"entries": tuple(kept)})


def mask_warnings(classes: MaskClasses, histograms: MaskHistograms) -> list[str]:
    """Return warnings about masks and their guessed classes."""
    lines = []
    lossy = [mask.path for mask, _ in histograms if mask.lossy]
    if lossy:
        lines.append(
            f"{len(lossy)} of {len(histograms)} masks were compressed with loss, which changes values, "
            f"such as {lossy[0]}: pixels that are near no class count for nothing; save masks as PNG"
        )
    if classes.channel == "alpha":
        first, _ = histograms[0]
        lines.append(
            f"the shape of the masks is in their alpha channel, such as {first.path}: it is read alone"
        )
    total = _total_histogram(histograms)
    values = total.values
    if classes.assumed and len(values) > 2 and any(entry.range for entry in classes.entries):
        lines.append(
            f"masks hold {len(values)} values from {values[0]} to {values[-1]}, mostly near the ends: "
            f"their edges are taken to be smooth ({_describe_middle(total)}); "
            "if a class has a value between, or another limit holds, say so in classes.json"
        )
    elif classes.assumed and 2 * len(used := _used_values(classes, values)) < len(classes.names):
        lines.append(
            f"of {len(classes.names)} classes only those of the values {', '.join(map(str, used))} "
            f"occur in a mask; if these are no labels, {REMEDY}"
        )
    elif (classes.assumed or classes.names[0] == _NAMED.format(0)) and 0 not in values:
        lines.append(_empty_class_warning(classes, values))
    return lines


def _empty_class_warning(classes: MaskClasses, values: np.ndarray) -> str:
    """Return a warning that the first class is empty, with a classes.json for the values that occur."""
    used = [(_NAMED.format(value), value) for value in _used_values(classes, values)]
    example = json.dumps([{"name": name, "value": value} for name, value in used[:_SHOWN]])
    remedy = f"list the others in classes.json beside images/, such as {example}" if len(used) > 1 else REMEDY
    empty = f"no mask holds 0, so that the first class, {classes.names[0]}, is empty"
    return f"{empty}; if there is no such class, {remedy}"


def _used_values(classes: MaskClasses, values: np.ndarray) -> list[int | None]:
    return [entry.value for entry in classes.entries if not entry.void and entry.value in values]


def _label_classes(
    values: set[int], names: tuple[str, ...] | None, void: int | None, where: Path
) -> MaskClasses:
    """Return the classes of masks whose values are the labels."""
    assumed, void = void is None, VOID if void is None else void
    count = len(names) if names else max(values - {void}) + 1
    if count > MOST_CLASSES:
        examples = ", ".join(map(str, sorted(values)[:4])) + (", ..." if len(values) > 4 else "")
        raise UserError(
            f"masks in {where} hold {len(values)} values up to {max(values)} ({examples})",
            f"smooth edges and JPEG make many values of a few: save labels alone, as PNG; or {REMEDY}",
        )
    made_up = BINARY if count == 2 else tuple(map(_NAMED.format, range(count)))
    return _mask_classes(names or made_up, [(k, k) for k in range(count)], void, assumed=assumed)


def _mask_classes(
    names: tuple[str, ...], stored: Sequence[_Bounds], void: int | None, *, assumed: bool
) -> MaskClasses:
    entries = [
        ClassEntry(name=name, value=first) if first == last else ClassEntry(name=name, range=(first, last))
        for name, (first, last) in zip(names, stored, strict=True)
        if first != void
    ]
    unlabelled = [] if void is None else [ClassEntry(name="void", value=void, void=True)]
    return MaskClasses(names=names, entries=(*entries, *unlabelled), assumed=assumed)


def _total_histogram(histograms: MaskHistograms) -> Histogram:
    values, places = np.unique(
        np.concatenate([histogram.values for _, histogram in histograms]), return_inverse=True
    )
    counts = np.concatenate([histogram.counts for _, histogram in histograms])
    return Histogram(values, np.bincount(places.ravel(), counts, len(values)))


def _is_near_end(total: Histogram) -> np.ndarray:
    """Return which values are near the lowest or the highest value."""
    position = (total.values - total.values[0]) / (total.values[-1] - total.values[0])
    return (position <= 1 / 16) | (position >= 15 / 16)


def _describe_middle(total: Histogram) -> str:
    """Describe the share of pixels between the ends, and their most frequent value."""
    between, share = ~_is_near_end(total), total.counts / total.counts.sum()
    if not between.any():
        return "none of the pixels is far from both ends"
    most = int(np.argmax(share * between))
    return f"{share[between].sum():.2%} of the pixels lie between, {share[most]:.2%} at {total.values[most]}"


def _has_smooth_edges(total: Histogram, lossy: bool) -> bool:
    """Whether there are two values with smooth edges: nearly all at the ends, no peak between."""
    low, high = int(total.values[0]), int(total.values[-1])
    if high - low < 100:
        return False
    position, share = (total.values - low) / (high - low), total.counts / total.counts.sum()
    ends = _is_near_end(total)
    if share[ends].sum() < 0.9 or ((~ends).sum() < 16 and not lossy):
        return False
    # Eight bins of the middle half: smooth edges fill all of them, a third class makes a peak in two.
    inner = np.histogram(position, 8, (1 / 4, 3 / 4), weights=share)[0]
    return inner.sum() < 0.002 or (inner[1:] + inner[:-1]).max() < 0.6 * inner.sum()
