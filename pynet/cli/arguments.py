"""What can be written after `pynet`."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

from pynet import __version__
from pynet.cli.models import MODELS
from pynet.devices import DEVICES
from pynet.optimizers import OPTIMIZERS
from pynet.schedules import SCHEDULES

OUT = "out"
DATA_HELP = "digits (8x8, in the package), mnist, fashion-mnist, or FILE.npz with arrays x and t"


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, without the usage above it."""

    def error(self, message: str) -> Any:
        self.exit(2, f"{self.prog}: error: {message} (see {self.prog} --help)\n")


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Return the arguments; `run` is the function of the command. Exits on wrong ones."""
    parser = _Parser(
        prog="pynet",
        description="Train the networks of 'Deep Learning from Scratch', and use them.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"pynet {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def command(name: str, module: str, help_: str, epilog: str = "") -> argparse.ArgumentParser:
        sub = commands.add_parser(
            name, help=help_, description=help_, epilog=epilog, allow_abbrev=False
        )
        sub.set_defaults(run=_later(module, name))
        return sub

    _train(command("train", "pynet.cli.train", "train a network, write what it has learnt"))
    _demo(command("demo", "pynet.cli.train", "train a small CNN on the digits of the package"))
    _eval(command("eval", "pynet.cli.use", "measure a trained network on test data"))
    _predict(
        command(
            "predict",
            "pynet.cli.use",
            "say what a picture shows",
            "The picture is made gray (where the network wants one channel), laid on white where "
            "it is transparent, and resized to the network's input. The networks have learnt "
            "light strokes on dark ground: a picture whose border is on average light is inverted.",
        )
    )
    _lab(command("lab", "pynet.cli.lab", "run an experiment of the book: a picture and numbers"))
    _profile(command("profile", "pynet.cli.look", "time each layer of a network"))
    _graph(command("graph", "pynet.cli.look", "draw a network as SVG or DOT"))
    _bench(
        command(
            "bench",
            "pynet.cli.bench",
            "time pynet beside the libraries that are installed here",
            "A ratio is another library's time over pynet's: 2x means that pynet takes half the "
            "time. Each library runs in a process of its own on as many processors, all in turn, "
            "and takes part in a row only if it computes the same. Libraries it knows: PyTorch, "
            "JAX, scikit-learn, onnxruntime, DeZero, tinygrad, and NumPy as the book uses it.",
        )
    )
    command("info", "pynet.cli.info", "show version, instruction set, threads and memory")
    return parser.parse_args(argv)


def _train(sub: argparse.ArgumentParser) -> None:
    # None means: as in the checkpoint of --resume, else as in pynet.cli.train.DEFAULTS.
    sub.add_argument("--data", metavar="DATA", help=f"{DATA_HELP} (digits)")
    sub.add_argument("--model", choices=MODELS, help="the network (simple-conv)")
    sub.add_argument("--epochs", type=_whole(1), metavar="N", help="passes over the data (20)")
    sub.add_argument("--batch-size", type=_whole(1), metavar="N", help="samples per step (100)")
    sub.add_argument("--optimizer", choices=tuple(OPTIMIZERS), help="(adam)")
    sub.add_argument("--lr", type=_rate, metavar="X", help="learning rate (the optimizer's own)")
    sub.add_argument(
        "--schedule", choices=tuple(SCHEDULES), help="learning rate over the run (constant)"
    )
    sub.add_argument("--seed", type=_whole(0), metavar="N", help="of weights, batches, split (0)")
    sub.add_argument("--dtype", choices=("float32", "float64"), help="(float32)")
    sub.add_argument("--device", choices=DEVICES, help="where the network is trained (cpu)")
    sub.add_argument(
        "--eval-samples",
        type=_whole(1),
        metavar="N",
        help="after each epoch measure accuracy on the first N samples (10000); the last figure "
        "is that of all test data",
    )
    sub.add_argument(
        "--validation",
        type=_share,
        metavar="SHARE",
        help="hold out this share of the training data",
    )
    sub.add_argument(
        "--early-stopping",
        type=_whole(1),
        metavar="PATIENCE",
        help="stop after so many epochs without a better validation accuracy, keep the best net",
    )
    sub.add_argument("--resume", metavar="PATH", help="go on from this checkpoint, or its folder")
    _out(sub)
    _place(sub)


def _demo(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--seed", type=_whole(0), default=0, metavar="N", help="(0)")
    sub.add_argument(
        "--seeds", type=_whole(1), metavar="N", help="run seeds 0 to N-1 and print the mean"
    )
    sub.set_defaults(data_dir=None, download=False)  # its data are in the package
    _out(sub)
    _threads(sub)


def _out(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--out", metavar="DIR", help=f"folder for what is written ({OUT})")


def _threads(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "--threads",
        type=_whole(1),
        metavar="N",
        help="how many compute (see `pynet info`); the results are the same with any number",
    )


def _place(sub: argparse.ArgumentParser) -> None:
    _threads(sub)
    sub.add_argument("--data-dir", metavar="DIR", help="folder with the files of --data")
    sub.add_argument("--download", action="store_true", help="fetch the files if they are missing")


def _eval(sub: argparse.ArgumentParser) -> None:
    _checkpoint(sub)
    sub.add_argument("--data", metavar="DATA", help=f"{DATA_HELP}; by default what it learnt from")
    sub.add_argument("--model", choices=MODELS, help="where the file holds weights only")
    _place(sub)


def _predict(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("file", metavar="FILE.png", help="a picture of one thing")
    _checkpoint(sub)
    sub.add_argument(
        "--invert", choices=("auto", "yes", "no"), default="auto", help="swap light and dark (auto)"
    )


def _lab(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("names", nargs="*", metavar="NAME", help="of --list; `all` for all of them")
    sub.add_argument("--list", action="store_true", help="print each name with its question")
    sub.add_argument("--quick", action="store_true", help="seconds instead of minutes, to try it")
    sub.add_argument("--seed", type=_whole(0), default=0, metavar="N", help="(0)")
    sub.add_argument(
        "--out", default=OUT, metavar="DIR", help=f"folder for what is written ({OUT})"
    )


def _profile(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--data", default="digits", metavar="DATA", help=f"{DATA_HELP} (digits)")
    sub.add_argument("--model", choices=MODELS, default="simple-conv", help="(simple-conv)")
    sub.add_argument("--batch-size", type=_whole(1), default=100, metavar="N", help="(100)")
    sub.add_argument("--repeats", type=_whole(1), default=20, metavar="N", help="passes (20)")
    sub.add_argument("--dtype", choices=("float32", "float64"), default="float32", help="(float32)")
    _place(sub)


def _graph(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--model", choices=MODELS, default="simple-conv", help="(simple-conv)")
    sub.add_argument(
        "--input", type=_shape, default=(1, 28, 28), metavar="CxHxW", help="of a sample (1x28x28)"
    )
    sub.add_argument("--classes", type=_whole(1), default=10, metavar="N", help="(10)")
    sub.add_argument("--out", metavar="FILE", required=True, help="to write: .svg or .dot")


def _bench(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--peers", nargs="+", metavar="PEER", help="only these, such as torch or book")
    sub.add_argument(
        "--threads", nargs="+", type=_whole(1), metavar="N", help="(1, and all that pynet uses)"
    )
    sub.add_argument("--quick", action="store_true", help="two rows, seconds instead of minutes")


def _checkpoint(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "--checkpoint", default=OUT, metavar="PATH", help=f"a file or its folder ({OUT})"
    )


def _later(module: str, name: str) -> Callable[[argparse.Namespace], int]:
    """The function of a command, imported when it runs, so that --help is quick."""

    def run(arguments: argparse.Namespace) -> int:
        return int(getattr(import_module(module), name)(arguments))

    return run


def _whole(low: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not text.isdecimal() or not low <= int(text) < 2**31:
            raise argparse.ArgumentTypeError(f"expected a whole number from {low}, got {text!r}")
        return int(text)

    return number


def _shape(text: str) -> tuple[int, ...]:
    sizes = text.split("x")
    if not all(size.isdecimal() and 0 < int(size) < 2**31 for size in sizes):
        raise argparse.ArgumentTypeError(f"expected sizes like 1x28x28, got {text!r}")
    return tuple(map(int, sizes))


def _between(low: float, high: float, words: str) -> Callable[[str], float]:
    def number(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = low
        if not low < value < high:
            raise argparse.ArgumentTypeError(f"expected a number {words}, got {text!r}")
        return value

    return number


_rate = _between(0, float("inf"), "above 0")
_share = _between(0, 1, "above 0 and below 1")
