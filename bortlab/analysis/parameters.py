"""Where a model's weights are: stored, tied and executed, by component, by block and by layer.

`formula` computes them from a configuration alone, at once; `count` reads them off a network, which may lie on the meta
device and then needs no memory. Both give the same `Sizes`; tests hold them equal for every family, equal to what is
published.

>>> from bortlab import registry
>>> family, config = registry.architecture("albert-base-v2")
>>> sizes = formula(config, family.network.tasks["encoder"])
>>> sizes.stored, sizes.executed
(11683584, 89650176)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING

from torch import nn

from bortlab.models import HEADS, LIMITS, Config, ConfigError, Network
from bortlab.models.formula import COMPONENTS, Part, add, evaluate

if TYPE_CHECKING:
    import pandas

BYTES: Mapping[str, int] = {"float32": 4, "bfloat16": 2, "float16": 2, "int8": 1}
"""Bytes of one weight. For int8 the scales, one for each row or matrix, come on top."""

NEAREST = 256
"""How far `nearest` looks for a value that fits."""


@dataclass(frozen=True, slots=True)
class Share:
    """The weights of one module.

    name: its path, in its block or in the network. block: the stored block that it belongs to, from 0; None outside.
    stored: each tensor once. executed: as often as a text passes through it, what it reads of another module included.
    """

    component: str
    name: str
    block: int | None
    stored: int
    executed: int


@dataclass(frozen=True)
class Sizes:
    """All weights of a network. layers: the stored block, from 0, that each executed layer uses."""

    shares: tuple[Share, ...]
    layers: tuple[int, ...]

    @cached_property
    def stored(self) -> int:
        """Weights, each tensor once: what a file holds."""
        return sum(share.stored for share in self.shares)

    @cached_property
    def executed(self) -> int:
        """Weights with every use counted: what a network of the same work would store without sharing."""
        return sum(share.executed for share in self.shares)

    @property
    def tied(self) -> int:
        """Weights that sharing saves."""
        return self.executed - self.stored

    @property
    def effective(self) -> int:
        """Stored weights without the embeddings: the "effective size" of the Bort paper."""
        return self.stored - self.by_component().get("embeddings", 0)

    def by_component(self, *, executed: bool = False) -> dict[str, int]:
        """Weights of each component that there is, in the order of a forward pass."""
        return _sum_by_component((s.component, s.executed if executed else s.stored) for s in self.shares)

    def of_block(self, block: int) -> dict[str, int]:
        """Stored weights of one block, by component."""
        return _sum_by_component((share.component, share.stored) for share in self.shares if share.block == block)

    def n_bytes(self, dtype: str = "float32") -> int:
        """Bytes of the stored weights."""
        if dtype not in BYTES:
            raise ValueError(f"Unknown dtype {dtype!r}. Known: {', '.join(BYTES)}.")
        return self.stored * BYTES[dtype]

    @property
    def ties(self) -> tuple[Tie, ...]:
        """What is used more than once."""
        uses = {block: self.layers.count(block) for block in dict.fromkeys(self.layers)}
        blocks = (
            Tie(f"block {block + 1}", sum(self.of_block(block).values()), n) for block, n in uses.items() if n > 1
        )
        tables = (
            Tie("word table, again as the decoder", share.executed - share.stored, 2)
            for share in self.shares
            if share.block is None and share.executed > share.stored
        )
        return (*tables, *blocks)


@dataclass(frozen=True, slots=True)
class Tie:
    """Weights that are stored once and used several times."""

    what: str
    weights: int
    uses: int


def _sum_by_component(pairs: Iterable[tuple[str, int]]) -> dict[str, int]:
    total = dict.fromkeys(COMPONENTS, 0)
    for component, weights in pairs:
        total[component] += weights
    return {component: weights for component, weights in total.items() if weights}


# -- from a configuration, from a network ------------------------------------------------------------------------------


def formula(config: Config, heads: Iterable[str] = ()) -> Sizes:
    """The sizes that the family's closed formula gives. heads: of HEADS, what stands on the body."""
    symbols, layers = config.symbols, config.blocks
    shares = [_share(part, symbols) for part in config.embedding_parts]
    block = [_share(part, symbols) for part in config.block_parts]
    for number in range(config.n_blocks):
        uses = layers.count(number)
        shares += [Share(s.component, s.name, number, s.stored, s.stored * uses) for s in block]
    shares += [_share(part, symbols) for name in heads for part in config.head_parts(name)]
    return Sizes(tuple(shares), layers)


def _share(part: Part, symbols: Mapping[str, int]) -> Share:
    stored = evaluate(part.weights, symbols)
    return Share(part.component, part.name, None, stored, stored + evaluate(part.tied, symbols))


def count(network: Network) -> Sizes:
    """The sizes of a network, counted in its tensors; one on the meta device needs no memory."""
    layers = network.config.blocks
    shares = _counted(network.embeddings, "embeddings.")
    for number in range(network.config.n_blocks):
        block = network.block(layers.index(number))
        shares += _counted(block, "", block=number, uses=layers.count(number))
    for attribute in HEADS.values():
        head = getattr(network, attribute)
        if head is not None:
            shares += _counted(head, f"{attribute}.")
    if network.masked_lm is not None and network.masked_lm.own_decoder is None:  # its decoder is the word table
        words = network.embeddings.words.weight.numel()
        shares = [replace(s, executed=s.executed + words) if s.name == "masked_lm" else s for s in shares]
    return Sizes(tuple(shares), layers)


