"""A perceptron finds its weights by itself (Rosenblatt, 1958): chapters 4 and 5 in small.

After each mistake the weights move towards the input that should have been a 1, or away from the
one that should have been a 0.

expects: AND learned
expects: OR learned
expects: XOR not learned
"""

from pynet.perceptron import Perceptron

inputs = [(0, 0), (1, 0), (0, 1), (1, 1)]
targets = {"AND": (0, 0, 0, 1), "OR": (0, 1, 1, 1), "XOR": (0, 1, 1, 0)}

for name, t in targets.items():
    p = Perceptron(w=[0, 0], b=0)
    mistaken = p.fit(inputs, t, epochs=100)
    right = int((p(inputs) == t).sum())
    verdict = "learned" if right == 4 else "not learned"
    print(f"{name} {verdict}: {right} of 4 right after {mistaken} epochs with mistakes, {p}")
