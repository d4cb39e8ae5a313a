"""The book's nets once more, in plain NumPy and float64: what the tests compare pynet's with."""

from __future__ import annotations

import numpy as np


def softmax(x):
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def cross_entropy(scores, t):
    shifted = scores - scores.max(axis=1, keepdims=True)
    log_y = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return -log_y[np.arange(len(t)), t].mean()


def dscores(scores, t):
    dx = softmax(scores)
    dx[np.arange(len(t)), t] -= 1
    return dx / len(t)


def windows(x, size, stride=1):
    """(N, C, OH, OW, size, size): every window of every image."""
    view = np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(2, 3))
    return view[:, :, ::stride, ::stride]


class TwoLayer:
    """Affine, ReLU, Affine (chapter 5)."""

    def __init__(self, n_in, hidden, n_out, std=0.01):
        self.params = {
            "W1": std * np.random.randn(n_in, hidden),
            "b1": np.zeros(hidden),
            "W2": std * np.random.randn(hidden, n_out),
            "b2": np.zeros(n_out),
        }

    def loss_and_gradient(self, x, t):
        p = self.params
        a = x @ p["W1"] + p["b1"]
        z = np.maximum(a, 0)
        scores = z @ p["W2"] + p["b2"]
        d = dscores(scores, t)
        da = d @ p["W2"].T * (a > 0)
        grads = {"W1": x.T @ da, "b1": da.sum(0), "W2": z.T @ d, "b2": d.sum(0)}
        return cross_entropy(scores, t), grads


class SimpleConv:
    """conv, ReLU, 2x2 max pool, Affine, ReLU, Affine (chapter 7)."""

    def __init__(self, C, side, FN, size, hidden, n_out, std=0.01):
        out = (side - size + 1) // 2
        self.params = {
            "W1": std * np.random.randn(FN, C, size, size),
            "b1": np.zeros(FN),
            "W2": std * np.random.randn(FN * out * out, hidden),
            "b2": np.zeros(hidden),
            "W3": std * np.random.randn(hidden, n_out),
            "b3": np.zeros(n_out),
        }

    def loss_and_gradient(self, x, t):
        p = self.params
        FN, _, size, _ = p["W1"].shape
        col = windows(x, size)
        conv = np.einsum("ncijyx,fcyx->nfij", col, p["W1"]) + p["b1"][:, None, None]
        r1 = np.maximum(conv, 0)
        N, _, H, W = r1.shape
        blocks = windows(r1, 2, stride=2).reshape(N, FN, H // 2, W // 2, 4)
        arg = blocks.argmax(axis=-1)
        flat = blocks.max(axis=-1).reshape(N, -1)
        a2 = flat @ p["W2"] + p["b2"]
        r2 = np.maximum(a2, 0)
        scores = r2 @ p["W3"] + p["b3"]

        d = dscores(scores, t)
        grads = {"W3": r2.T @ d, "b3": d.sum(0)}
        d = d @ p["W3"].T * (a2 > 0)
        grads |= {"W2": flat.T @ d, "b2": d.sum(0)}
        d = (d @ p["W2"].T).reshape(arg.shape)
        dr1 = np.zeros_like(r1)
        for k in range(4):  # windows do not overlap, so each place is written once
            rows, columns = slice(k // 2, H // 2 * 2, 2), slice(k % 2, W // 2 * 2, 2)
            dr1[:, :, rows, columns] = np.where(arg == k, d, 0)
        d = dr1 * (conv > 0)
        grads |= {"W1": np.einsum("ncijyx,nfij->fcyx", col, d), "b1": d.sum((0, 2, 3))}
        return cross_entropy(scores, t), {key: grads[key] for key in p}


def deep_conv_weights():
    """DeepConvNet's initial W in the order of drawing (chapter 8, 28x28 images)."""
    shapes = [(16, 1, 3, 3), (16, 16, 3, 3), (32, 16, 3, 3)]
    shapes += [(32, 32, 3, 3), (64, 32, 3, 3), (64, 64, 3, 3), (1024, 50), (50, 10)]
    fan_ins = [9, 144, 144, 288, 288, 576, 1024, 50]
    return [np.sqrt(2 / n) * np.random.randn(*shape) for n, shape in zip(fan_ins, shapes)]


def multi_layer_weights(sizes, std):
    """MultiLayerNet's initial W; std is a function of the number of inputs."""
    return [std(m) * np.random.randn(m, n) for m, n in zip(sizes, sizes[1:])]
