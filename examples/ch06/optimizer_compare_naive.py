"""Four optimizers on x^2/20 + y^2, a long valley: SGD zigzags, the others take the bend.

expects: SGD: distance from the minimum
expects: crossings of the valley's floor by SGD: 29
"""

import sys

import numpy as np

from pynet.optimizers import SGD, AdaGrad, Adam, Momentum
from pynet.viz import style

optimizers = {
    "SGD": SGD(lr=0.95),
    "Momentum": Momentum(lr=0.1),
    "AdaGrad": AdaGrad(lr=1.5),
    "Adam": Adam(lr=0.3),
}
x_grid, y_grid = np.meshgrid(np.arange(-10, 10, 0.1), np.arange(-5, 5, 0.1))
figure = style.new_figure(8, 6, "30 steps from (-7, 2) on x²/20 + y²")
with style.styled():
    panels = figure.subplots(2, 2, sharex=True, sharey=True).ravel()

for axes, (name, optimizer) in zip(panels, optimizers.items()):
    params = {"x": -7.0, "y": 2.0}  # plain numbers will do
    path = [(-7.0, 2.0)]
    for _ in range(30):
        grads = {"x": params["x"] / 10.0, "y": 2.0 * params["y"]}
        optimizer.update(params, grads)
        path.append((params["x"], params["y"]))
    xs, ys = np.array(path).T
    print(f"{name}: distance from the minimum {np.hypot(xs[-1], ys[-1]):.3f}")
    if name == "SGD":
        crossings = np.count_nonzero(np.diff(np.sign(ys[:-1])))
        print("crossings of the valley's floor by SGD:", crossings)
    height = x_grid**2 / 20 + y_grid**2
    axes.contour(x_grid, y_grid, height, levels=12, colors=style.GRAY, linewidths=0.6)
    axes.plot(xs, ys, "o-", color=style.ORANGE)
    axes.set(title=name, xlabel="x", ylabel="y")
style.save_figure(sys.argv[1] if len(sys.argv) > 1 else "optimizer_compare_naive.png", figure)
