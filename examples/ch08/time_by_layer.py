"""Where the time of a deep convolutional net goes: nearly all of it into convolution.

The book quotes 95 % on a GPU and 89 % on a CPU, for another network on another machine.

expects: convolution: share of the multiply-adds > 0.98
expects: convolution: share of the time > 0.2
"""

import numpy as np

from pynet.diagnosis import profile
from pynet.networks import DeepConvNet

np.random.seed(0)
network = DeepConvNet()
x, t = np.random.rand(20, 1, 28, 28), np.random.randint(0, 10, 20)

report = profile(network, x, t, repeats=5)
print(report)
of_convolution = sum(row.macs for row in report.rows if row.kind == "Convolution")
share = of_convolution / sum(row.macs for row in report.rows)
print(f"convolution: share of the multiply-adds {share:.4f}")
print(f"convolution: share of the time {report.share('Convolution'):.2f}")
