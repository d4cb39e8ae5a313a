"""A captured step of the 784-50-10 net on a GPU: its kernels, their times, the nodes of its graph.

python bench/cuda_step.py
PYNET_CUDA_HOST=build/cuda_host python bench/cuda_step.py   on the executor: no times of a GPU
"""

from __future__ import annotations

import os
import sys
from importlib import import_module

import numpy as np

import pynet
from pynet import backend


def main() -> int:
    folder = os.environ.get("PYNET_CUDA_HOST")
    if folder:
        sys.path.insert(0, folder)
        backend.use_device(import_module("_cuda_host"))
    rng = np.random.default_rng(0)
    x = pynet.to_device(rng.standard_normal((100, 784)).astype(np.float32))
    t = pynet.to_device(rng.integers(0, 10, 100))
    network = pynet.networks.TwoLayerNet(784, 50, 10).to("cuda")
    step = pynet.capture(network, pynet.optimizers.SGD())
    for _ in range(5):
        step(x, t)
    print(step.plan)
    return 0


if __name__ == "__main__":
    sys.exit(main())
