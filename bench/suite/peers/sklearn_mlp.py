"""scikit-learn's MLPClassifier: fully connected nets, steps by partial_fit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.neural_network import MLPClassifier

from suite.nets import Affine, Net, Relu
from suite.peers.base import Peer, Unsupported, Weights
from suite.rows import Step


class Sklearn(Peer):
    def step(self, net: Net, weights: Weights, work: Step) -> Callable[[Any, Any], float]:
        if not all(isinstance(layer, Affine | Relu) for layer in net.layers):
            raise Unsupported
        if work.optimizer != "SGD":
            raise Unsupported
        hidden = tuple(len(b) for _, b in weights[:-1])
        model = MLPClassifier(
            hidden,
            solver="sgd",
            alpha=0.0,
            batch_size=work.batch,
            learning_rate_init=work.lr,
            momentum=0.0,
            nesterovs_momentum=False,
        )
        x = np.zeros((work.batch, *net.shape), np.float32)
        model.partial_fit(x, [0] * work.batch, classes=range(10))
        for i, (W, b) in enumerate(weights):
            model.coefs_[i][...], model.intercepts_[i][...] = W, b

        def step(x: Any, t: Any) -> float:
            model.partial_fit(x, t)
            return float(model.loss_)

        return step
