"""`python -m pynet.gpucheck`: what needs a GPU, in one command: tests, sanitizers, benchmarks.

It is part of the checkout (bench/gpucheck), as the tests and benchmarks that it runs are.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

NO_CHECKOUT = 4


def checkout() -> Path | None:
    """Return the checkout that this file or the current folder belongs to."""
    own = Path(__file__).resolve().parent.parent
    here = Path.cwd().resolve()
    for folder in (own, here, *here.parents):
        if (folder / "bench" / "gpucheck" / "run.py").is_file() and (folder / "tests").is_dir():
            return folder
    return None


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command of the checkout and return its exit status."""
    root = checkout()
    if root is None:
        print(
            "pynet.gpucheck: needs a checkout of pynet, with its tests and benchmarks: "
            "start it there",
            file=sys.stderr,
        )
        return NO_CHECKOUT
    sys.path.append(str(root / "bench"))
    return int(import_module("gpucheck.run").main(argv))


if __name__ == "__main__":
    sys.exit(main())
