"""Questions about the backend below Keras: which are installed, which one runs, on what.

With `kerazoo.engine.export` and `kerazoo.layers.operations` the only place that names TensorFlow, PyTorch or
JAX; `tests/test_rules.py` has the exact list.
"""

import contextlib
import hashlib
import importlib.util
import itertools
import json
import os
import platform
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerazoo.errors import UserError
from kerazoo.files.cache import cache_folder

if TYPE_CHECKING:
    import keras
    import numpy as np

BACKENDS = ("tensorflow", "torch", "jax")


def installed() -> list[str]:
    """Return the installed backends, without importing any."""
    return [name for name in BACKENDS if importlib.util.find_spec(name)]


def versions() -> dict[str, str]:
    """Return `{backend: version}` of the installed ones, without importing any."""
    return {name: version(name) for name in installed()}


def version(package: str) -> str:
    """Return a package's version; builds such as tensorflow-cpu carry another name than their module."""
    import importlib.metadata  # takes longer than all else that `kerazoo --help` imports

    names = importlib.metadata.packages_distributions().get(package, [package])
    try:
        return importlib.metadata.version(names[0])
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def set_backend(choice: str | None = None) -> str:
    """Decide the backend of this process; to be called before keras is imported.

    Args:
        choice: a name from `BACKENDS`. None keeps what the user set for Keras, the
            variable KERAS_BACKEND before `~/.keras/keras.json`; Keras writes that file
            by itself, so a backend there that is not installed is passed over for the
            first installed of `BACKENDS`.

    Returns:
        The backend's name.

    Raises:
        UserError: not a backend, not installed, or keras already runs on another.
    """
    if "keras" in sys.modules and choice in (None, name()):
        return name()
    chosen = choice or os.environ.get("KERAS_BACKEND") or _configured() or _first_installed()
    if chosen not in BACKENDS:
        raise UserError(f"unknown backend {chosen!r}", f"choose one of: {', '.join(BACKENDS)}")
    if chosen not in installed():
        raise UserError(f"the backend {chosen} is not installed", f"pip install 'kerazoo[{chosen}]'")
    if "keras" in sys.modules:
        raise UserError(f"keras already runs on {name()}", f"start Python with KERAS_BACKEND={chosen}")
    os.environ["KERAS_BACKEND"] = chosen
    # By itself TensorFlow leaves oneDNN out where there is no AVX-512: on an AMD EPYC a training
    # step of UNet++ (8 x 128 x 128) then took twice as long.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    if chosen == "jax":
        _keep_compiled()
    return chosen


def use_device(choice: str) -> None:
    """Keep this process to the CPU or to one GPU; to be called before keras is imported.

    Args:
        choice: "cpu", or "gpu:0" and so on.

    Raises:
        UserError: it is neither, or the backend does not see it.
    """
    kind, _, number = choice.partition(":")
    if choice != "cpu" and (kind != "gpu" or not number.isdecimal()):
        raise UserError(f"unknown device {choice!r}", "choose cpu, or gpu:0 and so on")
    if "keras" not in sys.modules:
        os.environ["CUDA_VISIBLE_DEVICES"] = number
        if choice == "cpu":
            os.environ |= {"JAX_PLATFORMS": "cpu", "KERAS_TORCH_DEVICE": "cpu"}
    if not devices()[0].startswith(kind):
        raise UserError(f"{name()} sees no {choice}", "see kerazoo doctor, or leave --device out")


def _keep_compiled() -> None:
    """Let JAX keep what XLA compiles in the cache folder, by the kind of processor it was compiled for.

    The second training of unetpp-tiny for an epoch took 6.4 s instead of 8.6.
    """
    processor = platform.machine()
    with contextlib.suppress(OSError):
        processor += _processor_features()
    key = hashlib.sha256(processor.encode()).hexdigest()[:12]
    folder = cache_folder() / f"jax-{key}"
    with contextlib.suppress(OSError):  # without such a folder it compiles each time
        folder.mkdir(parents=True, exist_ok=True)
        os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(folder))


def _processor_features() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")


def name() -> str:
    """Return the name of the backend that keras runs on."""
    import keras

    return keras.config.backend()


def devices() -> list[str]:
    """Return the accelerators the backend sees, or else the CPU: `["gpu:0"]`."""
    import keras

    if name() == "torch":  # Keras lists none for it
        return _torch_devices()
    return [device.lower() for device in keras.distribution.list_devices()]


def has_gpu() -> bool:
    """Whether the backend sees a GPU."""
    return devices()[0].startswith("gpu")


def _torch_devices() -> list[str]:
    import torch

    if not torch.accelerator.is_available():
        return ["cpu:0"]
    kind = str(torch.accelerator.current_accelerator()).partition(":")[0].replace("cuda", "gpu")
    return [f"{kind}:{index}" for index in range(torch.accelerator.device_count())]


def _configured() -> str | None:
    """Return the backend of Keras' own configuration file, if it is installed."""
    home = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras"))
    try:
        backend = json.loads((home / "keras.json").read_text()).get("backend")
    except (OSError, ValueError):
        return None
    return backend if backend in installed() else None


def _first_installed() -> str:
    if found := installed():
        return found[0]
    raise UserError("no backend is installed", "pip install 'kerazoo[tensorflow]', or [torch], or [jax]")


