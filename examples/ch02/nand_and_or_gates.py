"""NAND and OR: the same perceptron as AND, with other weights.

expects: NAND 1 1 1 0
expects: OR 0 1 1 1
"""

from pynet.perceptron import Perceptron

gates = {
    "AND": Perceptron([0.5, 0.5], -0.7),
    "NAND": Perceptron([-0.5, -0.5], 0.7),  # AND with all signs turned round
    "OR": Perceptron([0.5, 0.5], -0.2),  # one input is enough
}
inputs = [(0, 0), (1, 0), (0, 1), (1, 1)]
for name, gate in gates.items():
    print(name, *(gate(x) for x in inputs))
