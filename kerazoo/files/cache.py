"""Where kerazoo keeps what it can download or compute again."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """Return the cache folder.

    `KERAZOO_CACHE`, else `kerazoo` in `XDG_CACHE_HOME` or in `~/.cache`.
    """
    if own := os.environ.get("KERAZOO_CACHE"):
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kerazoo"
