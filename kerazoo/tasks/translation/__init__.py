"""Translation of images between two domains, A and B, of which nobody has pairs."""

import itertools
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from kerazoo.settings import replace, settings
from kerazoo.structures.fingerprint import Decision, Grounds
from kerazoo.structures.images import DIRECTIONS, RETURNS, Real, Translated
from kerazoo.structures.placement import Placement
from kerazoo.structures.sample import Sample
from kerazoo.structures.scores import Scores
from kerazoo.task import PLAIN, Forward, Options, batches
from kerazoo.tasks.images import ImageTask, tile_for

if TYPE_CHECKING:
    import keras

    from kerazoo.data.source import Source


SIDES = {"CPU": 64, "GPU": 256}
"""Pixels of the side of the windows that translations are trained on, at most."""


@settings
class Translation(ImageTask):
    """What every translating family shares.

    Attributes:
        names: of the domains A and B.
        direction: in which images are translated, "AtoB", "BtoA", or "both" where it is not known
            which domain they are of.
        inception: file of InceptionV3's weights, as keras.applications has them, for the distances of
            scores; None takes statistics of colour and texture (`kerazoo.tasks.translation.fid`).
    """

    supports: ClassVar[frozenset[str]] = frozenset({"tile"})

    mean: tuple[float, ...] = (127.5,)
    std: tuple[float, ...] = (127.5,)
    names: Annotated[tuple[str, ...], Field(min_length=2, max_length=2)] = ("A", "B")
    direction: Literal["AtoB", "BtoA", "both"] = "both"
    inception: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if set(self.mean) | set(self.std) != {127.5}:
            raise ValueError("mean and std are 127.5: translations are -1..1 as images are")

    @abstractmethod
    def translators(self) -> tuple[str, ...]:
        """Return the directions that there is a generator for."""

    @abstractmethod
    def generator(self, network: "keras.Model", direction: str) -> "keras.Model":
        """Return the part of the network that goes in one direction: images -> {"logits"}, before a tanh."""

    def class_names(self) -> tuple[str, ...]:
        return self.names

    def with_classes(self, names: Sequence[str]) -> "Translation":
        return replace(self, {"names": tuple(names)}, "family")

    def source_for(self, path: str) -> "type[Source]":
        from kerazoo.data.translation.unpaired import Unpaired

        return Unpaired

    def planned(self, grounds: Grounds) -> list[Decision]:
        """Plan the window, and the size that images are brought to before it is cut."""
        from kerazoo.tasks import planning

        if grounds.crop is not None:
            return []
        size, because = planning.window(
            grounds, lambda side: planning.multiple_below(side, planning.MULTIPLE)
        )
        side = min(*size, SIDES[planning.device(grounds)])
        whole = side + side // 8
        return [
            Decision("augmentation.crop", (side, side), because),
            Decision("data.size", (whole, whole), "an eighth larger than the crop, as published"),
        ]

    # --- from the image to the network ---------------------------------------------

    def prepare(self, image: np.ndarray, *, whole: bool = True) -> tuple[np.ndarray, Placement]:
        return self.normalised(image), Placement(0, 0, *image.shape[:2])

    def encode(self, truth: Real, placement: Placement) -> dict[str, np.ndarray]:
        return {"partner": self.normalised(truth.image)}

    def mix_batch(self, x: np.ndarray, y: Any, rng: np.random.Generator) -> tuple[np.ndarray, Any]:
        # What the image pool shows again is decided here: the same on every backend and after a resume.
        return x, y | {"pool_draws": rng.random((len(x), len(DIRECTIONS), 2), "float32")}

    # --- from the network to the result -------------------------------------------------

    def directions(self) -> tuple[str, ...]:
        """Return the directions that images are translated in."""
        return self.translators() if self.direction == "both" else (self.direction,)

    def deploy(self, network: "keras.Model") -> "keras.Model":
        """Return the network that translates there and, where it can, back: -1..1 by name of the way."""
        from kerazoo.tasks.translation.graphs import there_and_back

        return there_and_back(self, network)

    def serving(self, network: "keras.Model") -> "keras.Model":
        from kerazoo.tasks.translation.graphs import serving_model

        return serving_model(self, network)

    @property
    def tolerance(self) -> float:
        return 5e-3  # of a grey level; instance norms amplify rounding: 1.1e-3 of ONNX were seen

    def decode(self, outputs: dict[str, np.ndarray], placement: Placement) -> Translated:
        return Translated({name: self.pixels(image) for name, image in outputs.items()}, {})

    def pixels(self, values: np.ndarray) -> np.ndarray:
        """Return -1..1 as an image: float32 `(H, W, channels)` -> uint8 `(H, W, 3)`, RGB; grey thrice."""
        levels = np.clip((values + 1.0) * 127.5, 0, 255).round().astype("uint8")
        levels = levels[..., ::-1] if self.order == "BGR" else levels
        return np.broadcast_to(levels, (*levels.shape[:2], 3)).copy() if self.channels == 1 else levels

    def seen(self, image: np.ndarray) -> np.ndarray:
        """Return an image as the network knows it, grey where it has one channel: uint8 `(H, W, 3)`."""
        return image if self.channels == 3 else self.pixels(self.normalised(image))

    def infer(
        self, forward: Forward, images: Iterable[np.ndarray], options: Options = PLAIN
    ) -> Iterator[Translated]:
        """Yield the translations of images in turn, at once or in tiles."""
        for tile, alike in itertools.groupby(images, key=lambda image: tile_for(image, options.tile)):
            if tile is not None:
                yield from (self._tiled(forward, image, tile) for image in alike)
                continue
            for stack in batches(alike, options.batch_size):  # (N, H, W, 3)
                outputs = forward(np.stack([self.normalised(image) for image in stack]))
                for index, image in enumerate(stack):
                    translated = {name: self.pixels(value[index]) for name, value in outputs.items()}
                    yield self._translated(image, translated)

    def _tiled(self, forward: Forward, image: np.ndarray, tile: int) -> Translated:
        from kerazoo.tasks.translation.blending import blended

        def translate(window: np.ndarray) -> dict[str, np.ndarray]:
            return {name: value[0] for name, value in forward(self.normalised(window)[None]).items()}

        return self._translated(image, blended(translate, image, tile, self.pixels))

    def _translated(self, image: np.ndarray, images: dict[str, np.ndarray]) -> Translated:
        """Return the translations of an image with how far off the ways back end."""
        known = self.seen(image)
        errors = {way: _apart(known, images[name]) for way, name in RETURNS.items() if name in images}
        return Translated(images, errors)

    def evaluate(self, pairs: Iterable[tuple[Real, Translated]]) -> Scores:
        from kerazoo.tasks.translation.fid import scores

        seen = ((Real(truth.domain, self.seen(truth.image)), result) for truth, result in pairs)
        return Scores(scores(seen, self.inception))

    # --- for people -----------------------------------------------------------------------

    def row(self, sample: Sample, result: Translated) -> dict[str, np.ndarray]:
        there, blank = DIRECTIONS[sample.truth.domain], np.full_like(sample.image, 255)
        ways = {"translated": there, "and back": RETURNS[there]}
        shown = {title: result.images.get(way, blank) for title, way in ways.items()}
        return {"image": sample.image} | shown

    def draw(self, image: np.ndarray, result: Real | Translated) -> np.ndarray:
        """Return a sheet of the image, its translation, and there and back; a row per direction."""
        from kerazoo.draw import contact_sheet

        if isinstance(result, Real):
            return image
        a, b = self.names
        titles = {"AtoB": b, "BtoA": a, "AtoBtoA": f"back in {a}", "BtoAtoB": f"back in {b}"}
        rows = []
        for way, back in RETURNS.items():
            shown = [name for name in (way, back) if name in result.images]
            row = [image, *(result.images[name] for name in shown)]
            if shown:
                rows.append(contact_sheet([row], ["image", *(titles[name] for name in shown)]))
        return np.concatenate(rows, axis=0)

    def describe(self, result: Translated) -> dict[str, Any]:
        return {"cycle_error": {way: round(error, 5) for way, error in result.cycle_error.items()}}

    def summary(self, described: dict[str, Any]) -> str:
        errors = described["cycle_error"].items()
        return ", ".join(f"{way} and back {error:.1%} off" for way, error in errors)

    def save(self, result: Translated, stem: Path) -> list[Path]:
        """Write the translations, `NAME_AtoB.png` and `NAME_BtoA.png`, without the ways back."""
        from kerazoo.image import write_image

        ways = [way for way in DIRECTIONS if way in result.images]
        files = [stem.with_name(f"{stem.name}_{way}.png") for way in ways]
        for path, way in zip(files, ways, strict=True):
            write_image(path, result.images[way])
        return files


def _apart(image: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(image.astype("float32") - other).mean() / 255)
