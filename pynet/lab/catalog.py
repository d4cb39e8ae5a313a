"""All experiments: name, question, and where the function is. Loaded when they are run."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import NamedTuple

from pynet.lab.experiment import Lab, Result


class Entry(NamedTuple):
    """One experiment of the catalog."""

    name: str
    question: str
    place: str  # MODULE:FUNCTION below pynet.lab

    def run(self, lab: Lab) -> Result:
        """Run it."""
        module, function = self.place.split(":")
        experiment: Callable[[Lab], Result] = getattr(
            import_module(f"pynet.lab.{module}"), function
        )
        return experiment(lab)


# In the book's order; a line for each chapter.
_ENTRIES = (
    # 2, 3: perceptrons and neural networks
    Entry("xor", "Can one layer of neurons learn XOR, and can two?", "boundaries:xor"),
    Entry(
        "linear-collapse",
        "What do many layers do without activations between them?",
        "boundaries:linear_collapse",
    ),
    Entry(
        "activations",
        "What do the activation functions look like, and their derivatives?",
        "activations:activations",
    ),
    # 4: loss, gradients, learning
    Entry(
        "losses",
        "What does each loss make of an error, and how hard does it pull?",
        "targets:losses",
    ),
    Entry(
        "accuracy-as-target",
        "Why not train for accuracy itself?",
        "targets:accuracy_as_target",
    ),
    Entry(
        "numerical-gradient",
        "Do differences and backpropagation agree, and what do they cost?",
        "gradients:numerical_and_analytic",
    ),
    Entry(
        "gradient-field",
        "Where does the gradient point, and how large may a step be?",
        "gradients:gradient_field",
    ),
    Entry(
        "random-search-weights",
        "Could we do without the gradient, and try weights at random?",
        "gradients:random_search_weights",
    ),
    Entry(
        "saddle-noise",
        "Does the noise of small batches help out of a poor minimum, or off a saddle?",
        "noise:saddle_noise",
    ),
    # 5: backpropagation
    Entry("apple-graph", "What does a price pass back to an apple?", "graphs:apple_graph"),
    Entry("chain-rule", "Which factors make up the gradient of the first weight?", "graphs:chain"),
    # 6: optimizers, initial values, batch normalization, over-fitting, hyperparameters
    Entry(
        "optimizer-paths", "Which way does each optimizer take downhill?", "paths:optimizer_paths"
    ),
    Entry(
        "optimizers-mnist",
        "Which of the book's optimizers learns fastest?",
        "races:optimizers_mnist",
    ),
    Entry(
        "learning-rates",
        "What do too small and too large a rate look like?",
        "races:learning_rates",
    ),
    Entry("schedules", "How may the learning rate change over a run?", "paths:schedules"),
    Entry(
        "initial-values-mnist", "How large must initial weights be?", "races:initial_values_mnist"
    ),
    Entry(
        "activation-histograms",
        "What do initial weights do to the outputs of five layers?",
        "signals:activation_histograms",
    ),
    Entry(
        "vanishing-gradients",
        "How much of the gradient arrives at the first of ten layers?",
        "signals:vanishing_gradients",
    ),
    Entry("dead-units", "How many ReLUs die, and what kills them?", "signals:dead_units"),
    Entry("symmetry", "Why must initial weights differ?", "signals:symmetry"),
    Entry(
        "batch-norm-scales",
        "Does batch normalisation make up for bad initial weights?",
        "batch_norm:batch_norm_scales",
    ),
    Entry(
        "batch-norm-placement",
        "Does batch normalisation belong before or after the activation?",
        "batch_norm:batch_norm_placement",
    ),
    Entry(
        "capacity",
        "How do too small, right and too large nets differ while they learn?",
        "fitting:capacity",
    ),
    Entry(
        "overfitting",
        "What makes the gap between training and test smaller with 300 images?",
        "fitting:overfitting",
    ),
    Entry(
        "weight-sparsity",
        "How do L1 and L2 penalties change the weights?",
        "fitting:weight_sparsity",
    ),
    Entry(
        "dropout-ensemble",
        "Is a net with dropout the average of many thinned nets?",
        "fitting:dropout_ensemble",
    ),
    Entry(
        "batch-sizes",
        "What does the batch size do to time, direction, accuracy and flatness?",
        "batch_sizes:batch_sizes",
    ),
    Entry(
        "online-against-batch",
        "Is online learning better than batch training, over 24 data sets?",
        "online:online_against_batch",
    ),
    Entry(
        "early-stopping",
        "When is it time to stop training, and what does it give?",
        "tuning:early_stopping",
    ),
    Entry(
        "hyperparameter-search",
        "Does random search find better hyperparameters than a grid at equal budget?",
        "tuning:hyperparameter_search",
    ),
    Entry(
        "ensembles",
        "How much better are five networks together than each alone?",
        "ensembles:ensembles",
    ),
    # 7, 8: convolution, depth, speed, precision
    Entry(
        "conv-shapes",
        "What do padding, stride and dilation do to the size of the output?",
        "convolution_shapes:conv_shapes",
    ),
    Entry(
        "naive-conv",
        "How long do loops, im2col and the kernels take for one convolution?",
        "convolution_cost:naive_conv",
    ),
    Entry(
        "im2col-memory",
        "How much memory does im2col need, and the kernels?",
        "convolution_cost:im2col_memory",
    ),
    Entry(
        "two-3x3-for-5x5",
        "What do two 3x3 convolutions save against one 5x5?",
        "convolution_depth:two_3x3_for_5x5",
    ),
    Entry(
        "bottleneck",
        "What do 1x1 convolutions save when they narrow and widen the channels?",
        "convolution_cost:bottleneck",
    ),
    Entry(
        "misclassified",
        "Which digits does a trained net misread?",
        "mistakes:misclassified",
    ),
    Entry(
        "pooling-shift",
        "Does pooling make a net robust to small shifts?",
        "inference:pooling_shift",
    ),
    Entry(
        "depth",
        "Do more layers help, plain and with shortcuts?",
        "depth:depth",
    ),
    Entry(
        "data-size",
        "How much data do shallow, deep and convolutional nets need?",
        "depth:data_size",
    ),
    Entry(
        "batch-inference",
        "How much faster is a batch than one image at a time?",
        "inference:batch_inference",
    ),
    Entry(
        "reduced-precision",
        "How many bits must a weight have?",
        "inference:reduced_precision",
    ),
    Entry("filters", "What do the filters of a convolution learn?", "images:filters"),
    Entry("feature-maps", "What does each layer see of a digit?", "images:feature_maps"),
    Entry("profile", "Which layers take the time?", "images:layer_times"),
)

CATALOG = {entry.name: entry for entry in _ENTRIES}
