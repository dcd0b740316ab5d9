"""HRNet (Wang et al. 2019, arXiv:1908.07919): high resolution kept from the first layer to the last.

`HRNetSegmentation` and `HRNetClassifier` are its families; heatmaps and the pyramid for detection are
heads of `kerazoo.models.hrnet`.
"""

from kerazoo.families.hrnet.classification import HRNetClassifier
from kerazoo.families.hrnet.configuration import SMALL_V1, SMALL_V2, Body
from kerazoo.families.hrnet.segmentation import HRNetSegmentation

__all__ = ["SMALL_V1", "SMALL_V2", "Body", "HRNetClassifier", "HRNetSegmentation"]
