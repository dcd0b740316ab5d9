"""The published weights that kerazoo knows, with licences and scores.

The facts are their publishers': licences, preprocessing and scores from timm 1.0 and its
`results/results-imagenet.csv`, torchvision 0.28's own scores, and the counts measured on the
networks. None of these files was downloaded where kerazoo is developed (there is no network);
that they load and compute the same rests on the parity fixtures (docs/checkpoints.md).
"""

from typing import NamedTuple

from kerazoo.errors import UserError
from kerazoo.settings import nearest

BICUBIC = "family.interpolation=bicubic"
CROP_965 = "family.crop_pct=0.965"
WHOLE_288 = ("family.size=[288,288]", "family.crop_pct=1.0")


class Published(NamedTuple):
    """One file of weights.

    Attributes:
        recipe: whose network they fit.
        reference: for `kerazoo.checkpoints.fetch`.
        origin: who trained them.
        licence: of the weights, as their publisher states it.
        parameters: trainable values; a file holds 4 bytes of each, and the running statistics.
        measured: the score that the publisher reports.
        assignments: `--set` that the score needs besides what is taken from the checkpoint.
    """

    recipe: str
    reference: str
    origin: str
    licence: str
    parameters: int
    measured: str
    assignments: tuple[str, ...] = ()


def known(recipe: str | None = None) -> tuple[Published, ...]:
    """Return the known weights for a recipe, or all.

    Raises:
        UserError: none are known for it.
    """
    weights = tuple(file for file in KNOWN if recipe is None or file.recipe == recipe.replace("_", "-"))
    if not weights:
        recipes = list(dict.fromkeys(file.recipe for file in KNOWN))
        raise UserError(f"no published weights are known for {recipe!r}", nearest(str(recipe), recipes))
    return weights


CAUTION = """Sizes are 4 bytes a parameter; scores are their publishers', with those settings.
None of these files was downloaded where kerazoo is developed: that they load rests on the
parity fixtures (docs/checkpoints.md)."""

_TORCHVISION = ("torchvision", "bsd-3-clause")
_TIMM = ("timm", "apache-2.0")
_OFFICIAL = ("HRNet's authors, by timm", "mit")
_PADDLE = ("PaddleClas, by timm", "mit")


def _hub(
    recipe: str, name: str, source: tuple[str, str], parameters: int, top1: str, *sets: str
) -> Published:
    """Return weights that timm keeps on the hub."""
    reference = f"hf://timm/{name}/model.safetensors"
    return Published(recipe, reference, *source, parameters, f"ImageNet top-1 % {top1}", sets)


def _width(width: int) -> str:
    """Return the setting for the width of an HRNet."""
    return f'family.body={{"width":{width}}}'


KNOWN = (
    _hub("resnet50", "resnet18.tv_in1k", _TORCHVISION, 11_689_512, "69.758"),
    _hub("resnet50", "resnet34.tv_in1k", _TORCHVISION, 21_797_672, "73.314"),
    _hub("resnet50", "resnet50.tv_in1k", _TORCHVISION, 25_557_032, "76.130"),
    _hub("resnet50", "resnet101.tv_in1k", _TORCHVISION, 44_549_160, "77.374"),
    _hub("resnet50", "resnet152.tv_in1k", _TORCHVISION, 60_192_808, "78.312"),
    _hub("resnet50", "resnet50.tv2_in1k", _TORCHVISION, 25_557_032, "80.850", CROP_965),
    _hub("resnet50", "resnet101.tv2_in1k", _TORCHVISION, 44_549_160, "81.890", CROP_965),
    _hub("resnet50", "resnet152.tv2_in1k", _TORCHVISION, 60_192_808, "82.288", CROP_965),
    _hub("resnet50", "resnet50.a1_in1k", _TIMM, 25_557_032, "81.214", *WHOLE_288, BICUBIC),
    _hub("resnet50", "resnetv2_50.a1h_in1k", _TIMM, 25_549_352, "81.398", *WHOLE_288),
    _hub("hrnet-cls", "hrnet_w18_small.ms_in1k", _OFFICIAL, 13_187_464, "72.34"),
    _hub("hrnet-cls", "hrnet_w18_small_v2.ms_in1k", _OFFICIAL, 15_597_464, "75.09"),
    _hub("hrnet-cls", "hrnet_w18.ms_in1k", _OFFICIAL, 21_299_004, "76.77"),
    _hub("hrnet-cls", "hrnet_w32.ms_in1k", _OFFICIAL, 41_232_680, "78.45"),
    _hub("hrnet-cls", "hrnet_w48.ms_in1k", _OFFICIAL, 77_469_864, "79.33"),
    _hub("hrnet-cls", "hrnet_w64.ms_in1k", _OFFICIAL, 128_059_944, "79.46"),
    _hub("hrnet-cls", "hrnet_w18_ssld.paddle_in1k", _PADDLE, 21_295_164, "82.046", *WHOLE_288),
    _hub("hrnet-cls", "hrnet_w48_ssld.paddle_in1k", _PADDLE, 77_466_024, "84.48", *WHOLE_288),
    _hub("unet-resnet34", "resnet34.tv_in1k", _TORCHVISION, 21_797_672, "73.314 as a classifier"),
    _hub("unetpp-resnet34", "resnet34.tv_in1k", _TORCHVISION, 21_797_672, "73.314 as a classifier"),
    _hub("hrnet-pose", "hrnet_w18_small.ms_in1k", _OFFICIAL, 13_187_464, "72.34 as a classifier"),
    _hub("hrnet-pose", "hrnet_w32.ms_in1k", _OFFICIAL, 41_232_680, "78.45 as a classifier", _width(32)),
    _hub("hrnet-pose", "hrnet_w48.ms_in1k", _OFFICIAL, 77_469_864, "79.33 as a classifier", _width(48)),
    _hub("face-landmarks", "hrnet_w18_small.ms_in1k", _OFFICIAL, 13_187_464, "72.34 as a classifier"),
    _hub("face-landmarks", "hrnet_w18.ms_in1k", _OFFICIAL, 21_299_004, "76.77 as a classifier", _width(18)),
)
