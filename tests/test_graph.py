"""Computational graphs: the book's numbers on their edges, networks as drawings."""

from __future__ import annotations

import itertools
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from gradcheck import numerical_gradient
from layer_cases import LAYERS
from network_cases import every_net, make

import pynet
from pynet import graph
from pynet.cli import main
from pynet.graph import Drawing, Number
from pynet.graph.places import spread
from pynet.layers import (
    Affine,
    BatchNormalization,
    Concat,
    Convolution,
    Flatten,
    Layer,
    Pooling,
    Relu,
    Reshape,
    Residual,
    Sequential,
)
from pynet.networks import Network

SVG = "{http://www.w3.org/2000/svg}"


def apples():
    apple, number, tax = Number(100, "apple"), Number(2, "number"), Number(1.1, "tax")
    return apple, number, tax, (apple * number * tax).named("price")


# ---- numbers -----------------------------------------------------------------------------------


def test_apples():
    apple, number, tax, price = apples()
    price.backward()
    assert price.value == pytest.approx(220) and price.grad == 1
    assert [n.grad for n in (apple, number, tax)] == pytest.approx([2.2, 110, 200])


def test_apples_and_oranges():
    apple, apples_, orange, oranges = map(Number, (100, 2, 150, 3))
    tax = Number(1.1)
    price = (apple * apples_ + orange * oranges) * tax
    price.backward()
    assert price.value == pytest.approx(715)
    grads = [n.grad for n in (apple, apples_, orange, oranges, tax)]
    assert grads == pytest.approx([2.2, 110, 3.3, 165, 650])


def test_the_chain_rule_on_a_square():
    x, y = Number(1.5), Number(2)
    z = (x + y) ** 2
    z.backward()
    assert z.value == 12.25 and x.grad == y.grad == 2 * (1.5 + 2)


def test_gradients_add_where_paths_join():
    x = Number(3)
    z = x * x + 2 * x
    z.backward()
    assert x.grad == 2 * 3 + 2
    z.backward()  # again: not twice as much
    assert x.grad == 8
    z.backward(0.5)
    assert x.grad == 4


def test_all_operations_against_differences():
    def f(x, y):
        a = (x - y) / (1 + x * x) + 3 / y - (2 - x)
        names = ("exp", "log", "sigmoid", "tanh", "relu")
        return sum((y + 2).apply(name) * x for name in names) + a**3 + (-y)

    values = np.array([0.7, 1.3])
    x, y = map(Number, values)
    f(x, y).backward()
    numerical = numerical_gradient(lambda: f(*map(Number, values)).value, values)
    assert [x.grad, y.grad] == pytest.approx(list(numerical), rel=1e-9)
    assert (np.float64(3) * x).value == (3 * x).value == pytest.approx(2.1)


def test_a_long_calculation_needs_no_recursion():
    x = y = Number(1)
    for _ in range(5000):
        y = y + x
    y.backward()
    assert x.grad == 5001


def test_numbers_that_are_none():
    with pytest.raises(TypeError, match=r"\[Number\] value: expected a number, got str"):
        Number("1")
    with pytest.raises(ValueError, match=r"\[Number.apply\] function: expected one of exp, log"):
        Number(1).apply("erf")
    with pytest.raises(ZeroDivisionError):
        Number(1) / 0


# ---- drawings ----------------------------------------------------------------------------------


def texts(drawing):
    return [node.text for node in ET.fromstring(drawing.to_svg()).iter(f"{SVG}text")]


def test_the_apple_graph_shows_its_numbers():
    *_, price = apples()
    assert {"100", "2", "200", "1.1", "220"} <= set(texts(graph.of(price)))
    assert "2.2" not in texts(graph.of(price))  # before backward
    price.backward()
    assert {"2.2", "110", "1.1", "200", "1", "220"} <= set(texts(graph.of(price)))
    edges = {(e.text, e.gradient) for e in graph.of(price).edges}
    pairs = [("100", "2.2"), ("2", "110"), ("200", "1.1"), ("1.1", "200"), ("220", "1")]
    assert edges == set(pairs)
    assert price._repr_svg_() == graph.of(price).to_svg()


def test_a_number_used_twice_shows_its_sum():
    x = Number(3, "x")
    z = x * x
    z.backward()
    drawing = graph.of(z)
    assert "gradient 6" in texts(drawing)
    assert [edge.gradient for edge in drawing.edges] == ["3", "3", "1"]


def block(C):
    return Sequential(
        Convolution.sized(C, 3, pad=1),
        BatchNormalization.sized(),
        Relu(),
        Convolution.sized(C, 3, pad=1),
        BatchNormalization.sized(),
    )


def inception():
    return Concat(
        Convolution.sized(8, 1),
        Sequential(Convolution.sized(4, 1), Relu(), Convolution.sized(8, 3, pad=1)),
        Sequential(Convolution.sized(4, 1), Relu(), Convolution.sized(8, 5, pad=2)),
        Sequential(Pooling(3, 3, 1, 1), Convolution.sized(8, 1)),
    )


