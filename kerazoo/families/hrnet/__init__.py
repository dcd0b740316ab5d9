"""HRNet (Wang et al. 2019, arXiv:1908.07919): high resolution kept from the first layer to the last.

`HRNetSegmentation`, `HRNetClassifier`, `HRNetPose` and `HRNetFace` are its families; the pyramid for
detection is a head of `kerazoo.models.hrnet`.
"""

from kerazoo.families.hrnet.classification import HRNetClassifier
from kerazoo.families.hrnet.configuration import SMALL_V1, SMALL_V2, Body
from kerazoo.families.hrnet.face import HRNetFace
from kerazoo.families.hrnet.pose import HRNetPose
from kerazoo.families.hrnet.segmentation import HRNetSegmentation

__all__ = ["SMALL_V1", "SMALL_V2", "Body", "HRNetClassifier", "HRNetFace", "HRNetPose", "HRNetSegmentation"]
