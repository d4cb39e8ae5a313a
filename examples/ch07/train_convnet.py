"""A small convolutional net learns digits: Conv - ReLU - Pool - Affine - ReLU - Affine - softmax.

Writes params.pkl for the next two scripts. The book trains for 20 epochs of MNIST and reports
98.96 % on the test images; here a few are enough to see it work.

expects: test accuracy > 0.9
expects: wrote params.pkl
"""

import numpy as np

from pynet.datasets import load_mnist_or_digits
from pynet.networks import SimpleConvNet
from pynet.trainer import Trainer

(x_train, t_train), (x_test, t_test) = load_mnist_or_digits(flatten=False)
epochs = 1 if len(x_train) == 60000 else 6

np.random.seed(0)
network = SimpleConvNet()
print(network.summary())
trainer = Trainer(
    *(network, x_train, t_train, x_test, t_test),
    epochs=epochs,
    mini_batch_size=100,
    optimizer="Adam",
    optimizer_param={"lr": 0.001},
    evaluate_sample_num_per_epoch=1000,
    verbose=False,
)
trainer.train()
print("test accuracy", network.accuracy(x_test, t_test))
network.save_params("params.pkl")
print("wrote params.pkl")
