"""What a method gets to see: a pure function of vectors, the input, the baseline, and which vectors are one unit.

A loaded model is shared by threads, so no hook is ever attached to it and no part of it is swapped: what varies comes
in as an argument. That makes every layer a problem of the same kind, and each use of a shared block one of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from bortlab.analysis.attention import Unit, piece_units, word_units
from bortlab.analysis.attribution.targets import Target, WholeText
from bortlab.model import Model, NonFiniteError
from bortlab.models import Config, Network
from bortlab.nn.records import LayerTrace
from bortlab.text import Encoding, Tokenizer

Baseline = Literal["mask", "pad", "zero", "mean"]
BASELINES: tuple[Baseline, ...] = get_args(Baseline)
By = Literal["words", "pieces"]
PASS_MB = 192
"""Memory that the activations of one pass may take, in megabytes, roughly."""
MOST_ROWS = 8
"""Rows of one pass: more of them no longer fit the processor's caches, and are no faster."""

Function = Callable[[Tensor], Tensor]
Watch = Callable[[int], None]


@dataclass(frozen=True)
class Problem:
    """value(vectors (batch, n, width)) -> (batch,), to be explained at x against a baseline, both (1, n, width).

    owners: (n,), for each vector the index of its unit, 0 to m - 1. rows: how many `value` may take at once. For
    methods that read attention: attention gives the live records of all layers and the value that came of them, None
    where there is none; reads is the position that the answer is read from, places are those of the vectors.
    """

    value: Function
    x: Tensor
    baseline: Tensor
    owners: Tensor
    rows: int = MOST_ROWS
    attention: Callable[[], tuple[Sequence[LayerTrace], Tensor]] | None = None
    reads: int = 0
    places: tuple[int, ...] = ()

    @property
    def n_units(self) -> int:
        """m, the number of units."""
        return int(self.owners.max()) + 1

    @cached_property
    def ends(self) -> tuple[float, float]:
        """The value at the baseline and at x."""
        with torch.no_grad():
            low, high = self.value(torch.cat([self.baseline, self.x])).tolist()
        return low, high

    def present(self, units: Tensor) -> Tensor:
        """units (batch, m), 1 where a unit is as in x and 0 where it is as in the baseline -> the value (batch,)."""
        there = units[:, self.owners, None].to(self.x.dtype)  # (batch, n, 1)
        parts = (there[start : start + self.rows] for start in range(0, len(there), self.rows))
        return torch.cat([self.value(self.baseline + part * (self.x - self.baseline)) for part in parts])

    def sums(self, vectors: Tensor) -> Tensor:
        """A number for each vector (n,) -> their sums by unit (m,), in float64."""
        numbers = vectors.detach().double().cpu()
        return torch.zeros(self.n_units, dtype=torch.float64).index_add(0, self.owners.cpu(), numbers)


def rows_of(config: Config, seq: int, itemsize: int = 4) -> int:
    """How many texts of this length one pass may take, with what its backward pass keeps in memory."""
    a_layer = seq * (14 * config.hidden_size + 3 * config.intermediate_size + 3 * config.heads * seq)
    return max(1, min(MOST_ROWS, int(PASS_MB * 1e6 / (config.depth * a_layer * itemsize))))


def baseline_vector(network: Network, tokenizer: Tokenizer, baseline: Baseline) -> Tensor:
    """(embed,): what replaces a word that is taken away."""
    words = network.embeddings.words.weight.detach()
    if baseline == "zero":
        return torch.zeros_like(words[0])
    if baseline == "mean":
        return words.mean(0)
    if baseline not in BASELINES:
        raise ValueError(f"baseline: expected {', '.join(BASELINES)}, got {baseline!r}.")
    return words[tokenizer.mask_id if baseline == "mask" else tokenizer.pad_id]


def units_of(encoding: Encoding, by: By) -> tuple[tuple[Unit, ...], Tensor]:
    """The units of a text in order, and for each piece (seq,) the index of its unit."""
    if by == "pieces":
        return piece_units(encoding), torch.arange(len(encoding))
    units, members = word_units(encoding)
    return units, members.argmax(0)


def varied(encoding: Encoding) -> list[int]:
    """The pieces that a baseline may replace: all but the template and the blanks."""
    return [n for n, special in enumerate(encoding.special) if not special and n not in encoding.mask_positions]


@dataclass(frozen=True, slots=True, eq=False)
class Inputs:
    """A text as a network takes it: words (1, seq, embed), types (1, seq)."""

    words: Tensor
    types: Tensor

    @classmethod
    def of(cls, model: Model, encoding: Encoding, network: Network) -> Inputs:
        """Look a text up in a network's tables: the model's own, or those of another one on the same device."""
        ids, types = model.inputs(encoding)
        with torch.no_grad():
            return cls(network.embed(ids, types).detach(), types)

    def entering(self, network: Network, words: Tensor) -> Tensor:
        """words (batch, seq, embed) -> what enters the first layer (batch, seq, hidden)."""
        return network.embeddings(words, self.types.expand(words.shape[0], -1))  # type: ignore[no-any-return]


