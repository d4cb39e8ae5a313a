"""The book's experiments, one command each: `pynet lab NAME`.

Each is a function of a `Lab` that returns a `Result`: a figure, numbers, and two sentences.
"""

from pynet.lab.catalog import CATALOG, Entry
from pynet.lab.experiment import Lab, Result, plain

__all__ = ["CATALOG", "Entry", "Lab", "Result", "plain"]
