"""The chain rule, factor by factor: dL/dw as a product of local derivatives."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from pynet._types import Array, ArrayLike
from pynet.diagnosis.watch import named_layers, twin_of
from pynet.layers import Layer
from pynet.networks.summary import text_table

_MOST = 2000  # values in one layer's output: a local derivative is a matrix of them


class Factor(NamedTuple):
    """One local derivative: a matrix with a row for each output and a column for each input."""

    what: str  # as in dSigmoid1/dAffine1
    jacobian: Array
    product: Array  # of all factors so far: dL/d(the input of this one), one row

    @property
    def size(self) -> float:
        """The largest factor by which it can lengthen a gradient; |value| of a single number."""
        return float(np.linalg.norm(self.jacobian, 2))


class ChainRule:
    """dL/dw of one weight: the factors from the loss back to the weight, and their product.

    `paths` counts the ways from the weight to the loss; the product adds over them.
    `backpropagation` is what `network.gradient` says, computed by the layers' own backward.
    """

    def __init__(self, weight: str, factors: list[Factor], paths: int, backward: float) -> None:
        self.weight = weight
        self.factors = factors
        self.paths = paths
        self.gradient = float(factors[-1].product.item())
        self.backpropagation = backward

    def __str__(self) -> str:
        rows = []
        for factor in self.factors:
            J, product = factor.jacobian, factor.product
            shape = "number" if J.size == 1 else f"{J.shape[0]}x{J.shape[1]}"
            value = f"{J.item():.6g}" if J.size == 1 else f"size {factor.size:.4g}"
            so_far = float(np.linalg.norm(product)) if product.size > 1 else product.item()
            length = "length " if product.size > 1 else ""
            rows.append((factor.what, shape, value, f"{length}{so_far:.6g}"))
        ways = f", the sum over {self.paths:,} paths" if self.paths > 1 else ""
        return "\n".join(
            [
                f"dL/d{self.weight} = " + " * ".join(factor.what for factor in self.factors),
                text_table(("factor", "shape", "value", "product so far"), rows),
                f"dL/d{self.weight} = {self.gradient:.8g}{ways}",
                f"backpropagation: {self.backpropagation:.8g}",
            ]
        )

    __repr__ = __str__


def chain_rule(
    network: Any,
    x: ArrayLike,
    t: ArrayLike,
    key: str = "W1",
    index: int | tuple[int, ...] | None = None,
) -> ChainRule:
    """Take the derivative of the loss for one weight apart into its factors.

        dL/dw = dL/dy_n * dy_n/dy_(n-1) * ... * dy_(k+1)/dy_k * dy_k/dw

    For one sample, in training mode, without penalties. Each factor is the local derivative of
    one layer of the network (a container counts as one), a number in a chain of single neurons,
    else a matrix; their product is what backpropagation computes without ever forming them.

    Args:
        network: a `pynet.networks.Network`, of at most 2,000 values between two layers.
        x: one sample, (1, ...).
        t: its label (1,) or row (1, classes).
        key: of the parameter, as in `network.params`.
        index: of the weight in it; by default the one with the largest gradient.

    Raises:
        TypeError: it is no Network.
        KeyError, IndexError: there is no such parameter or weight.
        ValueError: more than one sample, or layers too large.

    Source: Rumelhart, Hinton and Williams, "Learning representations by back-propagating errors",
    1986.
    """
    twin = twin_of("chain_rule", network)
    if np.ndim(x) < 2 or len(np.asarray(x)) != 1:
        raise ValueError(
            f"[chain_rule] x: expected one sample, of shape (1, ...), got {np.shape(x)}"
        )
    grads = twin.gradient(x, t)
    if key not in grads:
        raise KeyError(f"[chain_rule] key: expected one of {', '.join(grads)}, got {key!r}")
    index = _index(key, grads[key], index)
    backward = float(grads[key][index])
    slot = next(slot for slot in twin._root.named_parameters() if slot.key == key)

    names = {id(layer): name for name, layer in named_layers(twin)}
    kinds = [
        names.get(id(layer), f"{type(layer).__name__}{i}") for i, layer in enumerate(twin._root)
    ]
    layers: list[Layer] = list(twin._root)
    first = next(i for i, layer in enumerate(layers) if _holds(layer, slot.layer))
    weight = f"{key}[{', '.join(map(str, index))}]"

    dout = np.asarray(twin.last_layer.backward())
    factors = [_factor(f"dL/d{kinds[-1]}", dout.reshape(1, -1), np.ones((1, 1)))]
    shape = dout.shape
    for i in range(len(layers) - 1, first, -1):
        rows = [layers[i].backpropagate(unit) for unit in _units(shape, dout.dtype)]
        jacobian = np.stack([np.asarray(row).reshape(-1) for row in rows])
        factors.append(_factor(f"d{kinds[i]}/d{kinds[i - 1]}", jacobian, factors[-1].product))
        shape = np.shape(rows[0])
    column = []
    for unit in _units(shape, dout.dtype):
        layers[first].backpropagate(unit)
        column.append(slot.grad[index])
    last = _factor(f"d{kinds[first]}/d{weight}", np.array(column)[:, None], factors[-1].product)
    factors.append(last)
    return ChainRule(weight, factors, _paths(factors), backward)


def _factor(what: str, jacobian: Array, before: Array) -> Factor:
    jacobian = np.asarray(jacobian, np.float64)
    return Factor(what, jacobian, before @ jacobian)


def _index(key: str, grad: Array, index: int | tuple[int, ...] | None) -> tuple[int, ...]:
    if index is None:
        return tuple(map(int, np.unravel_index(int(np.abs(grad).argmax()), grad.shape)))
    index = (index,) if isinstance(index, int) else tuple(index)
    if len(index) != grad.ndim or any(not 0 <= i < n for i, n in zip(index, grad.shape)):
        raise IndexError(
            f"[chain_rule] index: expected one inside {grad.shape} of {key}, got {index}"
        )
    return index


def _holds(layer: Layer, inner: Layer) -> bool:
    return any(one is inner for _, _, one in layer.walk())


def _units(shape: tuple[int, ...], dtype: Any) -> list[Array]:
    """The gradients of each single output: 1 there, 0 elsewhere."""
    size = int(np.prod(shape))
    if size > _MOST:
        raise ValueError(f"[chain_rule] network: expected at most {_MOST} values, got {shape}")
    return list(np.eye(size, dtype=dtype).reshape(size, *shape))


def _paths(factors: list[Factor]) -> int:
    """How many ways lead from the loss to the weight through derivatives that are not 0."""
    ways = np.ones((1, 1), object)
    for factor in factors:
        ways = ways @ (factor.jacobian != 0).astype(object)
    return int(ways.sum())
