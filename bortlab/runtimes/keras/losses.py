"""The losses of the tasks in Keras, with what is left out and what is averaged as in `bortlab.nn.losses`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from bortlab.models import SPANS, Network
from bortlab.runtimes.outputs import published


def _ops() -> Any:
    """Keras' operations. Imported when they are needed: the import settles the backend."""
    import keras

    return keras.ops


Loss = Callable[[Any, Any], Any]
"""labels and logits -> one number."""


def choice_loss(labels: Any, logits: Any) -> Any:
    """Mean cross-entropy: labels (...) whole numbers, logits (..., classes). A label of -100 is left out."""
    ops = _ops()
    labels = ops.cast(ops.reshape(labels, (-1,)), "int32")
    logits = ops.reshape(logits, (-1, logits.shape[-1])) if logits.shape[-1] is not None else logits
    counted = ops.cast(labels != -100, logits.dtype)
    losses = ops.sparse_categorical_crossentropy(ops.where(labels != -100, labels, 0), logits, from_logits=True)
    return ops.sum(losses * counted) / ops.sum(counted)


def pick_loss(labels: Any, logits: Any) -> Any:
    """Mean cross-entropy of places and choices, of which there may be any number: labels (batch), logits (batch, n).

    A label beyond the last is that of what was not read, and left out.
    """
    ops = _ops()
    labels, count = ops.cast(ops.reshape(labels, (-1,)), "int32"), ops.shape(logits)[-1]
    counted = ops.cast((labels >= 0) & (labels < count), logits.dtype)
    places = ops.where(counted > 0, labels, 0)
    chances = ops.take_along_axis(ops.log_softmax(logits, axis=-1), places[:, None], axis=-1)[:, 0]
    return -ops.sum(chances * counted) / ops.sum(counted)


def regression_loss(labels: Any, logits: Any) -> Any:
    """Mean squared difference."""
    ops = _ops()
    return ops.mean(ops.square(ops.reshape(ops.cast(labels, logits.dtype), ops.shape(logits)) - logits))


def several_loss(labels: Any, logits: Any) -> Any:
    """Mean binary cross-entropy: labels (batch, classes) of 0 and 1."""
    ops = _ops()
    return ops.mean(ops.binary_crossentropy(ops.cast(labels, logits.dtype), logits, from_logits=True))


def training(network: Network) -> dict[str, Any]:
    """The losses of a network's task and their weights, as keyword arguments of `compile`; {} for an encoder.

    By the published names of the outputs. Without a problem_type, one label is a regression, and several exclude each
    other.
    """
    config = network.config
    losses: dict[str, Loss] = {}
    for ours, name in published(network).items() if network.task != "encoder" else ():
        if ours in SPANS or ours == "multiple-choice":
            losses[name] = pick_loss
        elif ours == "sequence-classification" and config.regresses:
            losses[name] = regression_loss
        elif ours == "sequence-classification" and config.problem_type == "multi_label_classification":
            losses[name] = several_loss
        else:
            losses[name] = choice_loss
    weight = 1 / len(SPANS) if network.task == "question-answering" else 1.0
    return {"loss": losses, "loss_weights": dict.fromkeys(losses, weight)} if losses else {}


def solve(model: Any, network: Network, inputs: Mapping[str, Any], labels: Mapping[str, Any]) -> dict[str, Any]:
    """The outputs of a Keras model, and "loss", what they lack of the labels: by the names of the outputs.

    network: whose Keras twin the model is. As transformers' classes answered a call with labels.
    """
    given, goal = model(inputs), training(network)
    outputs = {name: given[name] for name in published(network).values()}  # a backend may order them by name
    if labels.keys() != outputs.keys() or not goal:
        raise ValueError(f"labels: expected {' and '.join(goal.get('loss', ['none']))}, got {' and '.join(labels)}.")
    losses = [goal["loss_weights"][name] * goal["loss"][name](labels[name], outputs[name]) for name in outputs]
    return {"loss": sum(losses[1:], losses[0]), **outputs}