def tensorboard(folder: Path, step: int, scalars: dict[str, float]) -> None:
    """Write scalars for TensorBoard where it is installed and TensorFlow loaded; else do nothing."""
    if "tensorflow" not in sys.modules or not importlib.util.find_spec("tensorboard"):
        return
    import tensorflow as tf

    with tf.summary.create_file_writer(str(folder)).as_default(step=step):
        for label, value in scalars.items():
            tf.summary.scalar(label, value)


def forward(network: "keras.Model") -> Callable[["np.ndarray"], dict[str, "np.ndarray"]]:
    """Return the network as a function of NumPy arrays, inference mode, dict of outputs.

    Compiled by XLA on JAX only: on the others each new image size would cost a compilation. Batches
    are filled up there to a power of two, so that few sizes are compiled.
    """
    import numpy as np

    network.compile(jit_compile=name() == "jax")

    def run(x):
        spare = (1 << (len(x) - 1).bit_length()) - len(x) if name() == "jax" else 0
        outputs = network.predict_on_batch(np.concatenate([x, x[:1].repeat(spare, 0)]) if spare else x)
        return {key: value[: len(x)] for key, value in outputs.items()} if spare else outputs

    return run


def sync(model: "keras.Model") -> None:
    """Bring a model's variables up to date inside `fit`; only JAX keeps them elsewhere."""
    if name() == "jax":
        model.jax_state_sync()


def fit_input(batches: Iterable[tuple]) -> Any:
    """Return batches, of which there is at least one, in the form that `fit` reads them in.

    On TensorFlow, Keras reads a generator through a data set that tunes itself. Its tuner looks after 10 ms,
    then 20 ms, 40 ms and so on, and the data set cannot be let go of in between: `fit` of 100 steps, which
    took 13.3 s, returned after 20.7 s (TensorFlow 2.21). Here nothing is tuned.

    Args:
        batches: nested NumPy arrays, all of the same shapes but for the first axis.
    """
    if name() != "tensorflow":
        return (batch for batch in batches)  # `fit` takes no other iterator
    import tensorflow as tf

    batches = iter(batches)
    first = next(batches)
    shapes = tf.nest.map_structure(lambda a: tf.TensorSpec((None, *a.shape[1:]), a.dtype), first)
    data = tf.data.Dataset.from_generator(lambda: itertools.chain([first], batches), output_signature=shapes)
    options = tf.data.Options()
    options.autotune.enabled = False
    return data.prefetch(2).with_options(options)


def lay_out_like(variable: Any, other: Any) -> None:
    """Lay out a variable in memory like another one of its shape; its values stay.

    Kernels have an order of their own on PyTorch (`kerazoo.layers.operations.keep_kernel`). With moments in
    another one, an optimizer's additions were a seventh of CenterNet's step.
    """
    if name() == "torch" and variable.value.stride() != other.value.stride():
        import torch

        like = torch.empty_like(other.value.data, dtype=variable.value.dtype)
        variable.value.data = like.copy_(variable.value.data)


def all_finite(tensors: list) -> Any:
    """Return whether all values of all tensors are finite: bool, a tensor.

    On PyTorch by their largest value, in one pass; `isfinite` takes four.
    """
    if name() == "torch":
        import torch

        return torch.isfinite(torch.nn.utils.get_total_norm(tensors, float("inf")))
    from keras import ops

    return ops.all(ops.convert_to_tensor([ops.all(ops.isfinite(tensor)) for tensor in tensors]))


def jit_training() -> bool:
    """Whether a train step is compiled by XLA: always on JAX, never on the others.

    On TensorFlow and a CPU it was slower: 2.8 s against 0.8 s for a step of UNet++ (16..256, 8 x 128 x 128).
    """
    return name() == "jax"


def gradients(loss: Callable[[list], Any], values: list, *, again: bool = True) -> list:
    """Return the gradients of a loss with respect to tensors, also where nothing else is differentiated.

    Args:
        loss: a list of tensors -> scalar.
        values: the tensors.
        again: the gradients will be differentiated themselves.
    """
    if name() == "jax":
        import jax

        return jax.grad(loss)(values)
    return _tape_gradients(loss, values) if name() == "tensorflow" else _torch_gradients(loss, values, again)


def _tape_gradients(loss: Callable[[list], Any], values: list) -> list:
    import tensorflow as tf

    values = [tf.convert_to_tensor(value) for value in values]
    with tf.GradientTape() as tape:
        tape.watch(values)
        total = loss(values)
    return tape.gradient(total, values)


def _torch_gradients(loss: Callable[[list], Any], values: list, again: bool) -> list:
    import torch

    with torch.enable_grad():
        if not again:
            values = [value.detach() for value in values]
        values = [value if value.requires_grad else value.detach().requires_grad_() for value in values]
        return list(torch.autograd.grad(loss(values), values, create_graph=again))


def materialised(x: Any) -> Any:
    """Return a tensor as it is, computed once.

    On a CPU, XLA repeats a chain of additions in every kernel that reads one of its sums, so code and
    compilation grow with the square of a network's depth. After every exchange of HRNet-W32 the first
    prediction takes 5 s of CPU time instead of 19 with this, the next ones 0.18 s instead of 0.26
    (jax 0.10, 256 x 192). Writing a corner back to where it is changes nothing, and XLA does not
    see through it.
    """
    if name() != "jax":
        return x
    from keras import ops

    return ops.slice_update(x, (0,) * len(x.shape), x[(slice(1),) * len(x.shape)])
