"""The readers of published weights that are fuzzed."""

import importlib.util
from pathlib import Path

import numpy as np

from tests.checkpoint_files import resnet18
from tests.fuzz.reader import Reader


def _arrays(folder: Path) -> dict[str, np.ndarray]:
    from kerazoo.checkpoints.read import read

    (path,) = (path for path in folder.iterdir() if not path.name.startswith("x.data"))
    return read(path)


def _checkpoint(folder: Path) -> object:
    """Read a checkpoint and make what it can of it, as `kerazoo convert` does before it builds a network."""
    from kerazoo.families.resnet import ResNet

    return ResNet().start(_arrays(folder))


def _safetensors(folder: Path) -> None:
    from safetensors.numpy import save_file

    save_file(resnet18(), folder / "a.safetensors")


def _torch(folder: Path, zipped: bool = True) -> None:
    import torch

    state = {f"module.{key}": torch.tensor(array) for key, array in resnet18().items()}
    content = {"state_dict": state, "best": np.float64(0.5), "epoch": 3}
    torch.save(content, folder / "a.pth", _use_new_zipfile_serialization=zipped)


def _hdf5(folder: Path) -> None:
    import h5py

    with h5py.File(folder / "a.h5", "w") as file:
        for name in ("conv1_conv", "conv2_block1_1_conv"):
            file[f"model_weights/{name}/{name}/kernel:0"] = np.ones((3, 3, 2, 2), "float32")
        group = file.create_group("layers/dense_1/vars")
        group.attrs["name"] = "predictions"
        group.create_dataset("0", data=np.ones((4, 2), "float32"), chunks=(2, 2), compression="gzip")
        group["1"] = np.ones(2, "float32")


def _frozen_graph(folder: Path) -> None:
    from tests.test_frozen_graph import GRAPH

    (folder / "a.pb").write_bytes(GRAPH)


def _tensorflow(folder: Path) -> None:
    from tests.test_tensorflow_checkpoint import write

    write(folder)


def _darknet(folder: Path) -> None:
    """Write the first layers of YOLOv4-tiny, as wide as `_darknet_checkpoint` expects."""
    from kerazoo.checkpoints.darknet import write_values

    count = sum(convolution.values() for convolution in _yolo().convolutions()[:4])
    write_values(folder / "a.weights", [np.ones(count, "float32")])


def _darknet_checkpoint(folder: Path) -> object:
    return _yolo().start(_arrays(folder))


def _yolo() -> object:
    from kerazoo.families.yolov4 import YOLOv4

    return YOLOv4(network="yolov4-tiny", width=2, size=(32, 32))


READERS = {
    "checkpoint-darknet": Reader(_darknet, _darknet_checkpoint),
    "checkpoint-safetensors": Reader(_safetensors, _checkpoint),
    "checkpoint-npz": Reader(lambda folder: np.savez_compressed(folder / "a.npz", **resnet18()), _checkpoint),
    "checkpoint-hdf5": Reader(_hdf5, _arrays),
    "checkpoint-graph": Reader(_frozen_graph, _arrays),
    "checkpoint-tensorflow": Reader(_tensorflow, _arrays),
}
if importlib.util.find_spec("torch"):
    READERS["checkpoint-torch"] = Reader(_torch, _checkpoint)
    READERS["checkpoint-torch-legacy"] = Reader(lambda folder: _torch(folder, zipped=False), _checkpoint)
