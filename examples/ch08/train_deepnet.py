"""The deep net: six convolutions of 3 x 3, three poolings, two Affine layers, dropout, He weights.

Writes deep_convnet_params.pkl for the next two scripts. The book trains for 20 epochs of MNIST and
reports 99.38 %.

expects: test accuracy > 0.9
expects: wrote deep_convnet_params.pkl
"""

import numpy as np

import pynet
from pynet.datasets import load_mnist_or_digits
from pynet.networks import DeepConvNet
from pynet.trainer import Trainer

(x_train, t_train), (x_test, t_test) = load_mnist_or_digits(flatten=False)
epochs = 1 if len(x_train) == 60000 else 4

np.random.seed(0)
pynet.seed(0)
network = DeepConvNet()
print(network.summary())
trainer = Trainer(
    *(network, x_train, t_train, x_test, t_test),
    epochs=epochs,
    mini_batch_size=100,
    optimizer="Adam",
    optimizer_param={"lr": 0.001 if len(x_train) == 60000 else 0.002},
    evaluate_sample_num_per_epoch=200,
    verbose=False,
)
trainer.train()
print("test accuracy", network.accuracy(x_test, t_test))
network.save_params("deep_convnet_params.pkl")
print("wrote deep_convnet_params.pkl")
