"""300 images are too few for 130,000 parameters: the net learns them by heart. Weight decay adds
1/2 lambda W^2 to the loss, so that large weights cost something.

expects: plain: train accuracy > 0.98
expects: the gap is smaller with weight decay: True
expects: mean square of the weights falls to < 0.9
"""

import numpy as np

from pynet.datasets import load_mnist_or_digits
from pynet.networks import MultiLayerNet
from pynet.trainer import Trainer

(x_train, t_train), (x_test, t_test) = load_mnist_or_digits()
x_train, t_train = x_train[:300], t_train[:300]
gaps, sizes = [], []
for name, weight_decay_lambda in (("plain", 0), ("weight decay 0.1", 0.1)):
    np.random.seed(0)
    network = MultiLayerNet(784, [100] * 6, 10, weight_decay_lambda=weight_decay_lambda)
    trainer = Trainer(
        *(network, x_train, t_train, x_test, t_test),
        epochs=200,
        mini_batch_size=100,
        optimizer="SGD",
        optimizer_param={"lr": 0.01},
        evaluate_sample_num_per_epoch=100,
        verbose=False,
    )
    trainer.train()
    train, test = network.accuracy(x_train, t_train), network.accuracy(x_test, t_test)
    print(f"{name}: train accuracy {train:.3f}, test accuracy {test:.3f}, gap {train - test:.3f}")
    gaps.append(train - test)
    sizes.append(sum(float(np.sum(p**2)) for key, p in network.params.items() if key[0] == "W"))

print("the gap is smaller with weight decay:", gaps[1] < gaps[0])
print("mean square of the weights falls to", sizes[1] / sizes[0])
