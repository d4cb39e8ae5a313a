"""One signature at four places: the compiled core, its stub, pynet.ops and pynet.reference."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import pynet
from pynet import _core, ops, reference

PACKAGE = Path(pynet.__file__).parent
STUB = ast.parse((PACKAGE / "_core.pyi").read_text(encoding="utf-8"))
RUNTIME = {"caching", "empty", "isa", "isas", "memory", "num_threads", "release_memory"}
RUNTIME |= {"set_isa", "set_num_threads", "set_winograd", "thread_info", "version", "winograd"}
# What the docstrings call a result, and how the stub's annotation begins.
RESULTS = {"numpy.ndarray": "Array", "tuple": "tuple[", "dict": "dict[", "list": "list["}


class Parameter(NamedTuple):
    name: str
    kind: str
    default: Any = None  # nothing, or its value in a tuple


def parameters(function: ast.FunctionDef) -> list[Parameter]:
    """The parameters in order; a default that is no literal counts as `...`."""
    a = function.args
    assert not (a.posonlyargs or a.vararg or a.kwarg), function.name
    defaults = [None] * (len(a.args) - len(a.defaults)) + a.defaults
    pairs = [(arg, "positional", d) for arg, d in zip(a.args, defaults)]
    pairs += [(arg, "keyword", d) for arg, d in zip(a.kwonlyargs, a.kw_defaults)]
    return [Parameter(arg.arg, kind, value_of(default)) for arg, kind, default in pairs]


def value_of(default: ast.expr | None) -> Any:
    if default is None:
        return None
    try:
        return (ast.literal_eval(default),)
    except ValueError:
        return (...,)


def functions(tree: ast.Module) -> dict[str, ast.FunctionDef]:
    return {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}


def compiled(name: str) -> ast.FunctionDef:
    """What the first line of the docstring says that `def_op` or pybind11 writes."""
    line = getattr(_core, name).__doc__.splitlines()[0]
    (function,) = functions(ast.parse(f"def {line}: ...")).values()
    assert function.name == name
    return function


def source_of_ops() -> dict[str, ast.FunctionDef]:
    found: dict[str, ast.FunctionDef] = {}
    for path in (PACKAGE / "ops").glob("*.py"):
        found |= functions(ast.parse(path.read_text(encoding="utf-8")))
    return {name: function for name, function in found.items() if name in ops.__all__}


IN_STUB = functions(STUB)
CLASSES = {node.name: node for node in STUB.body if isinstance(node, ast.ClassDef)}
IN_CORE = {name for name in dir(_core) if not name.startswith("_")} - set(CLASSES)


def test_the_stub_has_every_name_in_order() -> None:
    assert list(IN_STUB) == sorted(IN_CORE)
    known = (ast.FunctionDef, ast.ClassDef, ast.Expr, ast.ImportFrom)
    assert all(isinstance(node, known) for node in STUB.body), "functions and classes only"


def test_the_stub_has_every_method_of_the_classes() -> None:
    for name, stub in CLASSES.items():
        cls = getattr(_core, name)
        methods = {method for method in vars(cls) if not method.startswith("_")}
        assert {node.name for node in stub.body if isinstance(node, ast.FunctionDef)} == methods


@pytest.mark.parametrize("name", sorted(IN_CORE | set(IN_STUB)))
def test_the_stub_has_the_signature_of_the_core(name: str) -> None:
    stub, core = IN_STUB[name], compiled(name)
    assert parameters(stub) == parameters(core)
    assert stub.returns is not None and core.returns is not None
    result = ast.unparse(core.returns)
    assert ast.unparse(stub.returns).startswith(RESULTS.get(result, result))
    for argument in (*stub.args.args, *stub.args.kwonlyargs):
        assert argument.annotation is not None, f"{name}: {argument.arg} has no type"


@pytest.mark.parametrize("name", ops.__all__)
def test_the_stub_has_the_types_of_the_ops(name: str) -> None:
    stub, op = IN_STUB[name], source_of_ops()[name]
    assert ast.unparse(stub.args) == ast.unparse(op.args)
    assert ast.unparse(stub.returns) == ast.unparse(op.returns)


def test_the_same_ops_everywhere() -> None:
    assert set(ops.__all__) == set(source_of_ops()) == IN_CORE - RUNTIME
    shown_twice = {"conv2d_naive"}  # the loops that the reference's conv2d stands for
    assert set(reference.__all__) - RUNTIME == set(ops.__all__) | shown_twice
    assert RUNTIME <= IN_CORE


@pytest.mark.parametrize("name", ops.__all__)
def test_the_same_parameters_everywhere(name: str) -> None:
    """The names, kinds and defaults of the reference, read off its code."""
    path = PACKAGE / "reference" / f"{getattr(reference, name).__module__.rpartition('.')[2]}.py"
    in_reference = functions(ast.parse(path.read_text(encoding="utf-8")))[name]
    assert parameters(in_reference) == parameters(compiled(name))
