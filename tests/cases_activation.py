"""The cases of the family of activations, and how far each may be off."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import case_shapes as shapes
import numpy as np
from case_parts import Case, normal, text, through, values

from pynet.reference.activation_rules import RULES

# alpha and beta of the rules that have them
NUMBERS = {
    "celu": [(1.0, 1.0), (0.3, 1.0)],
    "elu": [(1.0, 1.0), (1.6732632423543772, 1.0507009873554805)],
    "hard_shrink": [(0.5, 1.0), (0.0, 1.0)],
    "hard_sigmoid": [(1 / 6, 0.5), (0.2, 0.5)],
    "hard_tanh": [(-1.0, 1.0), (0.0, 6.0)],
    "leaky_relu": [(0.01, 1.0), (0.25, 1.0)],
    "soft_shrink": [(0.5, 1.0), (0.0, 1.0)],
    "softplus": [(1.0, 1.0), (3.0, 1.0)],
    "swish": [(1.0, 1.0), (1.702, 1.0)],
}
SHAPES = [(1,), (17,), (65,), (2, 3, 4, 5), (1000,)]


def rule_cases() -> Iterator[Case]:
    for name in RULES:
        numbers = NUMBERS.get(name, [(1.0, 1.0)])
        for i, s in enumerate(shapes.ARRAYS if name == "swish" else SHAPES):
            yield from both(text(s), normal(*s, scale=3), normal(*s), name, numbers[i % 2 - 1])
        for pair in numbers:
            x = values(shapes.SPECIAL_VALUES)
            yield from both("special", x, through(np.ones_like, x), name, pair)
            yield from both("small", normal(77, scale=1e-6), normal(77), name, pair)


def both(label: str, x: Any, dout: Any, name: str, pair: tuple[float, float]) -> Iterator[Case]:
    label = f"{name} {pair[0]:.4g} {pair[1]:.4g} {label}"
    yield Case("activation", label, (x, name, *pair))
    yield Case("activation_backward", label, (dout, x, name, *pair))


# ---- bounds ------------------------------------------------------------------------------------


def magnitude(op: str, args: tuple[Any, ...], kw: dict[str, Any], out: list[Any]) -> list[Any]:
    """Rounding inside of an exponential is a relative error; that of a sum is as large as it."""
    size = np.abs(out[0])
    if op == "activation":
        x, name, a, _ = args
        inside = {
            **dict.fromkeys(("gaussian", "gelu"), x * x),
            **dict.fromkeys(("softplus", "swish"), a * np.abs(x)),
            "gelu_tanh": np.abs(x) ** 3,
        }
        absolute = {
            **dict.fromkeys(("hard_sigmoid", "sinusoid"), np.ones_like(x)),
            **dict.fromkeys(("hard_swish", "soft_shrink", "tanh_shrink"), np.abs(x)),
        }
    else:
        dout, x, name, a, _ = args
        inside = {"gaussian": x * x, "softplus": a * np.abs(x), "celu": np.abs(x) / (a or 1)}
        sums = ("gelu", "gelu_tanh", "hard_swish", "mish", "sinusoid", "swish")
        absolute = dict.fromkeys(sums, np.abs(dout) * (1 + np.minimum(np.abs(x), 9)))
    return [absolute.get(name, size * (1 + inside.get(name, 0)))]
