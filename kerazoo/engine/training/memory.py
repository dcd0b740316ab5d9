"""Whether a training fits memory."""

import re
from pathlib import Path

from kerazoo import backend
from kerazoo.errors import UserError

_AVAILABLE = re.compile(r"^MemAvailable:\s+(\d+) kB$", re.MULTILINE)

_EXHAUSTED = re.compile(r"out of memory|RESOURCE_EXHAUSTED|OOM when allocating", re.IGNORECASE)
"""What PyTorch, JAX and TensorFlow say where a GPU has no memory left."""


class OutOfMemory(UserError):
    """A step of a training does not fit memory.

    Args:
        needed: bytes, or None where nobody knows.
    """

    def __init__(self, needed: int | None = None):
        size = f"about {needed / 1e9:.3g} GB, more than is free" if needed else "more memory than there is"
        super().__init__(f"a step of this training takes {size}", "set a smaller --batch-size or crop")


def require(needed: int) -> None:
    """Refuse a step that takes more memory than is free: a CPU's process would be killed without a word.

    Args:
        needed: bytes.

    Raises:
        OutOfMemory: it does not fit.
    """
    free = None if backend.has_gpu() else free_memory()
    if free is not None and needed > free:
        raise OutOfMemory(needed)


def free_memory(root: Path = Path("/")) -> int | None:
    """Return the bytes that a process may still take, as Linux tells them; None elsewhere.

    Args:
        root: of the file system.
    """
    try:
        found = _AVAILABLE.search((root / "proc/meminfo").read_text())
    except OSError:
        return None
    free = [int(found[1]) * 1024] if found else []
    try:  # of a container
        most, taken = ((root / "sys/fs/cgroup" / f"memory.{name}").read_text() for name in ("max", "current"))
        free.append(int(most) - int(taken))
    except (OSError, ValueError):  # none, or "max"
        pass
    return max(min(free), 0) if free else None


def is_exhausted(error: Exception) -> bool:
    """Whether a backend's error says that memory was exhausted."""
    return bool(_EXHAUSTED.search(str(error)))
