"""What the tests of the contract need of each task, in a class per task (`TaskCase`)."""

from tests.cases.case import TaskCase
from tests.cases.classification import ClassificationCase
from tests.cases.detection import DetectionCase
from tests.cases.fewshot import FewShotCase
from tests.cases.pose import PoseCase
from tests.cases.segmentation import SegmentationCase
from tests.cases.translation import TranslationCase
from tests.cases.verification import VerificationCase

CASES = {
    case.task: case
    for case in (
        ClassificationCase,
        DetectionCase,
        FewShotCase,
        PoseCase,
        SegmentationCase,
        TranslationCase,
        VerificationCase,
    )
}


def case_of(family) -> TaskCase:
    """Return the case of a family's task."""
    return next(CASES[kind](family) for kind in type(family).__mro__ if kind in CASES)
