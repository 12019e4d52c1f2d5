"""The building blocks of `bortlab.nn` as nodes of an ONNX graph: `nodes(module, graph, x)` for each kind of module.

A new building block is a function here; families are not named.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import singledispatch
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bortlab.nn import (
    SUMMARIES,
    Block,
    Embeddings,
    FeedForward,
    FirstClassifier,
    MaskedLMHead,
    MixedAttention,
    Pooler,
    SelfAttention,
    SummaryClassifier,
)
from bortlab.nn.convolution import SeparableConv
from bortlab.nn.feedforward import GroupedLinear, gelu_tanh
from bortlab.runtimes.graph import Graph, Value

LAST = np.iinfo(np.int64).max
"""The end of an axis, in a slice."""
HIDDEN = float(torch.finfo(torch.float32).min)
"""What is added to the score of a key that is padding."""


def _silu(graph: Graph, x: Value) -> Value:
    return graph.node("Mul", x, graph.node("Sigmoid", x))


def _relu6(graph: Graph, x: Value) -> Value:
    return graph.node("Clip", x, graph.constant(0, np.float32), graph.constant(6, np.float32))


ACTIVATIONS: Mapping[Callable[[Tensor], Tensor], Callable[[Graph, Value], Value]] = {
    F.gelu: lambda graph, x: graph.node("Gelu", x),
    gelu_tanh: lambda graph, x: graph.node("Gelu", x, approximate="tanh"),
    F.mish: lambda graph, x: graph.node("Mul", x, graph.node("Tanh", graph.node("Softplus", x))),
    F.relu: lambda graph, x: graph.node("Relu", x),
    F.relu6: _relu6,
    F.silu: _silu,
    torch.tanh: lambda graph, x: graph.node("Tanh", x),
}
"""The activations of `bortlab.nn`, as nodes."""


def activate(graph: Graph, activation: Callable[[Tensor], Tensor], x: Value) -> Value:
    """An activation of a value; nn.Identity is none."""
    return x if isinstance(activation, nn.Identity) else ACTIVATIONS[activation](graph, x)


@dataclass(frozen=True, slots=True)
class Written:
    """What a block came to: hidden (batch, seq, hidden), and what it looked at, as in LayerTrace."""

    hidden: Value
    attention: Value
    kernels: Value | None


# -- one value in, one out ---------------------------------------------------------------------------------------------


@singledispatch
def nodes(module: nn.Module, graph: Graph, x: Value) -> Value:
    """The nodes of a module with one input and one output."""
    raise TypeError(f"No ONNX nodes are known for a {type(module).__name__}: write them in {__name__}.")


@nodes.register
def _linear(module: nn.Linear, graph: Graph, x: Value) -> Value:
    return graph.linear(x, module.weight, module.bias)


@nodes.register
def _grouped(module: GroupedLinear, graph: Graph, x: Value) -> Value:
    chunks = graph.nodes("Split", x, outputs=len(module.weight), axis=-1, num_outputs=len(module.weight))
    pairs = zip(chunks, module.weight, strict=True)
    mapped = [graph.linear(chunk, weight.T, None) for chunk, weight in pairs]
    return graph.node("Add", graph.node("Concat", *mapped, axis=-1), graph.weight(module.bias))


@nodes.register
def _norm(module: nn.LayerNorm, graph: Graph, x: Value) -> Value:
    scale, bias = graph.weight(module.weight), graph.weight(module.bias)
    return graph.node("LayerNormalization", x, scale, bias, axis=-1, epsilon=module.eps)


@nodes.register
def _dropout(module: nn.Dropout, graph: Graph, x: Value) -> Value:
    return x


@nodes.register
def _feedforward(module: FeedForward, graph: Graph, x: Value) -> Value:
    return nodes(module.contract, graph, activate(graph, module.activation, nodes(module.expand, graph, x)))


@nodes.register
def _separable(module: SeparableConv, graph: Graph, x: Value) -> Value:
    depthwise = module.depthwise
    features, half = depthwise.in_channels, depthwise.kernel_size[0] // 2
    columns = graph.node("Transpose", x, perm=[0, 2, 1])  # (batch, hidden, seq)
    spans = graph.node("Conv", columns, graph.weight(depthwise.weight), group=features, pads=[half, half])
    rows = graph.node("Transpose", spans, perm=[0, 2, 1])
    return graph.linear(rows, module.pointwise.weight[:, :, 0], module.bias[:, 0])


@nodes.register
def _pooler(module: Pooler, graph: Graph, x: Value) -> Value:
    return graph.node("Tanh", nodes(module.dense, graph, _position(graph, x, 0)))


@nodes.register
def _first(module: FirstClassifier, graph: Graph, x: Value) -> Value:
    dense = nodes(module.dense, graph, _position(graph, x, 0))
    return nodes(module.out, graph, activate(graph, module.activation, dense))


@nodes.register
def _summary(module: SummaryClassifier, graph: Graph, x: Value) -> Value:
    if module.kind not in SUMMARIES:
        raise TypeError(f"No ONNX nodes are known for the summary {module.kind!r}: write them in {__name__}.")
    if module.kind == "mean":
        vector = graph.node("ReduceMean", x, graph.constant([1]), keepdims=0)
    else:
        vector = _position(graph, x, 0 if module.kind == "first" else -1)
    projected = activate(graph, module.activation, nodes(module.summary, graph, vector))
    return nodes(module.out, graph, projected)


def masked_lm(module: MaskedLMHead, graph: Graph, x: Value, words: Tensor) -> Value:
    """Hidden states (batch, seq, hidden), and the word table (vocab, embed) -> logits (batch, seq, vocab)."""
    dense = nodes(module.norm, graph, activate(graph, module.activation, nodes(module.dense, graph, x)))
    return graph.against_rows(dense, module.decoder(words), module.bias)


# -- the encoder -------------------------------------------------------------------------------------------------------


def embed(module: Embeddings, graph: Graph, ids: Value, type_ids: Value) -> Value:
    """ids and type ids (batch, seq) -> what enters the first layer (batch, seq, hidden)."""
    seq = graph.node("Shape", ids, start=1, end=2)
    zero = graph.constant([0])
    positions = graph.node("Slice", graph.weight(module.positions.weight), zero, seq, zero)
    types = graph.node("Gather", graph.weight(module.types.weight), type_ids)
    summed = graph.node("Add", graph.node("Add", graph.rows(module.words.weight, ids), types), positions)
    normed = nodes(module.norm, graph, summed)
    return normed if module.project is None else nodes(module.project, graph, normed)


def visible(graph: Graph, mask: Value) -> Value:
    """mask (batch, seq), 0 where a piece is padding -> what is added to scores: (batch, 1, 1, key)."""
    real = graph.node("Cast", mask, to=9)  # to truth values
    added = graph.node("Where", real, graph.constant(0, np.float32), graph.constant(HIDDEN, np.float32))
    return graph.node("Unsqueeze", added, graph.constant([1, 2]))


def block(module: Block, graph: Graph, hidden: Value, added: Value) -> Written:
    """One layer: hidden (batch, seq, hidden), and what `visible` adds to scores."""
    attention = module.attention
    if isinstance(attention, MixedAttention):
        context, probabilities, kernels = _mixed(attention, graph, hidden, added)
    else:
        context, probabilities = _self_attention(attention, graph, hidden, added)
        kernels = None
    middle = nodes(module.attention_norm, graph, graph.node("Add", hidden, context))
    deepened = graph.node("Add", middle, nodes(module.feedforward, graph, middle))
    return Written(nodes(module.feedforward_norm, graph, deepened), probabilities, kernels)


def _self_attention(module: SelfAttention, graph: Graph, hidden: Value, added: Value) -> tuple[Value, Value]:
    """(context, probabilities)."""
    query = nodes(module.query, graph, hidden)
    values, probabilities = _attend(module, graph, query, hidden, added)
    joined = graph.node("Reshape", values, graph.constant([0, 0, -1]))
    return nodes(module.output, graph, joined), probabilities


def _attend(module: Any, graph: Graph, query: Value, hidden: Value, added: Value) -> tuple[Value, Value]:
    """query (batch, seq, width) -> values (batch, query, heads, size), probabilities (batch, heads, query, key)."""
    size = module.key.out_features // module.heads
    parts = graph.constant([0, 0, module.heads, size])
    queries, keys, values = (
        graph.node("Transpose", graph.node("Reshape", projected, parts), perm=order)
        for projected, order in (
            (query, [0, 2, 1, 3]),
            (nodes(module.key, graph, hidden), [0, 2, 3, 1]),
            (nodes(module.value, graph, hidden), [0, 2, 1, 3]),
        )
    )
    scaled = graph.node("Mul", queries, graph.constant(size**-0.5, np.float32))
    scores = graph.node("Add", graph.node("MatMul", scaled, keys), added)
    probabilities = graph.node("Softmax", scores, axis=-1)
    return graph.node("Transpose", graph.node("MatMul", probabilities, values), perm=[0, 2, 1, 3]), probabilities


def _mixed(module: MixedAttention, graph: Graph, hidden: Value, added: Value) -> tuple[Value, Value, Value]:
    """(context, probabilities, kernels (batch, heads, seq, width))."""
    query = nodes(module.query, graph, hidden)
    attended, probabilities = _attend(module, graph, query, hidden, added)
    spanned = graph.node("Mul", query, nodes(module.span, graph, hidden))
    by_head = graph.constant([0, 0, module.heads, module.width])
    kernels = graph.node("Softmax", graph.node("Reshape", nodes(module.kernel, graph, spanned), by_head), axis=-1)
    size = module.convolved.out_features // module.heads
    values = graph.node("Reshape", nodes(module.convolved, graph, hidden), graph.constant([0, 0, module.heads, size]))
    both = graph.node("Concat", attended, _convolved(graph, values, kernels, module.width), axis=2)
    context = nodes(module.output, graph, graph.node("Reshape", both, graph.constant([0, 0, -1])))
    return context, probabilities, graph.node("Transpose", kernels, perm=[0, 2, 1, 3])


def _convolved(graph: Graph, values: Value, kernels: Value, width: int) -> Value:
    """values (batch, seq, heads, size), kernels (batch, seq, heads, width): the text once for each tap, shifted."""
    half, axis = width // 2, graph.constant([1])
    padded = graph.node("Pad", values, graph.constant([0, half, 0, 0, 0, half, 0, 0]))
    taps = graph.nodes("Split", kernels, outputs=width, axis=-1, num_outputs=width) if width > 1 else [kernels]
    total = ""
    for place, tap in enumerate(taps):
        stop = place - (width - 1) or LAST
        shifted = graph.node("Slice", padded, graph.constant([place]), graph.constant([stop]), axis)
        weighed = graph.node("Mul", shifted, tap)
        total = graph.node("Add", total, weighed) if total else weighed
    return total


def _position(graph: Graph, hidden: Value, place: int) -> Value:
    """hidden (batch, seq, hidden) -> (batch, hidden) of one position; -1: the last."""
    return graph.node("Gather", hidden, graph.constant(place), axis=1)
