"""Inside the network: the states that enter each executed layer, heads, attention and kernels.

A block that is used twelve times is twelve layers here, each with values of its own: nothing is looked up by module.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from bortlab.analysis.attention import Unit, piece_units
from bortlab.analysis.attribution.problem import Inputs, Problem, Watch, finite, of_text, rows_of
from bortlab.analysis.attribution.targets import Target
from bortlab.model import Model
from bortlab.nn import Block, MixedAttention
from bortlab.nn.attention import attend
from bortlab.text import Encoding


@dataclass(frozen=True, slots=True, eq=False)
class Slopes:
    """Weight times its gradient, for every attention and kernel weight of every layer, of one text.

    attention: (layers, heads, query, key). kernels: (layers, heads, seq, width), None without convolution. The sum over
    a head is its output times the gradient, as the output is linear in the weights; so heads and halves compare.
    """

    attention: Tensor
    kernels: Tensor | None
    units: tuple[Unit, ...]

    @property
    def received(self) -> Tensor:
        """(layers, seq): what attention to each piece contributes, over all heads and positions."""
        return self.attention.sum((1, 2))

    @property
    def heads(self) -> Tensor:
        """(layers, heads): attention heads, then as many convolution heads where there are any."""
        attention = self.attention.sum((2, 3))
        return attention if self.kernels is None else torch.cat([attention, self.kernels.sum((2, 3))], 1)

    @property
    def taps(self) -> Tensor | None:
        """(layers, width): what each tap of the kernels contributes, over all heads and positions."""
        return None if self.kernels is None else self.kernels.sum((1, 2))


def slopes(model: Model, encoding: Encoding, target: Target, *, watch: Watch | None = None) -> Slopes:
    """Attention x gradient and kernel x gradient in all layers, by one forward and one backward pass."""
    problem, _, _ = of_text(model, encoding, target, by="pieces", watch=watch)
    assert problem.attention is not None
    with torch.inference_mode(False), torch.enable_grad():
        layers, value = problem.attention()
        attention = [layer.attention for layer in layers if layer.attention is not None]
        kernels = [layer.kernels for layer in layers if layer.kernels is not None]
        weights = [*attention, *kernels]
        gradients = torch.autograd.grad(finite(value, model).sum(), weights)
    products = [
        (weight.detach() * gradient)[0].double().cpu() for weight, gradient in zip(weights, gradients, strict=True)
    ]
    attending, convolving = products[: len(attention)], products[len(attention) :]
    return Slopes(torch.stack(attending), torch.stack(convolving) if convolving else None, piece_units(encoding))


@dataclass(frozen=True, slots=True)
class Head:
    """A head of an executed layer, both counted from 0; convolves: it is one of ConvBERT's convolution heads."""

    layer: int
    number: int
    convolves: bool

    @property
    def name(self) -> str:
        """As pages call it, counted from 1."""
        return f"layer {self.layer + 1}, {'convolution ' if self.convolves else ''}head {self.number + 1}"


def heads_of(model: Model) -> tuple[Head, ...]:
    """Every head of every executed layer; in each layer those that attend, then those that convolve."""
    heads: list[Head] = []
    for layer in range(model.config.depth):
        mixes = isinstance(model.network.block(layer).attention, MixedAttention)
        for convolves in (False, True)[: 1 + mixes]:
            heads += [Head(layer, number, convolves) for number in range(model.config.heads)]
    return tuple(heads)


def of_heads(
    model: Model,
    encoding: Encoding,
    target: Target,
    *,
    layers: Sequence[int] | None = None,
    watch: Watch | None = None,
) -> tuple[Problem, tuple[Head, ...]]:
    """The problem of the heads of some executed layers (None: all): the output of each is scaled from 0 to 1.

    Any method that needs no attention can be put to it: ablation takes heads away one by one, Input x Gradient is
    attention x gradient (and kernel x gradient), Integrated Gradients shares the difference out among all heads.
    """
    network, inputs = model.network, Inputs.of(model, encoding, model.network)
    included = set(range(model.config.depth) if layers is None else layers)
    heads = tuple(head for head in heads_of(model) if head.layer in included)
    columns = {layer: [n for n, head in enumerate(heads) if head.layer == layer] for layer in included}

    def value(gates: Tensor) -> Tensor:
        """gates (batch, heads, 1) -> (batch,)."""
        if watch is not None:
            watch(gates.shape[0])
        hidden = inputs.entering(network, inputs.words.expand(gates.shape[0], -1, -1))
        gated = {layer: partial(_gated, gates=gates[:, numbers, 0]) for layer, numbers in columns.items()}
        return finite(target.of(network, network.run(hidden, changed=gated)), model)

    present = inputs.words.new_ones(1, len(heads), 1)
    owners = torch.arange(len(heads), device=model.device)
    rows = rows_of(model.config, len(encoding), inputs.words.element_size())
    return Problem(value, present, torch.zeros_like(present), owners, rows), heads


def _gated(block: Block, hidden: Tensor, gates: Tensor) -> Tensor:
    """A block whose heads are scaled by gates (batch, heads): hidden (batch, seq, hidden) -> the same."""
    attention, n = block.attention, block.attention.heads
    if isinstance(attention, MixedAttention):
        query = attention.query(hidden)
        attended = attention.attend(query, hidden, None).values * gates[:, :n, None, None]
        kernels = attention.kernels(query, attention.span(hidden))
        convolved = attention.convolve(hidden, kernels) * gates[:, None, n:, None]
        return block.finish(hidden, attention.join(attended, convolved))
    query, key, value = (
        project(hidden).unflatten(-1, (n, -1)).transpose(1, 2)
        for project in (attention.query, attention.key, attention.value)
    )
    values = attend(query, key, value, None).values * gates[:, :, None, None]
    return block.finish(hidden, attention.output(values.transpose(1, 2).flatten(2)))
