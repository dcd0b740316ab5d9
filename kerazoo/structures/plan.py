"""What settings are planned from, and what is decided."""

from typing import Any, NamedTuple

from kerazoo.structures.fingerprint import Fingerprint


class Decision(NamedTuple):
    """A setting that was planned.

    Attributes:
        setting: its dotted name in the recipe, such as "family.mean".
        value: what it becomes.
        because: the reason, a few words with the numbers it comes from.
    """

    setting: str
    value: Any
    because: str


class Grounds(NamedTuple):
    """What a task's rules go by, besides its own settings.

    Attributes:
        fingerprint: of the data.
        pretrained: whether the training starts from published weights, which bring their normalisation.
        gpu: whether there is one.
        crop: the training window that the user set, or None.
        batch_size: samples of a step that the user set, or None.
    """

    fingerprint: Fingerprint
    pretrained: bool = False
    gpu: bool = False
    crop: tuple[int, int] | None = None
    batch_size: int | None = None
