"""The weights of a run: written atomically, with a checksum, always finite."""

import errno
import math
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kerazoo.checkpoints.hdf5_weights import refuse_larger
from kerazoo.errors import UserError
from kerazoo.files import checksums
from kerazoo.files.reading import is_file
from kerazoo.files.writing import atomic_file, sha256

if TYPE_CHECKING:
    import keras

WEIGHTS = "model.weights.h5"

_REMEDY = "restore it from a copy, or train again"


def save_weights(network: "keras.Model", path: Path) -> None:
    """Write a network's weights and their checksum; the file appears whole or not at all.

    Keras opens its target for writing at once, so a kill would destroy the previous file.

    Raises:
        UserError: they are not finite, or the file cannot be written.
    """
    if (wrong := non_finite_variable(network)) is not None:
        raise UserError(f"the weights for {path} are not finite ({wrong})", "take other weights")
    with atomic_file(path) as partial:
        if shutil.disk_usage(partial.parent).free < _space_needed(network):
            raise OSError(errno.ENOSPC, "No space left on device")  # a full disk makes HDF5 crash the process
        try:
            network.save_weights(str(partial))
        except RuntimeError as error:  # what HDF5 raises on a full disk
            if "No space left" not in str(error):
                raise
            raise OSError(errno.ENOSPC, "No space left on device") from None
        checksums.announce(path, sha256(partial))
    checksums.record(path)


def load_weights(network: "keras.Model", path: Path) -> None:
    """Read a network's weights.

    Raises:
        UserError: missing, changed since they were written, of another network, or not finite.
    """
    if not is_file(path):
        raise UserError(f"{path} is missing", _REMEDY)
    checksums.verify(path, _size_limit(network))
    try:
        refuse_larger(path, _size_limit(network))
        network.load_weights(str(path))
    except Exception as error:  # HDF5 and Keras raise a dozen kinds for a foreign file
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{path} does not hold this network's weights ({reason})", _REMEDY) from None
    if (wrong := non_finite_variable(network)) is not None:
        raise UserError(f"{path} holds weights that are not finite ({wrong})", _REMEDY)


def non_finite_variable(network: "keras.Model") -> str | None:
    """Return the path of a variable with NaN or infinity, None if all are finite."""
    import keras

    for variable in network.variables:
        values = keras.ops.convert_to_numpy(variable)
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            return variable.path
    return None


def _space_needed(network: "keras.Model") -> int:
    """Return the bytes of the weights with room for HDF5's groups and headers, some KB a variable."""
    variables = [(math.prod(variable.shape), str(variable.dtype)) for variable in network.variables]
    return sum(count * (8 if "64" in kind else 4) + 2**12 for count, kind in variables)


def _size_limit(network: "keras.Model") -> int:
    """Return an upper limit for the bytes of this network's weights file."""
    values = sum(int(np.prod(variable.shape)) for variable in network.variables)
    return 16 * values + (len(network.variables) + 64) * 2**14
