"""What works on this machine, and what to do about what does not."""

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kerazoo import __version__, backend
from kerazoo.engine.export.formats import NEEDS
from kerazoo.errors import UserError

_PACKAGES = ("keras", "numpy", "pillow", "grain", "pydantic")


def diagnose(choice: str | None = None) -> dict[str, Any]:
    """Return versions, devices and the outcome of small trials, JSON-ready.

    Args:
        choice: the backend to look at; None for the one kerazoo would take.

    Returns:
        Under "problems" a list of lines, each what is wrong and what to do; the other
        keys are facts, None where a problem hides them. Sizes are in GB (10^9 bytes).
    """
    problems: list[str] = []
    return {
        "kerazoo": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
        "memory": _memory(),
        "free disk": round(shutil.disk_usage(".").free / 1e9, 1),
        "packages": {name: _version(name) for name in _PACKAGES},
        "backends": backend.versions(),
        "backend": _tried(lambda: backend.set_backend(choice), problems),
        "devices": None if problems else _tried(backend.devices, problems),
        "opencv": _tried(_opencv, problems),
        "images": _tried(_read_back, problems),
        "export": {name: _missing(needs) or "ready" for name, needs in NEEDS.items()},
        "problems": problems,
    }


def _tried(trial: Callable[[], Any], problems: list[str]) -> Any:
    """Return what `trial` returns, or None with its failure told in `problems`."""
    try:
        return trial()
    except UserError as error:
        problems.append(str(error))
    except Exception as error:  # a broken install may raise anything: telling which is the doctor's work
        problems.append(f"{type(error).__name__}: {' '.join(str(error).split())}")
    return None


def _memory() -> float | None:
    """Return the machine's memory in GB, where the system tells (not on Windows)."""
    if not hasattr(os, "sysconf"):
        return None
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1)


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _missing(modules: tuple[str, ...]) -> str:
    """Return which of `modules` an export still needs, or nothing."""
    absent = [name for name in modules if not importlib.util.find_spec(name)]
    return f"needs {', '.join(absent)}: pip install 'kerazoo[export]'" if absent else ""


def _opencv() -> str:
    """Return OpenCV's version, whichever of its packages is installed."""
    from kerazoo.media.opencv import cv2

    return cv2.__version__


def _read_back() -> str:
    """Write a small turned JPEG and PNG and read them as a training would."""
    from PIL import Image

    from kerazoo.image import read_image

    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: to be shown turned by a quarter
    with tempfile.TemporaryDirectory() as folder:
        for name in ("trial.png", "trial.jpg"):
            path = Path(folder, name)
            Image.new("RGB", (8, 4), (255, 0, 0)).save(path, exif=exif)
            image = read_image(path)
            if image.shape != (8, 4, 3) or abs(image.mean((0, 1)) - [255, 0, 0]).max() > 4:
                raise UserError(f"a small {path.suffix} image is read wrongly", "reinstall pillow")
    return "PNG and JPEG are read as written"
