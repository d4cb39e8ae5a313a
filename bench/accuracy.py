"""What the book's nets reach on MNIST, with the book's settings: the figures of docs/results.md.

    PYNET_DATA=... python bench/accuracy.py simple-conv --seeds 0 1 2
    PYNET_DATA=... python bench/accuracy.py deep-conv --seeds 0 1 2 --json deep.json

Adam with a learning rate of 0.001, batches of 100 drawn with replacement, 20 epochs; accuracy on
all 10,000 test images after the last epoch, nothing chosen by it. A seed gives the same figure on
any number of threads of one instruction set.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time

import numpy as np

import pynet
from pynet.datasets import load_mnist
from pynet.networks import DeepConvNet, SimpleConvNet
from pynet.trainer import Trainer

NETS = {"simple-conv": SimpleConvNet, "deep-conv": DeepConvNet}


def accuracy(name: str, seed: int, epochs: int) -> tuple[float, float]:
    """Train one net, and return its test accuracy and the seconds it took."""
    train, test = load_mnist(flatten=False)
    np.random.seed(seed)
    pynet.seed(seed)
    trainer = Trainer(
        *(NETS[name](), *train, *test),
        epochs=epochs,
        mini_batch_size=100,
        optimizer="Adam",
        optimizer_param={"lr": 0.001},
        evaluate_sample_num_per_epoch=1000,
        verbose=False,
        progress=True,
    )
    start = time.perf_counter()
    trainer.train()
    return trainer.network.accuracy(*test), time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("net", choices=NETS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--threads", type=int, default=0, help="0: the default")
    parser.add_argument("--json", metavar="FILE", help="write the figures here")
    args = parser.parse_args()
    pynet.set_num_threads(args.threads)

    found = {}
    for seed in args.seeds:
        found[seed], seconds = accuracy(args.net, seed, args.epochs)
        print(f"{args.net}, seed {seed}: {100 * found[seed]:.2f} % in {seconds:.0f} s", flush=True)
    print(f"{args.net}, mean: {100 * statistics.mean(found.values()):.2f} %")
    if args.json:
        with open(args.json, "w") as file:
            json.dump({"net": args.net, "epochs": args.epochs, "accuracy": found}, file)


if __name__ == "__main__":
    main()
