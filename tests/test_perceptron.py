"""The perceptron of chapter 2 and what is made of it."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from pynet.perceptron import AND, NAND, OR, XOR, Perceptron, full_adder, half_adder, with_ones

BITS = [(0, 0), (1, 0), (0, 1), (1, 1)]  # in the book's order


@pytest.mark.parametrize(
    ("gate", "table"), [(AND, "0001"), (OR, "0111"), (NAND, "1110"), (XOR, "0110")]
)
def test_gates(gate, table):
    outputs = [gate(x1, x2) for x1, x2 in BITS]
    assert "".join(map(str, outputs)) == table
    assert {type(y) for y in outputs} == {int}


def test_half_adder():
    assert [half_adder(x1, x2) for x1, x2 in BITS] == [(0, 0), (1, 0), (1, 0), (0, 1)]


@pytest.mark.parametrize("bits", list(product((0, 1), repeat=3)))
def test_full_adder(bits):
    total, carry = full_adder(*bits)
    assert total + 2 * carry == sum(bits)


def test_a_chain_of_full_adders_adds_numbers():
    for a, b in product(range(8), repeat=2):
        carry, result = 0, 0
        for place in range(4):
            bit, carry = full_adder(a >> place & 1, b >> place & 1, carry)
            result += bit << place
        assert result == a + b


def test_one_sample_and_a_batch():
    p = Perceptron([1.0, -1.0], 0.0)
    assert p([2, 1]) == 1 and p([1, 1]) == 0  # 0 at the border
    np.testing.assert_array_equal(p([[2, 1], [1, 2]]), [1, 0])


@pytest.mark.parametrize("t", [(0, 0, 0, 1), (0, 1, 1, 1), (1, 1, 1, 0), (0, 1, 0, 1)])
def test_learns_what_a_line_separates(t):
    p = Perceptron([0, 0], 0)
    assert p.fit(BITS, t) < 10
    np.testing.assert_array_equal(p(BITS), t)


def test_one_step_of_the_rule_by_hand():
    p = Perceptron([0.0, 1.0], 0.0)
    p.fit([[2.0, 1.0]], [0], lr=0.5, epochs=1)  # said 1: w - 0.5 x, b - 0.5
    np.testing.assert_array_equal(p.w, [-1.0, 0.5])
    assert p.b == -0.5


@pytest.mark.parametrize("seed", range(5))
def test_learns_a_random_separable_set(seed):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((60, 5))
    margin = x @ rng.standard_normal(5) + 0.3
    x, t = x[abs(margin) > 0.2], (margin > 0)[abs(margin) > 0.2].astype(int)
    p = Perceptron(np.zeros(5), 0)
    assert p.fit(x, t, epochs=1000) < 1000
    np.testing.assert_array_equal(p(x), t)


def test_never_learns_xor():
    p = Perceptron([0, 0], 0)
    assert p.fit(BITS, [0, 1, 1, 0], epochs=50) == 50
    assert (p(BITS) == [0, 1, 1, 0]).sum() < 4


def test_a_feature_of_ones_is_the_bias():
    rng = np.random.default_rng(0)
    x, W, b = rng.standard_normal((4, 3)), rng.standard_normal((3, 2)), rng.standard_normal(2)
    np.testing.assert_allclose(with_ones(x) @ np.vstack([b, W]), x @ W + b, rtol=1e-14)
    np.testing.assert_array_equal(with_ones([7, 8]), [1, 7, 8])


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: Perceptron([[1.0]], 0), "w"),
        (lambda: Perceptron([1.0, np.nan], 0), "w"),
        (lambda: Perceptron([1.0], float("inf")), "b"),
        (lambda: Perceptron([1.0, 2.0], 0)([1.0]), "x"),
        (lambda: Perceptron([1.0, 2.0], 0)(np.zeros((2, 2, 2))), "x"),
        (lambda: Perceptron([1.0], 0).fit([[1.0]], [1, 0]), "t"),
        (lambda: Perceptron([1.0], 0).fit([[1.0]], [2]), "t"),
        (lambda: Perceptron([1.0], 0).fit([[1.0]], [1], lr=0.0), "lr"),
    ],
)
def test_bad_input(call, named):
    with pytest.raises(ValueError, match=rf"\[Perceptron.*\] {named}: expected"):
        call()
