"""OpenCV, or an error that says what is missing. Any of its packages will do (headless, contrib)."""

from kerazoo.errors import UserError

try:
    import cv2
except ImportError as error:
    raise UserError(
        f"OpenCV does not load: {error}",
        "on Debian and Ubuntu: apt-get install libgl1 libglib2.0-0; or: pip install opencv-python-headless",
    ) from None

__all__ = ["cv2"]
