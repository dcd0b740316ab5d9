"""What every data source answers."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Literal, get_args

from kerazoo.errors import UserError
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

    def survey(self) -> tuple[dict[Split, Sequence[Sample]], list[UserError]]:
        """Return whatever can be read of all splits, and all that is known to be wrong with the rest.

        Where there are problems, `samples` raises the first of them; `kerazoo data check` tells all.
        """
        return {split: self.samples(split) for split in get_args(Split)}, []

    @abstractmethod
    def class_names(self) -> tuple[str, ...]:
        """Return the names of all classes, background included, in label order."""
