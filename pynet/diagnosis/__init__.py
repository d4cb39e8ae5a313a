"""What goes on inside a network, and what is wrong with it.

`diagnose` looks at every layer, `chain_rule` takes one weight's gradient apart, `profile` times
the layers, `sharpness` shakes the weights, `learning_curve` reads a run's accuracies, and
`first_non_finite` finds where numbers stopped being finite.
"""

from pynet.diagnosis.chain import ChainRule, Factor, chain_rule
from pynet.diagnosis.curves import CurveReport, learning_curve
from pynet.diagnosis.finite import finite, first_non_finite
from pynet.diagnosis.layers import Diagnosis, LayerReport, diagnose
from pynet.diagnosis.minima import sharpness
from pynet.diagnosis.profile import LayerTime, Profile, profile

__all__ = [
    "ChainRule",
    "CurveReport",
    "Diagnosis",
    "Factor",
    "LayerReport",
    "LayerTime",
    "Profile",
    "chain_rule",
    "diagnose",
    "finite",
    "first_non_finite",
    "learning_curve",
    "profile",
    "sharpness",
]
