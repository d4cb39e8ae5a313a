"""The command `pynet`: train, evaluate, predict, look at the installation.

What a user can cause (a missing file, a wrong argument, a full disk) ends in one line on stderr
and a nonzero exit status, never in a traceback.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from pynet.cli.arguments import parse
from pynet.cli.errors import INTERRUPTED, one_line

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command, by default that of `sys.argv`, and return the exit status."""
    try:
        arguments = parse(sys.argv[1:] if argv is None else argv)
        status = int(arguments.run(arguments))
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        print("pynet: interrupted", file=sys.stderr)
        return INTERRUPTED
    except (
        *(ValueError, TypeError, LookupError, OSError, MemoryError),
        *(ImportError, FloatingPointError, RuntimeError),
    ) as error:
        print(f"pynet: error: {one_line(error)}", file=sys.stderr)
        _forget_output()
        return 1


def _forget_output() -> None:
    """Drop what stdout cannot take (a closed pipe, a full disk), or exit would complain again."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
