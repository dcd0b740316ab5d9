"""The loss of part affinity fields: every stage and both branches, ignored where people are not labelled."""

from typing import TYPE_CHECKING

import keras
from keras import ops

from kerazoo.objective import SumOfTerms, Tensor

if TYPE_CHECKING:
    from kerazoo.families.openpose import OpenPose


class PoseObjective(SumOfTerms):
    """The squared error of each stage's heat maps and of its fields, a term each (Cao et al. 2017, eq. 5).

    Summed over cells and channels and halved, as the published networks were trained (Caffe's
    EuclideanLoss); the mean over the batch. A cell counts by its weight W(p), 0 where nobody was
    labelled. In float32 whatever the precision of the network.

    Args:
        network: outputs `{"stage1_heatmaps": (N, h, w, K + 1), "stage1_fields": (N, h, w, 2 L), ...}`.
        settings: `heatmaps_weight` is the factor on the terms of heat maps. The paper's is 1; fields have
            more channels and cells that are not 0, and most of the loss.
    """

    def __init__(self, network: keras.Model, settings: "OpenPose"):
        super().__init__(network, list(network.output))
        self.settings = settings

    def learning_rate_factors(self) -> dict[str, float]:
        refinement, bias = self.settings.refinement_lr_factor, self.settings.bias_lr_factor
        if refinement == bias == 1:
            return {}
        refined = tuple(f"stage{stage}_" for stage in range(2, self.settings.stages + 1))
        return {
            path: (refinement if path.startswith(refined) else 1.0)
            * (bias if path.endswith("/bias") else 1.0)
            for path in (variable.path for variable in self.network.trainable_variables)
        }

    def terms(self, x: Tensor, y: dict, outputs: dict, training: bool) -> dict[str, Tensor]:
        factors = {"heatmaps": self.settings.heatmaps_weight, "fields": 1.0}
        weights = ops.expand_dims(ops.cast(y["weights"], "float32"), -1)

        def half_squares(name: str) -> Tensor:
            branch = name.partition("_")[2]
            error = ops.cast(outputs[name], "float32") - ops.cast(y[branch], "float32")
            return factors[branch] * ops.mean(ops.sum(weights * ops.square(error), axis=(1, 2, 3))) / 2

        return {name: half_squares(name) for name in outputs}
