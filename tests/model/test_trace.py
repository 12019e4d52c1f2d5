"""Traces: what they check, what they stack, and that the graph's own tensors stay reachable until they are detached."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import FrozenInstanceError
from typing import Any

import pytest
import torch

from bortlab.model import Trace
from bortlab.models import FAMILIES, Config, Family, Network
from bortlab.nn.records import EncoderOutput, LayerTrace

each_family = pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)


@pytest.fixture
def trace(tiny_config: Callable[..., Config], build: Callable[..., Network]) -> Callable[..., Trace]:
    """trace(family, seq, keep_layers, pieces): a trace of one random text; a range stands for the encoding."""

    def make(
        family: Family, seq: int = 7, *, keep_layers: bool = True, pieces: int | None = None, **sizes: Any
    ) -> Trace:
        config = tiny_config(family, **sizes)
        network = build(family, config).requires_grad_(False)
        words = network.embed(torch.arange(seq)[None]).requires_grad_()
        output = network.encode(words, keep_layers=keep_layers)
        return Trace(range(seq if pieces is None else pieces), output, network.predict(output.hidden))  # type: ignore[arg-type]

    return make


@each_family
def test_what_is_read_is_stacked_unbatched_and_detached(family: Family, trace: Callable[..., Trace]) -> None:
    made = trace(family)
    layers = len(made.layers)
    assert made.hidden.shape == (layers + 1, 7, 16)
    assert made.attention.shape[0] == layers
    assert made.attention.shape[2:] == (7, 7)
    assert torch.equal(made.hidden[0], made.output.embeddings[0])
    assert torch.equal(made.hidden[-1], made.output.hidden[0])
    assert (made.kernels is None) == (made.layers[0].kernels is None)
    read = [made.hidden, made.attention, *([] if made.kernels is None else [made.kernels])]
    for tensor in read:
        assert not tensor.requires_grad
        if tensor is not made.hidden:
            torch.testing.assert_close(tensor.sum(-1), torch.ones(tensor.shape[:-1]))
    if made.kernels is not None:
        assert made.kernels.shape == (layers, made.attention.shape[1], 7, 5)
    for index, layer in enumerate(made.layers):
        assert torch.equal(made.hidden[index + 1], layer.hidden[0])
        assert layer.attention is not None
        assert torch.equal(made.attention[index], layer.attention[0])


def test_uses_of_one_block_are_layers_of_their_own(trace: Callable[..., Trace]) -> None:
    """ALBERT's one block, used six times, leaves six records, and each has a gradient of its own."""
    made = trace(FAMILIES["albert"], num_hidden_layers=6, num_hidden_groups=1, inner_group_num=1)
    assert len(made.layers) == 6
    score = made.logits[0, 3, 5]
    gradients = torch.autograd.grad(score, [layer.hidden for layer in made.layers])
    norms = [float(gradient.norm()) for gradient in gradients]
    assert len(set(norms)) == 6
    assert min(norms) > 0


@each_family
def test_detach_leaves_the_numbers_and_drops_the_graph(family: Family, trace: Callable[..., Trace]) -> None:
    made = trace(family)
    bare = made.detach()
    assert made.logits.requires_grad
    assert made.layers[0].hidden.requires_grad
    kept = [bare.logits, bare.output.embeddings, bare.output.hidden]
    kept += [t for layer in bare.layers for t in (layer.hidden, layer.attention, layer.kernels) if t is not None]
    assert not any(tensor.requires_grad or tensor.grad_fn for tensor in kept)
    assert torch.equal(bare.hidden, made.hidden)
    assert torch.equal(bare.attention, made.attention)
    assert torch.equal(bare.logits, made.logits)
    assert bare.encoding is made.encoding


def test_lengths_are_compared_and_both_numbers_told(trace: Callable[..., Trace]) -> None:
    with pytest.raises(ValueError, match="the text has 6, the output has 7"):
        trace(FAMILIES["bert"], pieces=6)


def test_records_are_needed(trace: Callable[..., Trace]) -> None:
    with pytest.raises(ValueError, match="encode with keep_layers=True"):
        trace(FAMILIES["bert"], keep_layers=False)


def test_records_are_frozen(trace: Callable[..., Trace]) -> None:
    made = trace(FAMILIES["bert"])
    for record, name in ((made, "logits"), (made.output, "hidden"), (made.layers[0], "attention")):
        with pytest.raises(FrozenInstanceError):
            setattr(record, name, None)
    assert LayerTrace.__slots__ == ("hidden", "attention", "kernels")
    assert EncoderOutput.__slots__ == ("embeddings", "hidden", "layers")
