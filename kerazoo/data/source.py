"""What every data source answers."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Literal

from kerazoo.settings import settings
from kerazoo.task import Sample

Split = Literal["train", "val", "test"]


@settings
class Source(ABC):
    """A described place where samples come from; its fields are the description."""

    @abstractmethod
    def samples(self, split: Split) -> Sequence[Sample]:
        """Return the samples of a split, read when indexed and in an order that never changes.

        Raises:
            UserError: the data cannot be used; names the file and the remedy.
        """

    @abstractmethod
    def class_names(self) -> tuple[str, ...]:
        """Return the names of all classes, background included, in label order."""
