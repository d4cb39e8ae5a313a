"""Concepts 2.1 to 2.22: perceptrons, activations, layers, inference."""

from __future__ import annotations

import re
import time

import numpy as np
from book_map import ROOT
from digits_cases import digits, small_net, train

from pynet import perceptron
from pynet.functions import identity_function, relu, sigmoid, softmax, step_function
from pynet.layers import Affine, Tanh
from pynet.networks import MultiLayerNet, Network
from pynet.ops import gemm
from pynet.optimizers import SGD, Adam

BITS = np.array([(0, 0), (1, 0), (0, 1), (1, 1)])


def test_few_dependencies(measured):
    """NumPy, and nothing that computes behind it; Matplotlib draws."""
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    needed = re.search(r"^dependencies = \[(.*)\]", text, re.M)[1]
    names = re.findall(r'"([a-z]+)', needed)
    assert names == ["numpy", "tqdm", "safetensors"]
    measured("2.1", f"needs {', '.join(names)}")


def test_python_calls_kernels(measured):
    """One call of the reader's is one kernel on all samples."""
    rng = np.random.default_rng(0)
    x, W = (rng.standard_normal(shape).astype(np.float32) for shape in ((1000, 200), (200, 100)))
    b = np.zeros(100, np.float32)
    layer = Affine(W, b)
    np.testing.assert_allclose(layer.forward(x), x @ W, rtol=1e-3, atol=1e-3)
    np.testing.assert_array_equal(layer.forward(x), gemm(x, W, b))
    measured("2.2", "Affine.forward is one call of the kernel: equal bits")


def test_a_perceptron_has_weights_and_a_bias(measured):
    p = perceptron.Perceptron(w=[0.5, 0.5], b=-0.7)
    assert [p(x) for x in BITS] == [0, 0, 0, 1]
    measured("2.3", "w (0.5, 0.5), b -0.7: AND")


def test_gates(measured):
    tables = {
        gate.__name__: "".join(str(gate(x1, x2)) for x1, x2 in BITS)
        for gate in (perceptron.AND, perceptron.OR, perceptron.NAND)
    }
    assert tables == {"AND": "0001", "OR": "0111", "NAND": "1110"}
    measured("2.4", ", ".join(f"{name} {table}" for name, table in tables.items()))


def test_xor_needs_two_layers(measured):
    """By hand, and learned; one layer never gets all four."""
    assert [perceptron.XOR(x1, x2) for x1, x2 in BITS] == [0, 1, 1, 0]
    t = np.array([0, 1, 1, 0])
    right = {}
    for name, layers in {
        "one layer": [Affine.sized(2)],
        "two layers": [Affine.sized(8), Tanh(), Affine.sized(2)],
    }.items():
        most = 0
        for seed in range(3):
            np.random.seed(seed)
            net = Network(layers, input_dim=(2,))
            optimizer = Adam(0.05)
            for _ in range(150):
                optimizer.update(net.params, net.gradient(BITS, t))
                most = max(most, round(4 * net.accuracy(BITS, t)))
        right[name] = most
    assert right["one layer"] < 4 and right["two layers"] == 4
    measured("2.5", f"XOR 0110; learned: one layer {right['one layer']}, two layers 4 of 4")


def test_nand_builds_an_adder(measured):
    sums = [perceptron.half_adder(x1, x2) for x1, x2 in BITS]
    assert sums == [(0, 0), (1, 0), (1, 0), (0, 1)]
    measured("2.6", "half adder: 1 + 1 = sum 0, carry 1")


def test_one_layer_cuts_straight_two_bend(measured):
    """Along a line through the plane a single neuron changes its mind once at most."""
    line = np.stack([np.linspace(-2, 3, 400), np.linspace(-2, 3, 400)], 1)
    gates = (perceptron._AND, perceptron._OR, perceptron._NAND)
    single = max(np.count_nonzero(np.diff(gate(line))) for gate in gates)
    nand, either = perceptron._NAND(line), perceptron._OR(line)
    both = perceptron._AND(np.stack([nand, either], 1))
    assert single == 1 and np.count_nonzero(np.diff(both)) == 2
    measured("2.7", "changes along a line: 1 with one layer, 2 with XOR's two")


def test_a_two_layer_network_has_two_layers_of_weights(measured):
    rows = small_net().summary().rows
    weights = [row.description.out_shape[1] for row in rows if row.description.params]
    assert weights == [30, 10]
    measured("2.8", "64 -> 30 -> 10: three rows of neurons, 2 layers of weights")


def test_step_function(measured):
    x = np.array([-1.0, -1e-9, 0.0, 1e-9, 2.0])
    assert step_function(x).tolist() == [0, 0, 0, 1, 1]
    measured("2.9", "0 up to x = 0, 1 above")


def test_sigmoid_of_1_and_2(measured):
    h1, h2 = sigmoid(1.0), sigmoid(2.0)
    assert f"{h1:.3f}" == "0.731"
    assert int(h2 * 1000) == 880  # cut off, as the notes have it; rounded it is 0.881
    measured("2.10", f"h(1.0) = {h1:.3f}, h(2.0) = {h2:.4f}")


