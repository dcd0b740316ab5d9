"""A sequence of samples that are read or generated on access."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from kerazoo.structures.sample import Sample


@dataclass(frozen=True)
class Lazy(Sequence[Sample]):
    """The sequence `read(items[0]), read(items[1]), ...`; a slice of it reads nothing either."""

    items: Sequence[Any]
    read: Callable[[Any], Sample]

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return Lazy(self.items[index], self.read)
        return self.read(self.items[index])