def _counted(module: nn.Module, prefix: str, *, block: int | None = None, uses: int = 1) -> list[Share]:
    """A share for each module inside that has tensors of its own."""
    weights_of: dict[str, int] = {}
    for name, tensor in module.named_parameters():
        owner = (prefix + name).rpartition(".")[0]
        weights_of[owner] = weights_of.get(owner, 0) + tensor.numel()
    return [Share(_component(name), name, block, weights, weights * uses) for name, weights in weights_of.items()]


def _component(name: str) -> str:
    """What a module is for, by its path."""
    if name.endswith("_norm"):
        return "norms"
    first, _, rest = name.partition(".")
    if first == "attention" and rest.startswith(("span", "kernel", "convolved")):
        return "convolution"
    own = {"feedforward": "feed-forward", "attention": "attention", "embeddings": "embeddings", "pooler": "pooler"}
    return own.get(first, "head")


def formulas(config: Config, heads: Iterable[str] = ()) -> dict[str, str]:
    """The closed formula of each component as text; one block's where it is part of blocks. See SYMBOLS."""
    parts = (*config.embedding_parts, *config.block_parts, *(p for name in heads for p in config.head_parts(name)))
    written = {c: add(*(part.weights for part in parts if part.component == c)) for c in COMPONENTS}
    return {component: text for component, text in written.items() if text != "0"}


# -- what if -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Knob:
    """A size that can be moved: its field in the configuration, what people call it, and a sensible step."""

    field: str
    label: str
    step: int


KNOBS = (
    Knob("vocab_size", "Vocabulary (V)", 1000),
    Knob("embedding_size", "Word width (E)", 64),
    Knob("hidden_size", "Width (H)", 64),
    Knob("num_hidden_layers", "Layers", 1),
    Knob("num_hidden_groups", "Groups of layers", 1),
    Knob("num_attention_heads", "Heads", 1),
    Knob("intermediate_size", "Feed-forward (I)", 256),
    Knob("num_groups", "FFN groups (g)", 1),
    Knob("head_ratio", "Head ratio", 1),
    Knob("conv_kernel_size", "Kernel taps (k)", 2),
)
"""What can be moved. A family has those that its configuration has."""


def knobs(config: Config) -> tuple[Knob, ...]:
    """The knobs of this configuration's family."""
    own = {entry.name for entry in fields(config)}
    return tuple(knob for knob in KNOBS if knob.field in own)


def nearest(config: Config, changes: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
    """For changes that the family refuses: the next values, below and above, that would do if one size gave way.

    Sizes that were changed are tried first; the others only where none of these helps.
    """
    sizes = {knob.field: int(getattr(config, knob.field)) for knob in knobs(config)} | dict(changes)
    alternatives: dict[str, tuple[int, ...]] = {}
    for group in (changes, sizes):
        for name in group:
            low, high = map(int, LIMITS[name])
            start = min(max(sizes[name], low), high)
            below = (value for value in range(start, max(low, start - NEAREST) - 1, -1))
            above = (value for value in range(start + 1, min(high, start + NEAREST) + 1))
            fits = [next((v for v in values if _works(config, sizes | {name: v})), None) for values in (below, above)]
            if any(fits):
                alternatives[name] = tuple(value for value in fits if value is not None)
        if alternatives:
            break
    return alternatives


def _works(config: Config, changes: Mapping[str, int]) -> bool:
    try:
        replace(config, **changes)  # type: ignore[arg-type]
    except ConfigError:
        return False
    return True


def sweep(config: Config, field: str, values: Iterable[int], heads: Sequence[str] = ()) -> dict[int, Sizes]:
    """The sizes for each value of a field that the family allows."""
    sizes = {}
    for value in values:
        try:
            sizes[value] = formula(replace(config, **{field: value}), heads)  # type: ignore[arg-type]
        except ConfigError:
            continue
    return sizes


# -- tables ------------------------------------------------------------------------------------------------------------


def frame(models: Mapping[str, Sizes]) -> pandas.DataFrame:
    """One row a module of each model."""
    import pandas

    rows = [
        {
            "model": key,
            "component": share.component,
            "block": None if share.block is None else share.block + 1,
            "part": share.name,
            "stored": share.stored,
            "executed": share.executed,
            **{f"{dtype} bytes": share.stored * size for dtype, size in BYTES.items()},
        }
        for key, sizes in models.items()
        for share in sizes.shares
    ]
    return pandas.DataFrame(rows).astype({"block": "Int64"}) if rows else pandas.DataFrame(rows)


def layers_frame(sizes: Sizes) -> pandas.DataFrame:
    """One row an executed layer: the block it uses, whether for the first time, and that block's weights."""
    import pandas

    counted: set[int] = set()
    rows = []
    for number, block in enumerate(sizes.layers, 1):
        rows.append({"layer": number, "block": block + 1, "new weights": block not in counted, **sizes.of_block(block)})
        counted.add(block)
    return pandas.DataFrame(rows)