def residual_net():
    layers = (
        Residual(block(4)),
        Relu(),
        Residual(block(8), Convolution.sized(8, 1)),
        Residual(Sequential(Residual(block(8)), inception()), Convolution.sized(32, 1)),
        Affine.sized(3),
    )
    return Network(Sequential(*layers), input_dim=(4, 8, 8))


def calculation():
    x, y, z = Number(1, "x"), Number(2, "y"), Number(3, "z")
    out = (x * y + z) * (x + z * y).apply("exp") + x * z + y
    out.backward()
    return out


DRAWINGS = {
    "apples": lambda: graph.of(apples()[-1]),
    "calculation": lambda: graph.of(calculation()),
    "residual": lambda: graph.of(residual_net()),
    "inception": lambda: graph.of(inception(), (3, 8, 8)),
    "one number": lambda: graph.of(Number(1, "x")),
    "nothing": lambda: Drawing("empty"),
} | {name: lambda name=name: graph.of(make(name)[0]) for name in ("composed", "DeepConvNet")}
every_drawing = pytest.mark.parametrize("name", DRAWINGS)


def edges_of(box):
    return (box.x - box.width / 2, box.x + box.width / 2), (
        *(box.y - box.height / 2, box.y + box.height / 2),
    )


def apart(a, b):
    (left, right), (top, bottom) = edges_of(a)
    (left2, right2), (top2, bottom2) = edges_of(b)
    return right <= left2 or right2 <= left or bottom <= top2 or bottom2 <= top


@every_drawing
def test_nothing_overlaps(name):
    drawing = DRAWINGS[name]()
    layout = drawing.layout()
    boxes = layout.nodes + [label for label in layout.labels if label is not None]
    for a, b in itertools.combinations(boxes, 2):
        assert apart(a, b), (a, b)
    for box in boxes:
        (left, right), (top, bottom) = edges_of(box)
        assert 0 <= left < right <= layout.width and 0 <= top < bottom <= layout.height
    for edge, points in zip(drawing.edges, layout.edges):
        others = [box for i, box in enumerate(layout.nodes) if i not in edge[:2]]
        for x, y in points:
            assert all(apart(box, box._replace(x=x, y=y, width=0, height=0)) for box in others)


@every_drawing
def test_arrows_go_from_node_to_node(name):
    drawing = DRAWINGS[name]()
    layout = drawing.layout()
    assert len(layout.edges) == len(drawing.edges)
    axis = 0 if drawing.across else 1
    for edge, points in zip(drawing.edges, layout.edges):
        for i, point in ((edge.source, points[0]), (edge.target, points[-1])):
            (left, right), (top, bottom) = edges_of(layout.nodes[i])
            assert left - 1 <= point[0] <= right + 1 and top - 1 <= point[1] <= bottom + 1
        along = [point[axis] for point in points]
        assert along == sorted(along)


@every_drawing
def test_svg_is_well_formed_and_the_same_every_time(name):
    text = DRAWINGS[name]().to_svg()
    root = ET.fromstring(text)
    assert root.tag == f"{SVG}svg" and root.find(f"{SVG}title") is not None
    assert text == DRAWINGS[name]().to_svg() and "nan" not in text
    count = len(DRAWINGS[name]().edges)
    assert len([p for p in root.iter(f"{SVG}path") if p.get("marker-end")]) == count


@every_drawing
def test_dot_has_every_node_and_edge(name):
    drawing = DRAWINGS[name]()
    lines = drawing.to_dot().splitlines()
    assert lines[0] == "digraph {" and lines[-1] == "}"
    node = re.compile(r'  n\d+ \[label="([^"\\]|\\.)*", shape=(box|circle|plaintext)\];')
    edge = re.compile(r'  n\d+ -> n\d+( \[label="([^"\\]|\\.)*"\])?;')
    assert sum(bool(node.fullmatch(line)) for line in lines) == len(drawing.nodes)
    assert sum(bool(edge.fullmatch(line)) for line in lines) == len(drawing.edges)
    assert len(lines) == len(drawing.nodes) + len(drawing.edges) + 5


def test_texts_are_escaped():
    drawing = Drawing('<&"\\\n')
    a, b = drawing.add(['<b> & "\\', "\x00line"]), drawing.add(["]]>"], "loss")
    drawing.connect(a, b, '<">', "&amp;")
    assert '<b> & "\\' in texts(drawing) and "&amp;" in texts(drawing)
    assert r'n0 [label="<b> & \"\\\n line",' in drawing.to_dot()
    assert drawing.to_dot().count("\n") == 2 + 1 + 5


