"""Every test of a concept starts from the same random numbers, whatever ran before it."""

from __future__ import annotations

import digits_cases
import numpy as np
import pytest

import pynet


@pytest.fixture(autouse=True)
def _same_numbers() -> None:
    np.random.seed(0)
    pynet.seed(0)
    digits_cases.RNG.bit_generator.state = digits_cases.START
