"""A mini-batch: 100 of the 60,000 images, drawn at random, stand for all of them.

expects: batch (100, 784) (100, 10)
expects: 100 of
"""

import numpy as np

from pynet.datasets import load_mnist_or_digits

(x_train, t_train), _ = load_mnist_or_digits(one_hot_label=True)
np.random.seed(0)
batch_mask = np.random.choice(len(x_train), 100)
x_batch, t_batch = x_train[batch_mask], t_train[batch_mask]
print("batch", x_batch.shape, t_batch.shape)
print("100 of", len(x_train), "images, such as number", *batch_mask[:5])

# Like a survey: the mean over the batch is close to the mean over everything.
print(f"mean grey of the batch {x_batch.mean():.3f}, of all images {x_train.mean():.3f}")
