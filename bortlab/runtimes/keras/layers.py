"""The building blocks of `bortlab.nn` as Keras layers, for every backend.

Each knows the parameters of the torch module that it stands for: `pairs` gives them with its own variables.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import keras
from keras import ops
from torch import Tensor, nn

HIDDEN = -3.4e38
"""The score of a key that is padding."""
Pair = tuple[Tensor, Any, bool]
"""A parameter of torch, a variable of Keras, and whether their axes are reversed (but for those of length 1)."""
ACTIVATIONS: Mapping[str, Callable[[Any], Any]] = {
    "gelu": lambda x: ops.gelu(x, approximate=False),
    "gelu_new": lambda x: ops.gelu(x, approximate=True),
    "gelu_accurate": lambda x: ops.gelu(x, approximate=True),
    "gelu_fast": lambda x: ops.gelu(x, approximate=True),
    "gelu_python": lambda x: ops.gelu(x, approximate=False),
    "gelu_pytorch_tanh": lambda x: ops.gelu(x, approximate=True),
    "mish": lambda x: x * ops.tanh(ops.softplus(x)),
    "relu": ops.relu,
    "relu6": ops.relu6,
    "silu": ops.silu,
    "swish": ops.silu,
    "tanh": ops.tanh,
    "": lambda x: x,
}
"""The activations of `bortlab.nn` by the names of config.json; "" is none."""
serializable = keras.saving.register_keras_serializable(package="bortlab")


class SizedLayer(keras.layers.Layer):
    """A layer that is saved with the sizes that it was made with."""

    def __init__(self, sizes: Mapping[str, Any], **options: Any) -> None:
        super().__init__(**options)
        self.sizes = dict(sizes)

    def get_config(self) -> dict[str, Any]:
        """What makes the same layer again."""
        return {**super().get_config(), "sizes": self.sizes}


def dense_pairs(module: Any, dense: Any) -> Iterator[Pair]:
    """Of a linear map."""
    yield module.weight, dense.kernel, True
    yield module.bias, dense.bias, False


def norm_pairs(module: Any, norm: Any) -> Iterator[Pair]:
    """Of a layer norm."""
    yield module.weight, norm.gamma, False
    yield module.bias, norm.beta, False


@serializable
class Words(SizedLayer):
    """The word table: ids (batch, seq) -> (batch, seq, embed); reverse: x (..., embed) -> (..., vocab).

    sizes: vocab, embed.
    """

    def build(self, x_shape: Any) -> None:
        """Make the table."""
        shape = (self.sizes["vocab"], self.sizes["embed"])
        self.table = self.add_weight(name="table", shape=shape, initializer=keras.initializers.RandomNormal(0, 0.02))

    def call(self, x: Any, reverse: bool = False) -> Any:
        """Look words up, or compare with each."""
        return ops.matmul(x, ops.transpose(self.table)) if reverse else ops.take(self.table, x, axis=0)

    def compute_output_spec(self, x: Any, reverse: bool = False) -> Any:
        """What `call` gives, without a call."""
        shape = (*x.shape[:-1], self.sizes["vocab"]) if reverse else (*x.shape, self.sizes["embed"])
        return keras.KerasTensor(shape, dtype=self.compute_dtype)

    def pairs(self, module: nn.Embedding) -> Iterator[Pair]:
        """Of `Embeddings.words`."""
        yield module.weight, self.table, False


@serializable
class PositionsAndTypes(SizedLayer):
    """Words (batch, seq, embed) and type ids (batch, seq) -> their sum with positions, normed: (batch, seq, embed).

    sizes: embed, positions, types, eps, dropout; types_trained: whether training changes the type vectors.
    """

    def __init__(self, sizes: Mapping[str, Any], **options: Any) -> None:
        super().__init__(sizes, **options)
        self.norm = keras.layers.LayerNormalization(epsilon=sizes["eps"], name="norm")
        self.dropout = keras.layers.Dropout(sizes["dropout"])

    def build(self, words_shape: Any, type_ids_shape: Any = None) -> None:
        """Make the tables."""
        sizes, initial = self.sizes, keras.initializers.RandomNormal(0, 0.02)
        self.positions = self.add_weight(
            name="positions", shape=(sizes["positions"], sizes["embed"]), initializer=initial
        )
        self.types = self.add_weight(
            name="types",
            shape=(sizes["types"], sizes["embed"]),
            initializer=initial if sizes["types_trained"] else "zeros",
            trainable=sizes["types_trained"],
        )
        self.norm.build(words_shape)

    def compute_output_shape(self, words_shape: Any, type_ids_shape: Any) -> Any:
        """That of the words."""
        return words_shape

    def call(self, words: Any, type_ids: Any, training: bool | None = None) -> Any:
        """Add, norm, drop out."""
        summed = words + ops.take(self.types, type_ids, axis=0) + self.positions[: ops.shape(words)[1]]
        return self.dropout(self.norm(summed), training=training)

    def pairs(self, module: Any) -> Iterator[Pair]:
        """Of `Embeddings`, words and projection aside."""
        yield module.positions.weight, self.positions, False
        yield module.types.weight, self.types, False
        yield from norm_pairs(module.norm, self.norm)


@serializable
class GroupedDense(SizedLayer):
    """A block-diagonal linear map. sizes: inputs, outputs, groups."""

    def build(self, x_shape: Any) -> None:
        """Make the weights."""
        inputs, outputs, groups = (self.sizes[name] for name in ("inputs", "outputs", "groups"))
        self.kernel = self.add_weight(name="kernel", shape=(groups, inputs // groups, outputs // groups))
        self.bias = self.add_weight(name="bias", shape=(outputs,), initializer="zeros")

    def call(self, x: Any) -> Any:
        """(batch, seq, inputs) -> (batch, seq, outputs)."""
        groups, width, _ = self.kernel.shape
        chunks = ops.reshape(x, (-1, ops.shape(x)[1], groups, width))
        mapped = ops.einsum("bsgi,gio->bsgo", chunks, self.kernel)
        return ops.reshape(mapped, (-1, ops.shape(x)[1], self.sizes["outputs"])) + self.bias

    def pairs(self, module: Any) -> Iterator[Pair]:
        """Of `GroupedLinear`."""
        yield module.weight, self.kernel, False
        yield module.bias, self.bias, False


@serializable
class SeparableConvolution(SizedLayer):
    """A depthwise convolution over positions and a pointwise one over features. sizes: hidden, outputs, width."""

    def build(self, hidden_shape: Any) -> None:
        """Make the weights."""
        hidden, outputs, width = (self.sizes[name] for name in ("hidden", "outputs", "width"))
        self.depthwise = self.add_weight(name="depthwise", shape=(width, hidden))
        self.pointwise = self.add_weight(name="pointwise", shape=(hidden, outputs))
        self.bias = self.add_weight(name="bias", shape=(outputs,), initializer="zeros")

    def call(self, hidden: Any) -> Any:
        """(batch, seq, hidden) -> (batch, seq, outputs)."""
        width, seq = self.sizes["width"], ops.shape(hidden)[1]
        padded = ops.pad(hidden, ((0, 0), (width // 2, width // 2), (0, 0)))
        spans = sum(padded[:, tap : tap + seq] * self.depthwise[tap] for tap in range(width))
        return ops.matmul(spans, self.pointwise) + self.bias

    def pairs(self, module: Any) -> Iterator[Pair]:
        """Of `SeparableConv`."""
        yield module.depthwise.weight, self.depthwise, True
        yield module.pointwise.weight, self.pointwise, True
        yield module.bias, self.bias, True


@serializable
class SelfAttention(SizedLayer):
    """Multi-head self-attention with its output projection. sizes: hidden, heads, dropout."""

    def __init__(self, sizes: Mapping[str, Any], **options: Any) -> None:
        super().__init__(sizes, **options)
        width = self.width
        self.query, self.key, self.value = (keras.layers.Dense(width, name=name) for name in ("query", "key", "value"))
        self.out = keras.layers.Dense(sizes["hidden"], name="output")
        self.dropout = keras.layers.Dropout(sizes["dropout"])

    @property
    def width(self) -> int:
        """Features of a query, a key and a value, over all heads."""
        return int(self.sizes["hidden"])

    def build(self, hidden_shape: Any, visible_shape: Any) -> None:
        """Make the weights."""
        for dense in (self.query, self.key, self.value, self.out):
            dense.build(hidden_shape)

    def call(self, hidden: Any, visible: Any, training: bool | None = None) -> Any:
        """hidden (batch, seq, hidden), visible (batch, seq) -> context (batch, seq, hidden)."""
        return self.out(self.attend(self.query(hidden), hidden, visible, training=training))

    def attend(self, query: Any, hidden: Any, visible: Any, training: bool | None = None) -> Any:
        """query (batch, seq, width) -> what it attends to (batch, seq, width)."""
        heads, seq = self.sizes["heads"], ops.shape(hidden)[1]
        size = self.width // heads

        def by_head(x: Any) -> Any:
            return ops.transpose(ops.reshape(x, (-1, seq, heads, size)), (0, 2, 1, 3))  # (batch, heads, seq, size)

        keys, values = by_head(self.key(hidden)), by_head(self.value(hidden))
        scores = ops.matmul(by_head(query), ops.transpose(keys, (0, 1, 3, 2))) / math.sqrt(size)
        scores = ops.where(ops.cast(visible, "bool")[:, None, None, :], scores, HIDDEN)
        probabilities = self.dropout(ops.softmax(scores, axis=-1), training=training)
        attended = ops.transpose(ops.matmul(probabilities, values), (0, 2, 1, 3))  # (batch, seq, heads, size)
        return ops.reshape(attended, (-1, seq, self.width))

    def pairs(self, module: Any) -> Iterator[Pair]:
        """Of `SelfAttention`."""
        for name in ("query", "key", "value"):
            yield from dense_pairs(getattr(module, name), getattr(self, name))
        yield from dense_pairs(module.output, self.out)


@serializable
class MixedAttention(SelfAttention):
    """Half attention, half span-based dynamic convolution. sizes: hidden, heads, dropout, width (of a kernel)."""

    def __init__(self, sizes: Mapping[str, Any], **options: Any) -> None:
        super().__init__(sizes, **options)
        spans = {"hidden": sizes["hidden"], "outputs": self.width, "width": sizes["width"]}
        self.span = SeparableConvolution(spans, name="span")
        self.kernels = keras.layers.Dense(sizes["heads"] * sizes["width"], name="kernels")
        self.convolved = keras.layers.Dense(self.width, name="convolved")

    @property
    def width(self) -> int:
        """Features of a query, a key and a value, over all heads: half of the layer's."""
        return int(self.sizes["hidden"]) // 2

    def build(self, hidden_shape: Any, visible_shape: Any) -> None:
        """Make the weights."""
        super().build(hidden_shape, visible_shape)
        self.span.build(hidden_shape)
        self.kernels.build((*hidden_shape[:-1], self.width))
        self.convolved.build(hidden_shape)

    def call(self, hidden: Any, visible: Any, training: bool | None = None) -> Any:
        """hidden (batch, seq, hidden), visible (batch, seq) -> context (batch, seq, hidden)."""
        query = self.query(hidden)
        attended = self.attend(query, hidden, visible, training=training)
        convolved = self.convolve(hidden, self.kernels(query * self.span(hidden)))
        return self.out(ops.concatenate([attended, convolved], axis=-1))

    def convolve(self, hidden: Any, kernels: Any) -> Any:
        """hidden (batch, seq, hidden), kernels (batch, seq, heads x width) before softmax -> (batch, seq, half)."""
        heads, width, seq = self.sizes["heads"], self.sizes["width"], ops.shape(hidden)[1]
        kernels = ops.softmax(ops.reshape(kernels, (-1, seq, heads, width)), axis=-1)
        values = ops.reshape(self.convolved(hidden), (-1, seq, heads, self.width // heads))
        padded = ops.pad(values, ((0, 0), (width // 2, width // 2), (0, 0), (0, 0)))
        taps = (kernels[..., tap : tap + 1] * padded[:, tap : tap + seq] for tap in range(width))
        return ops.reshape(sum(taps), (-1, seq, self.width))

    def pairs(self, module: Any) -> Iterator[Pair]:
        """Of `MixedAttention`."""
        yield from super().pairs(module)
        yield from self.span.pairs(module.span)
        yield from dense_pairs(module.kernel, self.kernels)
        yield from dense_pairs(module.convolved, self.convolved)


@serializable
class Block(SizedLayer):
    """A post-norm block. sizes: hidden, heads, intermediate, activation, groups, eps, dropout, attention_dropout; and
    width (of a kernel) where its attention is mixed."""

    def __init__(self, sizes: Mapping[str, Any], **options: Any) -> None:
        super().__init__(sizes, **options)
        attention = {"hidden": sizes["hidden"], "heads": sizes["heads"], "dropout": sizes["attention_dropout"]}
        if sizes.get("width"):
            self.attention: SelfAttention = MixedAttention(attention | {"width": sizes["width"]}, name="attention")
        else:
            self.attention = SelfAttention(attention, name="attention")
        self.attention_norm = keras.layers.LayerNormalization(epsilon=sizes["eps"], name="attention_norm")
        self.expand = self._dense(sizes["hidden"], sizes["intermediate"], "expand")
        self.contract = self._dense(sizes["intermediate"], sizes["hidden"], "contract")
        self.feedforward_norm = keras.layers.LayerNormalization(epsilon=sizes["eps"], name="feedforward_norm")
        self.dropout = keras.layers.Dropout(sizes["dropout"])

    def _dense(self, inputs: int, outputs: int, name: str) -> Any:
        groups = self.sizes.get("groups", 1)
        if groups == 1:
            return keras.layers.Dense(outputs, name=name)
        return GroupedDense({"inputs": inputs, "outputs": outputs, "groups": groups}, name=name)

    def build(self, hidden_shape: Any, visible_shape: Any) -> None:
        """Make the weights."""
        self.attention.build(hidden_shape, visible_shape)
        for layer in (self.attention_norm, self.expand, self.feedforward_norm):
            layer.build(hidden_shape)
        self.contract.build((*hidden_shape[:-1], self.sizes["intermediate"]))

    def compute_output_shape(self, hidden_shape: Any, visible_shape: Any) -> Any:
        """That of what enters."""
        return hidden_shape

    def call(self, hidden: Any, visible: Any, training: bool | None = None) -> Any:
        """hidden (batch, seq, hidden), visible (batch, seq) -> (batch, seq, hidden)."""
        context = self.attention(hidden, visible, training=training)
        middle = self.attention_norm(hidden + self.dropout(context, training=training))
        deepened = self.contract(ACTIVATIONS[self.sizes["activation"]](self.expand(middle)))
        return self.feedforward_norm(middle + self.dropout(deepened, training=training))

    def pairs(self, module: Any) -> Iterator[Pair]:
        """Of `Block`."""
        yield from self.attention.pairs(module.attention)
        yield from norm_pairs(module.attention_norm, self.attention_norm)
        for name in ("expand", "contract"):
            ours, theirs = getattr(self, name), getattr(module.feedforward, name)
            yield from ours.pairs(theirs) if isinstance(ours, GroupedDense) else dense_pairs(theirs, ours)
        yield from norm_pairs(module.feedforward_norm, self.feedforward_norm)