def of_text(
    model: Model,
    encoding: Encoding,
    target: Target | WholeText,
    *,
    baseline: Baseline = "mask",
    by: By = "words",
    watch: Watch | None = None,
    network: Network | None = None,
) -> tuple[Problem, tuple[Unit, ...], list[int]]:
    """The problem of a text's words; all its units, and the indices of those that vary.

    Template and blanks stay as they are, and so do positions and token types. watch: called before every pass with its
    number of rows. network: another one of the same configuration, such as one with random weights.
    """
    network = network or model.network
    inputs = Inputs.of(model, encoding, network)
    own = varied(encoding)
    if not own:
        raise ValueError("There is no word that could be taken away. Write some words around the blank.")
    units, owners = units_of(encoding, by)
    numbers = sorted({int(owners[n]) for n in own})
    places = torch.tensor(own, device=model.device)
    lacking = baseline_vector(network, model.tokenizer, baseline)

    def whole(vectors: Tensor) -> Tensor:
        """The varied words (batch, n, embed) among the others: (batch, seq, embed)."""
        return inputs.words.expand(vectors.shape[0], -1, -1).index_copy(1, places, vectors)

    def value(vectors: Tensor) -> Tensor:
        if watch is not None:
            watch(vectors.shape[0])
        words = whole(vectors)
        if isinstance(target, WholeText):
            return finite(likelihood(network, inputs, words, encoding, own, model.tokenizer.mask_id), model)
        return finite(target.of(network, network.run(inputs.entering(network, words))), model)

    def attention() -> tuple[Sequence[LayerTrace], Tensor]:
        assert isinstance(target, Target)
        with torch.enable_grad():
            entering = inputs.entering(network, inputs.words.clone().requires_grad_())
            layers = tuple(network.steps(entering, explicit=True))
            return layers, target.of(network, layers[-1].hidden)

    problem = Problem(
        value,
        inputs.words[:, own],
        lacking.expand(1, len(own), -1),
        torch.tensor([numbers.index(int(owners[n])) for n in own], device=model.device),
        rows_of(model.config, len(encoding), inputs.words.element_size()),
        None if isinstance(target, WholeText) else attention,
        0 if isinstance(target, WholeText) else target.reads,
        tuple(own),
    )
    return problem, units, numbers


def of_layer(
    model: Model,
    encoding: Encoding,
    target: Target,
    layer: int,
    *,
    baseline: Baseline = "mask",
    by: By = "words",
    watch: Watch | None = None,
) -> tuple[Problem, tuple[Unit, ...]]:
    """The problem of the states that enter the executed layer (the depth: that leave the last one); its units.

    Here every position varies, those of the template and the blanks too: from the states that the text has there to
    those of the text with its words replaced by the baseline.
    """
    network, inputs = model.network, Inputs.of(model, encoding, model.network)
    if not 0 <= layer <= model.config.depth:
        raise ValueError(f"layer: expected 0 to {model.config.depth}, got {layer!r}.")
    own = varied(encoding)
    lacking = inputs.words.clone()
    lacking[:, own] = baseline_vector(network, model.tokenizer, baseline)
    with torch.no_grad():
        states = inputs.entering(network, torch.cat([inputs.words, lacking]))
        states = network.run(states, stop=layer)
    units, owners = units_of(encoding, by)

    def value(vectors: Tensor) -> Tensor:
        if watch is not None:
            watch(vectors.shape[0])
        return finite(target.of(network, network.run(vectors, layer)), model)

    rows = rows_of(model.config, len(encoding), inputs.words.element_size())
    return Problem(value, states[:1], states[1:], owners.to(model.device), rows), units


def likelihood(
    network: Network, inputs: Inputs, words: Tensor, encoding: Encoding, own: Sequence[int], mask: int
) -> Tensor:
    """words (batch, seq, embed) -> the sum of log p(piece | the others) over the own pieces (batch,).

    One pass for each piece. Activations are not kept for the backward pass, which computes them again.
    """
    hole = network.embeddings.words.weight[mask].detach()

    def of_piece(words: Tensor, place: Tensor) -> Tensor:
        masked = words.index_copy(1, place, hole.expand(words.shape[0], 1, -1))
        hidden = network.run(inputs.entering(network, masked))
        target = Target("masked-lm", encoding.ids[int(place)], int(place), scale="log-probability")
        return target.of(network, hidden)

    total = words.new_zeros(words.shape[0], dtype=torch.promote_types(words.dtype, torch.float32))
    for number in own:
        place = torch.tensor([number], device=words.device)
        differentiated = torch.is_grad_enabled() and words.requires_grad
        total = total + (
            checkpoint(of_piece, words, place, use_reentrant=False) if differentiated else of_piece(words, place)
        )
    return total


def finite(values: Tensor, model: Model) -> Tensor:
    """The values, or NonFiniteError."""
    if not bool(values.isfinite().all()):
        raise NonFiniteError(
            f"{model.key} gave numbers that are not finite: its weights are damaged, or they overflow in {model.dtype}."
        )
    return values
