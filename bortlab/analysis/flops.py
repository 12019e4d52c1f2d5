"""What a forward pass costs: multiply-adds, by closed formula, and the memory of its activations.

A multiply-add (MAC) is one product added to a sum; a FLOP is one of both, so FLOPs are twice the MACs. Counted are the
matrix products and convolutions, as torch's own FlopCounterMode counts them; norms, activations and softmax are left
out, and looking up a word is no arithmetic. Every position gets the scores of its head.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from bortlab.checkpoint import meta_network
from bortlab.models import Config, Family, Network
from bortlab.models.formula import COMPONENTS, Part, evaluate

LARGEST_BATCH = 65_536


@dataclass(frozen=True, slots=True)
class Work:
    """Multiply-adds of one forward pass over batch x seq pieces, by component."""

    batch: int
    seq: int
    by_component: Mapping[str, int]

    @property
    def macs(self) -> int:
        """Multiply-adds of the whole batch."""
        return sum(self.by_component.values())

    @property
    def flops(self) -> int:
        """Floating-point operations of the whole batch."""
        return 2 * self.macs

    @property
    def macs_per_piece(self) -> float:
        """Multiply-adds for each piece."""
        return self.macs / (self.batch * self.seq)


def work(config: Config, heads: Iterable[str] = (), *, batch: int = 1, seq: int = 128) -> Work:
    """The multiply-adds of a forward pass. ValueError for a batch or a length that the model cannot read."""
    check_shape(config, batch, seq)
    symbols = config.symbols | {"S": seq}
    total = dict.fromkeys(COMPONENTS, 0)

    def add(parts: Iterable[Part], uses: int = 1) -> None:
        for part in parts:
            total[part.component] += evaluate(part.work, symbols) * uses * (1 if part.once else seq) * batch

    add(config.embedding_parts)
    add(config.block_parts, config.depth)
    for name in heads:
        add(config.head_parts(name))
    return Work(batch, seq, {component: macs for component, macs in total.items() if macs})


def check_shape(config: Config, batch: int, seq: int) -> None:
    """ValueError for a batch or a length that the model cannot read."""
    if not 1 <= seq <= config.max_position_embeddings:
        raise ValueError(
            f"A text of {seq:,} pieces does not fit: this model has positions for 1 to "
            f"{config.max_position_embeddings:,}. Choose a shorter length."
        )
    if not 1 <= batch <= LARGEST_BATCH:
        raise ValueError(f"batch: expected 1 to {LARGEST_BATCH:,} texts, got {batch:,}.")


# -- memory ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Activations:
    """Bytes of activations, weights not included.

    peak: the most that is alive at once while predicting. kept: what training keeps for the backward pass.
    """

    peak: int
    kept: int


def activations(
    family: Family,
    config: Config,
    task: str = "masked-lm",
    *,
    batch: int = 1,
    seq: int = 128,
    dtype: torch.dtype = torch.float32,
    explicit: bool = False,
) -> Activations:
    """Measured by running the network on the meta device, which allocates nothing, with two layers at most.

    Every layer needs the same, so two are enough for any depth: the peak is that of two, and what is kept grows by the
    same amount with each. explicit=True for attention that forms its probabilities, (batch, heads, seq, seq) of them;
    otherwise fused. A kernel's own scratch memory is not seen. ValueError for a shape that the model cannot read.
    """
    check_shape(config, batch, seq)
    own = {entry.name for entry in fields(config)}
    unshared = {name: 1 for name in ("num_hidden_groups", "inner_group_num") if name in own}
    short: Any = unshared | {"num_hidden_layers": min(config.depth, 2)}
    network = meta_network(family, replace(config, **short), task).to(dtype)
    ids = torch.zeros(batch, seq, dtype=torch.long, device="meta")
    with torch.inference_mode(False), _Fused():
        kept = _kept(network.train(), ids, explicit)
        with torch.no_grad(), Memory() as memory:
            _run(network.eval(), ids, explicit)
    steps = [after - before for before, after in pairwise([0, *kept])]  # embeddings, layers, head
    return Activations(memory.peak, kept[-1] + (config.depth - network.config.depth) * steps[-2])


def _run(network: Network, ids: Tensor, explicit: bool, after: Callable[[], None] = lambda: None) -> None:
    """embed, encode and score. after: called after the embeddings, after each layer and at the end."""
    hidden = _encode(network, ids, explicit, after)
    network.score(hidden)
    after()


def _encode(network: Network, ids: Tensor, explicit: bool, after: Callable[[], None]) -> Tensor:
    """As `Network.encode` does it, by the same names, which keep alive the same; but no layer's record is kept."""
    words = network.embed(ids)
    hidden: Tensor = network.embeddings(words, None)
    embeddings = hidden
    after()
    for layer in network.steps(hidden, explicit=explicit):
        hidden = layer.hidden
        after()
    del embeddings
    return hidden


def _kept(network: Network, ids: Tensor, explicit: bool) -> list[int]:
    """Bytes that autograd keeps for the backward pass, each storage once, weights left out; after each step."""
    weights = {parameter.untyped_storage()._cdata for parameter in network.parameters()}
    storages: dict[int, Tensor] = {}
    sums: list[int] = []

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()._cdata
        if storage not in weights:
            storages[storage] = tensor  # held, so that no other storage takes its address
        return tensor

    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        _run(network, ids, explicit, lambda: sums.append(sum(t.untyped_storage().nbytes() for t in storages.values())))
    return sums


class _FusedAttention(torch.autograd.Function):
    """Shapes of the fused kernel: it makes the values, and keeps query, key, value, values and a number a row."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        values = torch.empty_like(query)
        ctx.save_for_backward(query, key, value, values, query.new_empty(query.shape[:-1], dtype=torch.float32))
        return values


class _Fused(TorchFunctionMode):
    """On the meta device torch forms the probabilities; where it computes, its kernels for CPU and GPU do not."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is nn.functional.scaled_dot_product_attention:
            return _FusedAttention.apply(*args[:3])  # type: ignore[no-untyped-call]
        return func(*args, **(kwargs or {}))


class Memory(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Follows what is allocated and freed inside its block: `alive` bytes now, `peak` at most."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.alive = self.peak = 0
        self._known: weakref.WeakSet[Any] = weakref.WeakSet()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        before = {id(tensor.untyped_storage()) for tensor in tree_leaves((args, kwargs)) if isinstance(tensor, Tensor)}
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, Tensor):
                storage = tensor.untyped_storage()
                if id(storage) not in before and storage not in self._known:
                    self._follow(storage)
        return result

    def _follow(self, storage: Any) -> None:
        size = storage.nbytes()
        self._known.add(storage)
        weakref.finalize(storage, self._free, size)
        self.alive += size
        self.peak = max(self.peak, self.alive)

    def _free(self, size: int) -> None:
        self.alive -= size