@every_net
def test_every_layer_of_a_network_is_there(name):
    network, *_ = make(name)
    drawing = graph.of(network)
    heads = [node.lines[0] for node in drawing.nodes]
    for row in network.summary().rows:
        kind = type(row.layer).__name__
        assert heads.count(kind) == sum(
            type(r.layer).__name__ == kind for r in network.summary().rows
        )
    assert heads[-1] == type(network.last_layer).__name__
    shown = sum(int(t.split()[0].replace(",", "")) for n in drawing.nodes for t in n.lines
                if t.endswith(" parameters"))  # fmt: skip
    assert shown == network.summary().params


def test_shortcuts_and_branches():
    drawing = graph.of(residual_net())
    joins = [i for i, node in enumerate(drawing.nodes) if node.lines[0] == "+"]
    concat = next(i for i, node in enumerate(drawing.nodes) if node.lines[0] == "Concat")
    into = [edge.target for edge in drawing.edges]
    assert len(joins) == 4 and all(into.count(join) == 2 for join in joins)
    assert into.count(concat) == 4
    assert sum(edge.text == "shortcut" for edge in drawing.edges) == 2
    shapes = [e.text for e in drawing.edges if e.target == concat]
    assert shapes == ["8×8×8"] * 4
    # The body goes straight down, the shortcut beside it.
    layout = graph.of(Residual(block(4)), (4, 8, 8)).layout()
    assert len({box.x for box in layout.nodes}) == 1


def test_own_layers_can_be_drawn():
    class Mine(Layer):
        def __repr__(self):
            return "Mine(" + "very " * 20 + "long)"

    drawing = graph.of(Sequential(Mine(), Sequential()), (3,))
    assert drawing.nodes[1].lines[0] == "Mine" and drawing.nodes[1].lines[1].endswith("…")


@pytest.mark.parametrize("name", LAYERS)
def test_every_layer_can_be_drawn_and_looked_at(name):
    build, x_shape = LAYERS[name]
    layer = build(np.float64)
    drawing = graph.of(layer, x_shape[1:])
    out = layer.describe(x_shape).out_shape
    assert drawing.edges[-1].text == "×".join(map(str, out[1:]))
    assert drawing.nodes[1].lines[0] == type(layer).__name__
    network = Network([Flatten(), Reshape(*x_shape[1:]), layer, Affine.sized(2)])
    x = np.random.default_rng(0).standard_normal(x_shape)
    report = pynet.diagnose(network, x, np.zeros(len(x), int))
    assert len(report.rows) == 4 and np.isfinite([row.std for row in report.rows]).all()


def test_what_is_refused(tmp_path):
    with pytest.raises(TypeError, match=r"\[graph.of\] thing: expected a Network"):
        graph.of(5)
    with pytest.raises(ValueError, match=r"\[graph.of\] input_dim: expected the shape"):
        graph.of(Relu())
    drawing = Drawing("x")
    with pytest.raises(ValueError, match=r"\[Drawing.add\] kind: expected one of value"):
        drawing.add(["x"], "star")
    a, b = drawing.add(["a"]), drawing.add(["b"])
    for source, target in ((b, a), (a, a), (0, 2), (-1, 1)):
        with pytest.raises(ValueError, match=r"\[Drawing.connect\] source, target"):
            drawing.connect(source, target)
    with pytest.raises(ValueError, match=r"\[Drawing.save\] path: expected NAME.svg or NAME.dot"):
        drawing.save(tmp_path / "x.png")
    assert list(tmp_path.iterdir()) == []


def test_spread_keeps_the_gaps():
    assert spread([0, 10], [1, 1], 5) == [0, 10]
    assert spread([3, 3], [1, 1], 2) == [2, 4]
    assert spread([0, 0], [1, 3], 4) == [-3, 1]


def test_command(tmp_path, capsys):
    for name in ("net.svg", "net.dot"):
        path = tmp_path / name
        assert main(["graph", "--model", "deep-conv", "--out", str(path)]) == 0
        assert str(path) in capsys.readouterr().out
        assert "16 → 32, 3x3, pad=1" in path.read_text(encoding="utf-8")
    mlp = tmp_path / "mlp.dot"
    assert main(["graph", "--model", "mlp", "--input", "1x8x8", "--out", str(mlp)]) == 0
    assert '"64"' in mlp.read_text(encoding="utf-8")
    assert main(["graph", "--out", str(tmp_path / "net.png")]) == 1
    assert "expected NAME.svg or NAME.dot" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["graph", "--input", "1x0", "--out", str(mlp)])
    assert "expected sizes like 1x28x28" in capsys.readouterr().err


def test_in_matplotlib():
    from pynet.viz import style

    figure = style.new_figure(5, 2)
    with style.styled():
        axes = figure.subplots()
    drawing = graph.of(apples()[-1])
    drawing.plot(axes)
    assert {"100", "220", "tax"} <= {text.get_text() for text in axes.texts}
    assert len(axes.patches) == len(drawing.edges) + 2
    assert pynet.graph is graph
