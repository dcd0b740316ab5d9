"""Anchors for boxes of the user's own: `kerazoo data anchors`."""

from typing import NamedTuple

from kerazoo import backend
from kerazoo.data.check import fingerprint
from kerazoo.engine.plan import Asked
from kerazoo.errors import UserError
from kerazoo.structures.fingerprint import Decision, Grounds

SIZE = "family.size"

SETTINGS = ("family.anchors", "family.masks")
"""What is found."""


class Found(NamedTuple):
    """Anchors and what they are for.

    Attributes:
        size: height and width of the network's input.
        decisions: the settings, each with its reason.
    """

    size: tuple[int, int]
    decisions: tuple[Decision, ...]

    def plain(self) -> dict:
        """Return it as JSON-ready data."""
        settings = {each.setting: each.value for each in self.decisions}
        return {SIZE: self.size, **settings, "because": self.decisions[0].because}

    def lines(self) -> list[str]:
        """Return what a person reads: the reason, and the options that set it."""
        height, width = self.size
        options = [f"  --set {each.setting}={_text(each.value)}" for each in self.decisions]
        return [f"for {SIZE}=[{height},{width}]: {self.decisions[0].because}", *options]


def _text(value: tuple) -> str:
    return str([list(row) for row in value]).replace(" ", "")


def find_anchors(name: str, asked: Asked) -> Found:
    """Return the anchors that a recipe's network would have for data.

    Args:
        name: of the recipe, or its file.
        asked: by the user: the data, and `family.size` where it is not the planned one.

    Raises:
        UserError: the network has no anchors, the data no boxes, or they are broken.
    """
    recipe = asked.recipe(name).configured()
    if not hasattr(recipe.family, "anchors"):
        raise UserError(f"the network of {name} has no anchors", "ask for yolov4 or yolov4-tiny")
    size = getattr(recipe.family, "size", None) if SIZE in asked.settings() else None
    grounds = Grounds(fingerprint(recipe.data), gpu=backend.has_gpu(), size=size)
    planned = {each.setting: each for each in recipe.family.planned(grounds)}
    decisions = tuple(planned[setting] for setting in SETTINGS if setting in planned)
    if not decisions:
        raise UserError(
            "the data have no boxes", "anchors are the shapes of boxes: is the folder the right one?"
        )
    return Found(planned[SIZE].value, decisions)
