"""ConvBERT's dynamic convolution: the kernel of every position, what makes it, and what each half of a block does.

A kernel's tap j, from 0, weighs the position j - (width - 1) / 2 after its own; taps beyond the ends of the text fall
on zeros. Kernels are those of `trace.kernels`; what the trace has not, such as the two halves before they are joined,
is computed again from its hidden states with the block's own steps. Layers and heads are counted from 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import partial
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from bortlab.analysis.attention import Unit, entropy, piece_units
from bortlab.data import corpus
from bortlab.model import Candidate, Model, Trace
from bortlab.nn import Block, MixedAttention
from bortlab.nn.linear import linear_map
from bortlab.text import Encoding

if TYPE_CHECKING:
    import pandas

Ablation = Literal["nothing", "attention", "convolution", "token", "fixed", "even"]
ABLATIONS: Mapping[Ablation, str] = {
    "nothing": "nothing changed",
    "attention": "without the attention heads",
    "convolution": "without the convolution heads",
    "token": "kernels from the token alone",
    "fixed": "one kernel for all tokens",
    "even": "even kernels",
}
"""What can be changed in a block's convolution. "fixed" is the mean of the text's kernels, head by head."""
MEASURES = ("entropy", "centre", "width", "own")
SAMPLE = 60
"""Sentences of the held-out corpus that a survey reads."""


class NoConvolutionError(ValueError):
    """A question about kernels to a model that has none."""


def has_kernels(model: Model) -> bool:
    """Does every block mix convolution into its attention?"""
    return all(isinstance(model.network.block(layer).attention, MixedAttention) for layer in range(model.config.depth))


def _mixed(model: Model, layer: int) -> tuple[Block, MixedAttention]:
    block = model.network.block(layer)
    if not isinstance(block.attention, MixedAttention):
        raise NoConvolutionError(
            f"{model.key} has no dynamic convolution: its blocks are self-attention alone. Take a ConvBERT."
        )
    return block, block.attention


# -- kernels -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Kernels:
    """One text through one model: weights (layers, heads, position, tap), rows sum to 1, and what the positions are."""

    weights: Tensor
    units: tuple[Unit, ...]

    @property
    def taps(self) -> tuple[int, ...]:
        """Where each tap looks, relative to the kernel's own position: -4 to 4 for nine."""
        width = self.weights.shape[-1]
        return tuple(range(-(width // 2), width // 2 + 1))

    @property
    def own(self) -> Tensor:
        """(position,): True for the text's own pieces; for all of them where there is nothing but the template."""
        own = torch.tensor([not unit.template for unit in self.units])
        return own if bool(own.any()) else ~own

    def banded(self, layer: int, head: int) -> Tensor:
        """(query, key): the kernels as a matrix like attention's; a row lacks what falls beyond the ends."""
        kernels = self.weights[layer, head]
        n, width = kernels.shape
        wide = kernels.new_zeros(n, n + width - 1)
        places = torch.arange(n)[:, None] + torch.arange(width)
        return wide.scatter(1, places, kernels)[:, width // 2 : width // 2 + n]

    @property
    def beyond(self) -> Tensor:
        """(layers, heads, position): the share of each kernel that falls beyond the ends of the text."""
        n, taps = len(self.units), torch.tensor(self.taps)
        covered = torch.arange(n)[:, None] + taps
        return (self.weights * ((covered < 0) | (covered >= n))).sum(-1)


def of(trace: Trace) -> Kernels:
    """The kernels of a trace."""
    if trace.kernels is None:
        raise NoConvolutionError("This trace has no kernels: the model has no dynamic convolution. Take a ConvBERT.")
    return Kernels(trace.kernels.cpu(), piece_units(trace.encoding))


@dataclass(frozen=True, slots=True, eq=False)
class KernelStatistics:
    """Kernels in numbers, each (...): as the kernels without their taps.

    entropy: bits; 0 is one tap, log2(width) all alike. centre: the centre of mass, in tokens, negative for those
    before. width: the standard deviation around it, in tokens. own: the share of the centre tap.
    """

    entropy: Tensor
    centre: Tensor
    width: Tensor
    own: Tensor


def statistics(weights: Tensor) -> KernelStatistics:
    """Of kernels (..., tap)."""
    half = weights.shape[-1] // 2
    taps = torch.arange(-half, half + 1, dtype=weights.dtype)
    centre = (weights * taps).sum(-1)
    spread = (weights * (taps - centre[..., None]) ** 2).sum(-1)
    return KernelStatistics(entropy(weights), centre, spread.clamp_min(0).sqrt(), weights[..., half])


def distance(first: Tensor, second: Tensor) -> Tensor:
    """How much of a kernel (..., tap) lies elsewhere in the other: half the sum of differences, from 0 to 1."""
    return (first - second).abs().sum(-1) / 2


# -- what makes a kernel -----------------------------------------------------------------------------------------------


def token_only(model: Model, trace: Trace) -> Tensor:
    """(layers, heads, position, tap): each kernel as it were if its span were the token alone, its neighbours zeros.

    The layer's input stays as it is; in layers after the first it has taken in neighbours already.
    """
    made = []
    with torch.no_grad():
        for layer in range(len(trace.layers)):
            hidden = trace.hidden[layer : layer + 1]
            _, attention = _mixed(model, layer)
            made.append(_token_only(attention, hidden)[0].transpose(0, 1))
    return torch.stack(made).cpu()


def _token_only(attention: MixedAttention, hidden: Tensor) -> Tensor:
    """(batch, seq, heads, width)."""
    span = attention.span
    alone = hidden * span.depthwise.weight[:, 0, attention.width // 2]  # all other taps fall on zeros
    made = linear_map(alone, span.pointwise.weight[:, :, 0], span.bias[:, 0])
    return attention.kernels(attention.query(hidden), made)


def depthwise(model: Model) -> Tensor:
    """(layers, hidden, tap): the filters of the separable convolutions, which are the same for every text."""
    filters = [_mixed(model, layer)[1].span.depthwise.weight[:, 0].detach() for layer in range(model.config.depth)]
    return torch.stack(filters).cpu()


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """The pieces that two texts share, and how their kernels differ between them.

    first, second: the texts' kernels; alone: each text's kernels from the token alone. pairs: places of a shared piece
    in the first and the second text.
    """

    first: Kernels
    second: Kernels
    alone: tuple[Tensor, Tensor]
    pairs: tuple[tuple[int, int], ...]

    def distances(self) -> tuple[Tensor, Tensor]:
        """(layers, heads, pairs) each: of the span's kernels, and of those from the token alone."""
        here, there = [first for first, _ in self.pairs], [second for _, second in self.pairs]
        return (
            distance(self.first.weights[:, :, here], self.second.weights[:, :, there]),
            distance(self.alone[0][:, :, here], self.alone[1][:, :, there]),
        )


def change(model: Model, first: str, second: str) -> Change:
    """Kernels of two texts, laid over each other where they have the same pieces in the same order."""
    traces = model.trace(first), model.trace(second)
    kernels = of(traces[0]), of(traces[1])
    ids = [trace.encoding.ids for trace in traces]
    matched = SequenceMatcher(None, ids[0], ids[1], autojunk=False).get_matching_blocks()
    pairs = tuple((a + n, b + n) for a, b, size in matched for n in range(size))
    return Change(kernels[0], kernels[1], (token_only(model, traces[0]), token_only(model, traces[1])), pairs)


# -- a survey ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Survey:
    """Kernels over many texts: mean (layers, heads, tap), spread of the kernels around it (layers, heads; as
    `distance`), and the means of their statistics (layers, heads). Positions near the ends are left out.
    """

    mean: Tensor
    spread: Tensor
    statistics: KernelStatistics
    n_texts: int
    n_positions: int


def sample(number: int = SAMPLE) -> tuple[str, ...]:
    """Sentences of the held-out corpus, evenly spread, of 8 words or more."""
    sentences = [s for document in corpus.read("heldout") for s in document.sentences if len(s.split()) >= 8]
    return tuple(sentences[:: max(1, len(sentences) // number)][:number])


def survey(model: Model, texts: Sequence[str]) -> Survey:
    """What kernels prefer, over many texts."""
    inner_kernels = []
    for text in texts:
        kernels = of(model.trace(text))
        edge = kernels.weights.shape[-1] // 2
        places = torch.arange(len(kernels.units))
        inner = (places >= edge) & (places < len(places) - edge) & kernels.own
        inner_kernels.append(kernels.weights[:, :, inner])
    every = torch.cat(inner_kernels, 2)  # (layers, heads, positions, tap)
    if not every.shape[2]:
        raise ValueError("All texts are shorter than a kernel: take longer ones.")
    mean, each = every.mean(2), statistics(every)
    means = KernelStatistics(*(getattr(each, name).mean(-1) for name in MEASURES))
    return Survey(mean, distance(every, mean[:, :, None]).mean(-1), means, len(texts), every.shape[2])


# -- what each half does -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Contributions:
    """What attention adds to the residual stream, in its two halves: lengths of vectors, (layers, position) each.

    attention + convolution + a bias = total, as vectors; before: what the block got. shares: how much of the total's
    length each half makes, along the total: with the bias's share they sum to 1, and one may be negative.
    """

    attention: Tensor
    convolution: Tensor
    total: Tensor
    before: Tensor
    attention_share: Tensor
    convolution_share: Tensor
    units: tuple[Unit, ...]


def contributions(model: Model, trace: Trace) -> Contributions:
    """How much of each block's mixed attention comes from which half."""
    rows: dict[str, list[Tensor]] = {name: [] for name in Contributions.__slots__ if name != "units"}
    with torch.no_grad():
        for layer in range(len(trace.layers)):
            hidden = trace.hidden[layer : layer + 1]
            _, mixed = _mixed(model, layer)
            query = mixed.query(hidden)
            attended = mixed.attend(query, hidden, None, explicit=True).values
            convolved = mixed.convolve(hidden, mixed.kernels(query, mixed.span(hidden)))
            nothing = mixed.join(attended * 0, convolved * 0)  # the bias
            attention = (mixed.join(attended, convolved * 0) - nothing)[0]
            convolution = (mixed.join(attended * 0, convolved) - nothing)[0]
            total = attention + convolution + nothing[0]
            square = (total * total).sum(-1).clamp_min(1e-30)
            rows["attention"].append(attention.norm(dim=-1))
            rows["convolution"].append(convolution.norm(dim=-1))
            rows["total"].append(total.norm(dim=-1))
            rows["before"].append(hidden[0].norm(dim=-1))
            rows["attention_share"].append((attention * total).sum(-1) / square)
            rows["convolution_share"].append((convolution * total).sum(-1) / square)
    stacked = {name: torch.stack(values).cpu() for name, values in rows.items()}
    return Contributions(**stacked, units=piece_units(trace.encoding))


@dataclass(frozen=True, slots=True, eq=False)
class Ablated:
    """What a model says with one thing changed.

    blanks: the best candidates of each blank. moved: how much of the probability lies elsewhere than without the
    change, 0 to 1, mean over the blanks, or over all of the text's pieces where there is no blank.
    """

    ablation: Ablation
    blanks: tuple[tuple[Candidate, ...], ...]
    moved: float


def ablate(
    model: Model,
    text: str,
    pair: str | None = None,
    *,
    ablations: Sequence[Ablation] = tuple(ABLATIONS),
    layers: Sequence[int] | None = None,
    top_k: int = 5,
) -> tuple[Ablated, ...]:
    """Predictions with something changed in some layers (all, unless told). A half left out is zeros, not its bias."""
    for layer in range(model.config.depth):
        _mixed(model, layer)  # refuses a model without convolution
    encoding = model.encode(text, pair)
    chosen = set(range(model.config.depth) if layers is None else layers)
    places = list(encoding.mask_positions) or [n for n, special in enumerate(encoding.special) if not special]
    places = places or list(range(len(encoding)))
    usual = _predict(model, encoding, "nothing", chosen, places)
    made = []
    for ablation in ablations:
        logits = usual if ablation == "nothing" else _predict(model, encoding, ablation, chosen, places)
        moved = distance(logits.softmax(-1), usual.softmax(-1)).mean()
        blanks = model.candidates(logits, top_k) if encoding.mask_positions else ()
        made.append(Ablated(ablation, blanks, float(moved)))
    return tuple(made)


def _predict(model: Model, encoding: Encoding, ablation: Ablation, layers: set[int], places: Sequence[int]) -> Tensor:
    """(places, vocab): masked-LM logits."""
    network = model.network
    ids, types = model.inputs(encoding)
    changed = dict.fromkeys(layers, partial(_ablated, ablation=ablation))
    with torch.no_grad():
        hidden = network.run(network.embeddings(network.embed(ids, types), types), changed=changed)
        return network.predict(hidden[0, list(places)]).float()


def _ablated(block: Block, hidden: Tensor, *, ablation: Ablation) -> Tensor:
    """A block with something changed in its mixed attention: (batch, seq, hidden) -> the same."""
    mixed = block.attention
    assert isinstance(mixed, MixedAttention)
    query = mixed.query(hidden)
    attended = mixed.attend(query, hidden, None).values
    kernels = mixed.kernels(query, mixed.span(hidden))
    match ablation:
        case "token":
            kernels = _token_only(mixed, hidden)
        case "fixed":
            kernels = kernels.mean(1, keepdim=True).expand_as(kernels)
        case "even":
            kernels = torch.full_like(kernels, 1 / kernels.shape[-1])
    convolved = mixed.convolve(hidden, kernels)
    if ablation == "attention":
        attended = torch.zeros_like(attended)
    elif ablation == "convolution":
        convolved = torch.zeros_like(convolved)
    return block.finish(hidden, mixed.join(attended, convolved))


# -- tables ------------------------------------------------------------------------------------------------------------


def frame(kernels: Kernels, layer: int, head: int | None = None) -> pandas.DataFrame:
    """One row a token: its kernel, tap by tap, and the kernel's numbers; head None: the mean of all heads."""
    import pandas

    chosen = kernels.weights[layer].mean(0) if head is None else kernels.weights[layer, head]
    numbers = statistics(chosen)
    beyond = kernels.beyond[layer].mean(0) if head is None else kernels.beyond[layer, head]
    return pandas.DataFrame(
        {"position": range(len(kernels.units)), "token": [unit.text for unit in kernels.units]}
        | {f"tap {tap:+d}": chosen[:, n].tolist() for n, tap in enumerate(kernels.taps)}
        | {
            "entropy, bits": numbers.entropy.tolist(),
            "centre": numbers.centre.tolist(),
            "width": numbers.width.tolist(),
            "centre tap": numbers.own.tolist(),
            "beyond the ends": beyond.tolist(),
        }
    )
