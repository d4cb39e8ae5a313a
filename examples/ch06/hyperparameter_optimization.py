"""Random search for learning rate and weight decay, in powers of ten, judged by validation data:
the test data must know nothing of the choice.

expects: best validation accuracy > 0.5
expects: test accuracy > 0.5
"""

import numpy as np

from pynet.datasets import load_mnist_or_digits
from pynet.networks import MultiLayerNet
from pynet.trainer import Trainer
from pynet.util import shuffle_dataset

np.random.seed(0)
(x_train, t_train), (x_test, t_test) = load_mnist_or_digits()
x_train, t_train = shuffle_dataset(x_train[:500], t_train[:500])
number = len(x_train) // 5  # 20 % for validation
x_val, t_val = x_train[:number], t_train[:number]
x_train, t_train = x_train[number:], t_train[number:]

trials = []
for _ in range(15):
    lr, weight_decay = 10 ** np.random.uniform(-4, -1), 10 ** np.random.uniform(-8, -4)
    network = MultiLayerNet(784, [100] * 3, 10, weight_decay_lambda=weight_decay)
    trainer = Trainer(
        *(network, x_train, t_train, x_val, t_val),
        epochs=20,
        optimizer_param={"lr": lr},
        verbose=False,
    )
    trainer.train()
    trials.append((trainer.test_acc_list[-1], lr, weight_decay, network))

trials.sort(key=lambda trial: -trial[0])
for accuracy, lr, weight_decay, _ in trials[:5]:
    print(f"validation accuracy {accuracy:.2f} with lr {lr:.1e}, weight decay {weight_decay:.1e}")
print("best validation accuracy", trials[0][0])
print("test accuracy", trials[0][3].accuracy(x_test, t_test))
# The rate decides, the decay hardly matters here. A second search would draw from a narrower range.
