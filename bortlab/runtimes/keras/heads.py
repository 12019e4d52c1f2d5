"""What stands on an encoder, as Keras layers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import keras
from keras import ops

from bortlab.runtimes.keras.layers import ACTIVATIONS, Pair, SizedLayer, dense_pairs, norm_pairs, serializable


@serializable
class Flat(keras.layers.Layer):
    """(batch, choices, seq) -> (batch x choices, seq)."""

    def call(self, x: Any) -> Any:
        """Choices become rows."""
        return ops.reshape(x, (-1, ops.shape(x)[-1]))

    def compute_output_spec(self, x: Any) -> Any:
        """What `call` gives, without a call: still whole numbers."""
        return keras.KerasTensor((None, x.shape[-1]), dtype=x.dtype)


@serializable
class ByChoice(keras.layers.Layer):
    """Scores (batch x choices, 1) and the ids (batch, choices, seq) that they are of -> (batch, choices)."""

    def call(self, scores: Any, ids: Any) -> Any:
        """Rows become choices again."""
        return ops.reshape(scores, (-1, ops.shape(ids)[1]))

    def compute_output_shape(self, scores_shape: Any, ids_shape: Any) -> Any:
        """What `call` gives, without a call."""
        return tuple(ids_shape[:2])


@serializable
class WordTransform(SizedLayer):
    """What comes before the word table in a masked-LM head: (..., hidden) -> (..., embed).

    sizes: embed, activation, eps.
    """

    def __init__(self, sizes: Mapping[str, Any], **options: Any) -> None:
        super().__init__(sizes, **options)
        self.dense = keras.layers.Dense(sizes["embed"], name="dense")
        self.norm = keras.layers.LayerNormalization(epsilon=sizes["eps"], name="norm")

    def build(self, hidden_shape: Any) -> None:
        """Make the weights."""
        self.dense.build(hidden_shape)
        self.norm.build(self.compute_output_shape(hidden_shape))

    def compute_output_shape(self, hidden_shape: Any) -> Any:
        """What `call` gives, without a call."""
        return (*hidden_shape[:-1], self.sizes["embed"])

    def call(self, hidden: Any) -> Any:
        """Dense, activation, norm."""
        return self.norm(ACTIVATIONS[self.sizes["activation"]](self.dense(hidden)))

    def pairs(self, module: Any) -> Iterator[Pair]:
        """Of `MaskedLMHead`, its bias aside."""
        yield from dense_pairs(module.dense, self.dense)
        yield from norm_pairs(module.norm, self.norm)


@serializable
class WordBias(SizedLayer):
    """A number for each word, added: (..., vocab) -> (..., vocab). sizes: vocab."""

    def build(self, logits_shape: Any) -> None:
        """Make the numbers."""
        self.bias = self.add_weight(name="bias", shape=(self.sizes["vocab"],), initializer="zeros")

    def compute_output_shape(self, logits_shape: Any) -> Any:
        """That of what enters."""
        return logits_shape

    def call(self, logits: Any) -> Any:
        """Add."""
        return logits + self.bias

    def pairs(self, module: Any) -> Iterator[Pair]:
        """Of `MaskedLMHead`."""
        yield module.bias, self.bias, False


@serializable
class Pooler(SizedLayer):
    """Dense and tanh on the first position: (batch, seq, hidden) -> (batch, hidden). sizes: hidden."""

    def __init__(self, sizes: Mapping[str, Any], **options: Any) -> None:
        super().__init__(sizes, **options)
        self.dense = keras.layers.Dense(sizes["hidden"], activation="tanh", name="dense")

    def build(self, hidden_shape: Any) -> None:
        """Make the weights."""
        self.dense.build((hidden_shape[0], hidden_shape[-1]))

    def compute_output_shape(self, hidden_shape: Any) -> Any:
        """What `call` gives, without a call."""
        return (hidden_shape[0], self.sizes["hidden"])

    def call(self, hidden: Any) -> Any:
        """(batch, seq, hidden) -> (batch, hidden)."""
        return self.dense(hidden[:, 0])

    def pairs(self, module: Any) -> Iterator[Pair]:
        """Of `Pooler`."""
        yield from dense_pairs(module.dense, self.dense)


@serializable
class Classifier(SizedLayer):
    """Dropout and a linear map: (..., hidden) -> (..., outputs). sizes: outputs, dropout."""

    def __init__(self, sizes: Mapping[str, Any], **options: Any) -> None:
        super().__init__(sizes, **options)
        self.dropout = keras.layers.Dropout(sizes["dropout"])
        self.dense = keras.layers.Dense(sizes["outputs"], name="dense")

    def build(self, x_shape: Any) -> None:
        """Make the weights."""
        self.dense.build(x_shape)

    def compute_output_shape(self, x_shape: Any) -> Any:
        """What `call` gives, without a call."""
        return (*x_shape[:-1], self.sizes["outputs"])

    def call(self, x: Any, training: bool | None = None) -> Any:
        """(..., hidden) -> (..., outputs)."""
        return self.dense(self.dropout(x, training=training))

    def pairs(self, module: Any) -> Iterator[Pair]:
        """Of `Classifier`."""
        yield from dense_pairs(module, self.dense)


@serializable
class FirstClassifier(SizedLayer):
    """Two layers on the first position: (batch, seq, hidden) -> (batch, outputs). sizes: hidden, outputs, activation,
    dropout."""

    def __init__(self, sizes: Mapping[str, Any], **options: Any) -> None:
        super().__init__(sizes, **options)
        first = {"outputs": sizes["hidden"], "dropout": sizes["dropout"]}
        self.dense = Classifier(first, name="dense")
        self.out = Classifier({"outputs": sizes["outputs"], "dropout": sizes["dropout"]}, name="out")

    def build(self, hidden_shape: Any) -> None:
        """Make the weights."""
        for layer in (self.dense, self.out):
            layer.build((hidden_shape[0], self.sizes["hidden"]))

    def compute_output_shape(self, hidden_shape: Any) -> Any:
        """What `call` gives, without a call."""
        return (hidden_shape[0], self.sizes["outputs"])

    def call(self, hidden: Any, training: bool | None = None) -> Any:
        """(batch, seq, hidden) -> (batch, outputs)."""
        dense = ACTIVATIONS[self.sizes["activation"]](self.dense(hidden[:, 0], training=training))
        return self.out(dense, training=training)

    def pairs(self, module: Any) -> Iterator[Pair]:
        """Of `FirstClassifier`."""
        yield from self.dense.pairs(module.dense)
        yield from self.out.pairs(module.out)


@serializable
class SummaryClassifier(SizedLayer):
    """One vector for a sequence, projected where asked for, and a linear map: (batch, seq, hidden) -> (batch, outputs).

    sizes: hidden, outputs, summary ("first", "last", "mean"), projects, activation, first_dropout, last_dropout.
    """

    def __init__(self, sizes: Mapping[str, Any], **options: Any) -> None:
        super().__init__(sizes, **options)
        self.dropout = keras.layers.Dropout(sizes["first_dropout"])
        self.summary = keras.layers.Dense(sizes["hidden"], name="summary") if sizes["projects"] else None
        self.out = Classifier({"outputs": sizes["outputs"], "dropout": sizes["last_dropout"]}, name="out")

    def build(self, hidden_shape: Any) -> None:
        """Make the weights."""
        for layer in (self.out, *([] if self.summary is None else [self.summary])):
            layer.build((hidden_shape[0], self.sizes["hidden"]))

    def compute_output_shape(self, hidden_shape: Any) -> Any:
        """What `call` gives, without a call."""
        return (hidden_shape[0], self.sizes["outputs"])

    def call(self, hidden: Any, training: bool | None = None) -> Any:
        """(batch, seq, hidden) -> (batch, outputs)."""
        place = {"first": 0, "last": -1}.get(self.sizes["summary"])
        vector = self.dropout(ops.mean(hidden, axis=1) if place is None else hidden[:, place], training=training)
        vector = vector if self.summary is None else self.summary(vector)
        return self.out(ACTIVATIONS[self.sizes["activation"]](vector), training=training)

    def pairs(self, module: Any) -> Iterator[Pair]:
        """Of `SummaryClassifier`."""
        if self.summary is not None:
            yield from dense_pairs(module.summary, self.summary)
        yield from self.out.pairs(module.out)
