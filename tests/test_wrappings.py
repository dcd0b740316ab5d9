"""A ResNet-18 in the wrappings that trainings give it: the same weights come out, or the true reason."""

import argparse

import numpy as np
import pytest
from safetensors.numpy import save_file

from kerazoo.checkpoints.read import read
from kerazoo.errors import UserError
from kerazoo.families.encoders import Encoder
from kerazoo.families.resnet import ResNet
from kerazoo.families.unet import UNet
from tests.checkpoint_files import resnet18

STATE = resnet18()
BODY = resnet18(head=False)
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
PROJECTION = {f"head.mlp.{n}.weight": np.ones((4, 4), "float32") for n in (0, 2)}


def below(prefix, state):
    return {f"{prefix}{key}": array for key, array in state.items()}


def buffer(values):
    return np.array(values, "float32").reshape(1, 3, 1, 1)


LIGHTNING = below("model.", STATE) | {"criterion.weight": np.ones(5), "val_acc.tp": np.zeros(5, "int64")}
NORMALISING = below("model.", STATE) | {"mean": buffer(MEAN), "std": buffer(STD)}
MM = below("backbone.", BODY) | {"head.fc.weight": STATE["fc.weight"], "head.fc.bias": STATE["fc.bias"]}
DROPOUT = BODY | {"fc.1.weight": STATE["fc.weight"], "fc.1.bias": STATE["fc.bias"]}
DINO = {
    "student": below("module.backbone.", resnet18(1, head=False)) | below("module.", PROJECTION),
    "teacher": below("backbone.", BODY) | PROJECTION,
    "args": argparse.Namespace(arch="resnet18"),
}
MOCO = {
    "state_dict": below("module.encoder_q.", STATE)
    | below("module.encoder_k.", resnet18(1))
    | {"module.queue": np.ones((4, 4)), "module.queue_ptr": np.zeros(1, "int64")}
}

WRAPPED = {
    "plain": STATE,
    "torch.compile of DistributedDataParallel": {"model": below("_orig_mod.module.", STATE), "epoch": 3},
    "a moving average beside": {"state_dict": resnet18(1), "state_dict_ema": STATE},
    "a moving average within": {"model": resnet18(1), "ema": {"module": STATE, "updates": 7}},
    "swa_utils": below("module.", STATE) | {"n_averaged": np.array(3)},
    "timm": {"state_dict": STATE, "args": argparse.Namespace(lr=0.1), "metric": np.float64(71.2)},
    "Lightning with a loss and a score": {"state_dict": LIGHTNING, "hyper_parameters": {"lr": 0.1}},
    "Lightning that normalises": {"state_dict": NORMALISING, "pytorch-lightning_version": "2.2"},
    "OpenMMLab": {"meta": {"epoch": 1}, "state_dict": MM},
    "a classifier behind a dropout": DROPOUT,
    "MoCo": MOCO,
}


def tensors(content):
    """Return the content with PyTorch's tensors for arrays."""
    torch = pytest.importorskip("torch", reason="PyTorch files need PyTorch")
    if isinstance(content, dict):
        return {key: tensors(value) for key, value in content.items()}
    return torch.tensor(content) if isinstance(content, np.ndarray) else content


def saved(path, content):
    tensors({})  # skips without PyTorch
    import torch

    torch.save(tensors(content), path)
    return path


def same(found, expected):
    assert found.keys() == expected.keys()
    return all(np.array_equal(found[path], expected[path]) for path in expected)


@pytest.mark.parametrize("name", WRAPPED)
def test_the_same_weights_come_out(tmp_path, name):
    arrays = read(saved(tmp_path / "a.pth", WRAPPED[name]))
    family = ResNet().for_checkpoint(arrays)
    assert (family.depth, family.width, family.classes) == (18, 2, 5)
    assert same(family.convert(arrays), ResNet().convert(STATE))


def test_the_normalisation_of_a_wrapper_is_taken(tmp_path):
    content = below("model.", STATE) | {"mean": buffer([0.5, 0.5, 0.5]), "std": buffer([0.2, 0.2, 0.2])}
    save_file(content, tmp_path / "a.safetensors")
    family = ResNet().for_checkpoint(read(tmp_path / "a.safetensors"))
    assert (family.mean, family.std) == ((127.5,) * 3, (51.0,) * 3)


@pytest.mark.parametrize("content", [DINO, STATE, MOCO, {"state_dict": MM | {"neck.x": np.ones(2)}}])
def test_an_encoder_starts_from_the_body_whatever_its_head(tmp_path, content):
    arrays = read(saved(tmp_path / "a.pth", content))
    family = UNet(encoder=Encoder(name="resnet18", width=2), filters=(4,) * 5, norm=True)
    _, found = family.start(arrays)
    body = {path: array for path, array in ResNet().convert(STATE).items() if not path.startswith("head/")}
    assert same(found, body)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (LIGHTNING | {"aux.fc.weight": np.ones(3)}, r"1 unexpected \(aux.fc.weight beside it\)"),
        (STATE | {"layer1.0.gate.weight": np.ones(3)}, r"1 unexpected \(layer1.0.gate.weight\)"),
        ({"one": STATE, "two": resnet18(1)}, "several networks: one, two; choose one: convert --part NAME"),
    ],
)
def test_what_is_not_known_to_be_harmless_is_refused_by_its_name(tmp_path, content, told):
    arrays = read(saved(tmp_path / "a.pth", content))
    with pytest.raises(UserError, match=told):
        ResNet().start(arrays)


def test_a_body_with_more_in_it_is_no_encoder():
    family = UNet(encoder=Encoder(name="resnet18", width=2), filters=(4,) * 5, norm=True)
    with pytest.raises(UserError, match=r"1 unexpected \(layer1.0.se.fc.weight\)"):
        family.start(STATE | {"layer1.0.se.fc.weight": np.ones((2, 2, 1, 1), "float32")})
