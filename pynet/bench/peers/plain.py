"""NumPy's matrix product, which is OpenBLAS's in the wheels from PyPI."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pynet.bench.peers.base import Peer, Unsupported
from pynet.bench.rows import Kernel


class NumPy(Peer):
    """`np.dot` into an array that is there already."""

    def kernel(self, kernel: Kernel, inputs: dict[str, Any]) -> Callable[[], Any]:
        if kernel.op != "gemm":
            raise Unsupported
        A = inputs["A"].T if kernel.sizes["trans_a"] else inputs["A"]
        B = inputs["B"].T if kernel.sizes["trans_b"] else inputs["B"]
        C = np.empty((A.shape[0], B.shape[1]), np.float32)
        return lambda: np.dot(A, B, C)
