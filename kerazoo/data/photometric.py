"""Color jitter: random brightness, contrast, gamma, saturation, hue, blur and noise of an image."""

from typing import TYPE_CHECKING

import numpy as np

from kerazoo.media.opencv import cv2

if TYPE_CHECKING:
    from kerazoo.data.augment import Augmentation

_LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601


def color_jitter(image: np.ndarray, settings: "Augmentation", rng: np.random.Generator) -> np.ndarray:
    """Return the image after random photometric changes of the strengths in `Augmentation`.

    Args:
        image: uint8 `(H, W, 3)`, RGB.
        rng: makes the same number of draws for all settings, except for the noise's pixels.

    Returns:
        uint8 `(H, W, 3)`.
    """
    # Everything is drawn whatever the settings are, so that one setting does not change another's draw.
    tone, saturation, hue = rng.uniform(-1, 1, 3), *rng.uniform(-1, 1, 2)
    blur, noise = rng.uniform(0, 1, 2) * (settings.blur, settings.noise)
    if settings.brightness or settings.contrast or settings.gamma:
        brightness, contrast, gamma = tone * (settings.brightness, settings.contrast, settings.gamma)
        image = cv2.LUT(
            image, tone_curve(brightness, contrast, gamma, middle=float(np.mean(cv2.mean(image)[:3])))
        )
    if settings.saturation or settings.hue:
        matrix = colour_matrix(1 + saturation * settings.saturation, np.radians(hue * settings.hue))
        image = cv2.transform(image, matrix)
    if blur > 0.1:
        image = cv2.GaussianBlur(image, (0, 0), blur)
    return _add_noise(image, noise, rng) if noise else image


def tone_curve(brightness: float, contrast: float, gamma: float, middle: float = 127.5) -> np.ndarray:
    """Return the lookup table of new values: uint8 `(256,)`.

    Args:
        brightness: added, in units of 255.
        contrast: the distance to `middle` is multiplied by e^contrast.
        gamma: values in 0..1 are raised to the power e^gamma.
        middle: 0..255.
    """
    values = (np.arange(256) / 255) ** np.exp(gamma) * 255
    values = (values - middle) * np.exp(contrast) + middle + brightness * 255
    return np.clip(np.round(values), 0, 255).astype("uint8")


def colour_matrix(saturation: float, angle: float) -> np.ndarray:
    """Return the 3 x 3 matrix on RGB that scales saturation and turns the hue; greys stay as they are.

    Args:
        saturation: factor on the distance to the pixel's luma.
        angle: in radians, about the grey axis.
    """
    third, cosine, sine = 1 / 3, np.cos(angle), np.sin(angle) / np.sqrt(3)
    cross = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]])
    turned = cosine * np.eye(3) + (1 - cosine) * third + sine * cross  # Rodrigues' formula
    return turned @ (saturation * np.eye(3) + (1 - saturation) * _LUMA)


def _add_noise(image: np.ndarray, std: float, rng: np.random.Generator) -> np.ndarray:
    noise = rng.standard_normal(image.shape[:2], dtype="float32") * np.float32(std * 255)
    return cv2.add(image, cv2.merge([noise] * 3), dtype=cv2.CV_8U)
