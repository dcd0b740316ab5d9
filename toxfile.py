"""Loaded by tox: with an NVIDIA driver present the environments install the GPU builds of the backends."""

import os
import shutil

os.environ.setdefault("KERAZOO_GPU", "-gpu" if shutil.which("nvidia-smi") else "")