def test_smooth_against_abrupt(measured):
    x = np.linspace(-5, 5, 1001)
    jumps = [float(np.abs(np.diff(f(x))).max()) for f in (step_function, sigmoid)]
    assert jumps[0] == 1 and jumps[1] < 0.003
    assert set(step_function(x)) == {0, 1} and 0 < sigmoid(x).min() < sigmoid(x).max() < 1
    measured("2.11", f"a step of 0.01 changes at most {jumps[0]:.0f} and {jumps[1]:.4f}")


def test_relu_values(measured):
    assert relu(np.array([-2.0, 0.0, 3.0])).tolist() == [0, 0, 3]
    assert relu(np.array([1e6])) == 1e6  # not within 0..1, as sigmoid and step are
    measured("2.12", "relu(-2, 0, 3) = (0, 0, 3); no upper limit")


def test_identity_for_regression(measured):
    x = np.array([-1.5, 0.0, 1e9])
    assert identity_function(x) is x
    measured("2.14", "the same object")


def test_softmax_sums_to_1_and_keeps_the_order(measured):
    y = softmax(np.array([0.3, 2.9, 4.0]))
    np.testing.assert_allclose(y, [0.018, 0.245, 0.737], atol=5e-4)
    scores = np.random.default_rng(0).normal(0, 5, (1000, 10))
    probabilities = softmax(scores)
    assert 0 <= probabilities.min() and probabilities.max() <= 1
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-14)
    same = np.mean(scores.argmax(axis=1) == probabilities.argmax(axis=1))
    assert same == 1
    measured("2.15", f"(0.3, 2.9, 4.0) to ({', '.join(f'{p:.3f}' for p in y)}), sum {y.sum():.0f}")
    measured("2.16", "1,000 rows of scores: the same arg-max before and after")


def test_softmax_matters_in_training(measured):
    """With one-hot targets the loss of scores has a gradient y - t only through softmax."""
    net = small_net()
    (x, t), _ = digits()
    net.loss(x[:5], t[:5])
    dx = net.last_layer.backward()
    np.testing.assert_allclose(
        dx, (softmax(net.predict(x[:5])) - np.eye(10)[t[:5]]) / 5, atol=1e-15
    )
    measured("2.17", "the gradient of the scores is (softmax - t) / N")


def test_vectors_instead_of_loops(measured):
    (x, _), _ = digits()
    net = small_net(dtype=np.float32)
    W1, b1, W2, b2 = (net.params[key].astype(float) for key in ("W1", "b1", "W2", "b2"))

    def one_number_at_a_time(sample):
        hidden = [max(0.0, sum(s * w for s, w in zip(sample, W1[:, j])) + b1[j]) for j in range(30)]
        return [sum(h * w for h, w in zip(hidden, W2[:, k])) + b2[k] for k in range(10)]

    begin = time.perf_counter()
    slow = np.array([one_number_at_a_time(sample) for sample in x[:20]])
    middle = time.perf_counter()
    quick = net.predict(x[:20])
    end = time.perf_counter()
    np.testing.assert_allclose(quick, slow, atol=1e-5)
    measured("2.18", f"20 digits: {(middle - begin) / (end - middle):,.0f} x as fast as loops")


def test_as_many_outputs_as_classes(measured):
    (x, t), _ = digits()
    assert small_net().predict(x[:7]).shape == (7, 10) and set(t) == set(range(10))
    measured("2.19", "(7, 64) to (7, 10)")


def test_batches_are_quicker_than_single_images(measured):
    (x, _), _ = digits()
    net = small_net(dtype=np.float32)
    begin = time.perf_counter()
    single = np.concatenate([net.predict(x[i : i + 1]) for i in range(200)])
    middle = time.perf_counter()
    batch = net.predict(x[:200])
    end = time.perf_counter()
    np.testing.assert_allclose(single, batch, atol=1e-5)
    measured("2.20", f"200 images at once: {(middle - begin) / (end - middle):.0f} x as fast")


def test_parameters_are_counted(measured):
    """Up to hundreds of millions, without making them."""
    small = MultiLayerNet(784, [50], 10).summary().params
    assert small == 784 * 50 + 50 + 50 * 10 + 10 == 39_760
    large = Affine.sized(10_000).describe((1, 10_000)).params
    assert large == 100_010_000
    W = np.ones((100, 100), np.float32)
    SGD(0.5).update({"W": W}, {"W": W.copy()})
    assert (W == 0.5).all()  # in place: a step makes no second copy of 100 million
    measured("2.21", f"784-50-10: {small:,}; one layer 10,000 x 10,000: {large:,}")


def test_the_same_code_for_any_data(measured):
    """No features made by hand: only the sizes differ between digits and flowers."""
    from sklearn.datasets import load_iris

    flowers = load_iris()
    x = (flowers.data - flowers.data.mean(0)) / flowers.data.std(0)
    accuracies = []
    for samples, labels in (digits()[0], (x, flowers.target)):
        np.random.seed(0)
        net = MultiLayerNet(samples.shape[1], [30], len(set(labels)))
        train(net, Adam(0.01), samples, labels, 200, 50)
        accuracies.append(net.accuracy(samples, labels))
    assert min(accuracies) > 0.95
    measured("2.22", f"digits {accuracies[0]:.3f}, iris {accuracies[1]:.3f}")
