"""Dropout against over-fitting: in training each neuron is silent with probability 0.2, in use all
speak, multiplied by 1 - 0.2.

expects: in training 0.80 of the ones are left
expects: in use all are multiplied by 0.80
expects: plain: train accuracy > 0.98
expects: dropout: train accuracy < 0.95
"""

import numpy as np

import pynet
from pynet.datasets import load_mnist_or_digits
from pynet.layers import Dropout
from pynet.networks import MultiLayerNetExtend
from pynet.trainer import Trainer

pynet.seed(0)  # of the masks
dropout, ones = Dropout(0.2), np.ones((1000, 1000))
print(f"in training {dropout.forward(ones, train_flg=True).mean():.2f} of the ones are left")
print(f"in use all are multiplied by {dropout.forward(ones, train_flg=False).mean():.2f}")

(x_train, t_train), (x_test, t_test) = load_mnist_or_digits()
x_train, t_train = x_train[:300], t_train[:300]
for name, use_dropout in (("plain", False), ("dropout", True)):
    np.random.seed(0)
    network = MultiLayerNetExtend(784, [100] * 6, 10, use_dropout=use_dropout, dropout_ration=0.2)
    trainer = Trainer(
        *(network, x_train, t_train, x_test, t_test),
        epochs=200,
        optimizer="SGD",
        optimizer_param={"lr": 0.01},
        evaluate_sample_num_per_epoch=100,
        verbose=False,
    )
    trainer.train()
    train, test = network.accuracy(x_train, t_train), network.accuracy(x_test, t_test)
    print(f"{name}: train accuracy {train:.3f}, test accuracy {test:.3f}, gap {train - test:.3f}")

# With dropout the net can no longer learn 300 images by heart in that time. On MNIST the gap
# between training and test shrinks, as in the book; the package's digits are so easy that it was
# small from the start, and there dropout only slows the training down.
