"""The five orderings of a residual unit (He et al. 2016, figure 4); `kerazoo.layers.residual` builds them.

Apart from it, so that settings name them without importing Keras.
"""

from typing import Literal, get_args

Ordering = Literal[
    "original",
    "bn_after_addition",
    "relu_before_addition",
    "relu_only_preactivation",
    "full_preactivation",
]
ORDERINGS: tuple[Ordering, ...] = get_args(Ordering)
