"""Scores and images of episodes."""

import numpy as np
import pytest

from kerazoo.errors import UserError
from kerazoo.families.maml import MAML
from kerazoo.families.protonet import ProtoNet
from kerazoo.families.reptile import Reptile
from kerazoo.structures.episodes import Answers, Episode
from kerazoo.structures.sample import Sample

FAMILY = ProtoNet(ways=2, queries=2)
EPISODE = Episode(("a", "b"), shots=1)


def answers(*chosen):
    """Return what was told of the queries of two classes, two of each."""
    return Answers(np.eye(2, dtype="float32")[np.array(chosen).reshape(2, 2)])


def test_the_interval_is_over_episodes():
    pairs = [(EPISODE, answers(0, 0, 1, 1)), (EPISODE, answers(0, 1, 1, 1)), (EPISODE, answers(0, 1, 0, 1))]
    scores = FAMILY.evaluate(pairs).numbers
    each = [1.0, 0.75, 0.5]
    assert scores["episodes"] == 3
    assert scores["accuracy"] == pytest.approx(0.75)
    assert scores["interval"] == pytest.approx(1.96 * np.std(each, ddof=1) / np.sqrt(3))


def test_queries_are_framed_by_whether_they_were_told_right():
    image = np.full((2, 3, 28, 28, 3), 255, "uint8")
    row = FAMILY.row(Sample(image, EPISODE, "e"), answers(0, 1, 1, 1))
    support, queries = row.values()
    assert support.shape == (64, 32, 3)
    assert queries.shape == (64, 64, 3)
    red = (queries == (213, 60, 40)).all(axis=-1)
    assert red[:32, 32:].any()
    assert not red[:, :32].any()
    assert not red[32:].any()


def test_ways_that_training_shares_are_asked_for_in_training_too():
    assert MAML().episode_settings({"ways": 20}) == {"ways": 20, "training_ways": 20}
    assert ProtoNet().episode_settings({"ways": 20, "shots": 5}) == {
        "ways": 20,
        "shots": 5,
        "training_shots": 5,
    }
    assert Reptile().episode_settings({"shots": 5}) == {"shots": 5}


@pytest.mark.parametrize("family", [MAML(), Reptile(), ProtoNet()])
def test_single_images_are_refused_with_the_remedy(family):
    assert "kerazoo adapt" in str(family.no_classes())


def test_only_prototypes_can_be_served_before_they_know_classes():
    family = MAML(filters=2)
    with pytest.raises(UserError, match="kerazoo adapt"):
        family.serving(family.deploy(family.build()))


def test_episodes_of_other_ways_are_refused():
    image = np.zeros((3, 2, 28, 28, 3), "uint8")
    with pytest.raises(UserError, match="--ways 3"):
        next(FAMILY.infer(lambda x: {}, [image]))
