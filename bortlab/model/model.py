"""A loaded model: a frozen network with its tokenizer, and the questions one can ask it.

Nothing here changes the network, so any number of threads may share one `Model`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import chain
from os import PathLike
from pathlib import Path
from types import MappingProxyType

import torch
from torch import Tensor

from bortlab import checkpoint
from bortlab.model.adaptation import Adaptation
from bortlab.model.fingerprint import fingerprint_of
from bortlab.model.questions import Questions, no_gradients
from bortlab.model.trace import Trace
from bortlab.models import Family, Network
from bortlab.nn.records import EncoderOutput
from bortlab.system import wiring
from bortlab.text import Encoding, Tokenizer

PROVENANCES = ("trained", "adapted", "random")
"""Where a head's weights come from."""
HEADS_KEY = "bortlab_heads"
"""The key of config.json under which `Model.save` keeps the provenance of the heads."""
_OPENING = threading.Lock()


@dataclass(frozen=True, eq=False, repr=False)
class Model(Questions):
    """A network in eval mode with its tokenizer; made by `bortlab.load`, or by `assemble` from a network of your own.

    heads: where each head comes from: "trained" | "adapted" | "random". source: "bundled" | "hub" | "folder" |
    "adapted" | "random weights". digest: makes the fingerprint. n_bytes: memory of the weights.
    """

    network: Network
    heads: Mapping[str, str]
    revision: str
    dtype: torch.dtype
    source: str
    digest: Callable[[], str]
    n_bytes: int

    @cached_property
    def fingerprint(self) -> str:
        """The same for the same weights, configuration, vocabulary and hub revision, to key caches with.

        Every weight is hashed when it is first asked for: 0.1 s for 100 M weights, which a first answer does not need.
        """
        return self.digest()

    @property
    def n_parameters(self) -> int:
        """Number of weights, each counted once."""
        return sum(parameter.numel() for parameter in self.network.parameters())

    @property
    def adaptation(self) -> Adaptation | None:
        """How this model was made of another one by training it further; None for one as it was published."""
        return Adaptation.read(self.config.extra)

    @property
    def has_own_decoder(self) -> bool:
        """Has its masked-LM head a decoder of its own, in place of the word table?"""
        return self.network.masked_lm is not None and self.network.masked_lm.own_decoder is not None

    def encode_ids(self, ids: Tensor, mask: Tensor | None = None, type_ids: Tensor | None = None) -> Tensor:
        """ids, mask (0 where a piece is padding), type ids (batch, seq) -> last hidden states (batch, seq, hidden)."""
        return self.network.encode(self.network.embed(ids), type_ids, mask).hidden

    def score(self, hidden: Tensor) -> dict[str, Tensor]:
        """Last hidden states (batch, seq, hidden) -> logits by name, as `Network.score`; of an encoder "pooled"."""
        pooler = self.network.pooler
        if self.task == "encoder":
            return {} if pooler is None else {"pooled": pooler(hidden)}
        return self.network.score(hidden)

    def on(self, engine: str, *, threads: int | None = None) -> Questions:
        """The same weights, run by another program, with the same questions: `model.on("onnx").fill_mask(...)`.

        engine: "torch", "torch-packed", "onnx", "onnx-int8", "openvino", "keras-jax", "keras-tensorflow" or
        "keras-torch". threads: that it may use (default: as many as torch). Made once for a model, and kept as long as
        the model. Raises ValueError for another name, and where a package is missing, with the line that installs it.
        """
        name = (engine, threads)
        with _OPENING:
            if name not in self._engines:
                self._engines[name] = wiring.open_engine(self, engine, threads)
            return self._engines[name]

    def trace(self, text: str, pair: str | None = None, *, grad: bool = False) -> Trace:
        """Run a text and keep what every layer did.

        grad=True builds the graph, from the embeddings on, for `torch.autograd.grad` over `trace.layers`. The tensors
        are ordinary ones, usable in a graph of your own. `logits` is (1, seq, 0) for a model without masked-LM head.
        """
        encoding = self.encode(text, pair)
        with _gradients(grad):
            output = self._run(encoding, keep_layers=True, grad=grad)
            return Trace(encoding, output, self._answer(output.hidden))

    def logits(self, encoding: Encoding) -> Tensor:
        """Masked-LM logits (1, seq, vocab) at every position of an encoding that this model's tokenizer made."""
        self._require("masked-lm")
        self._check(encoding)
        with no_gradients():
            return self._answer(self._run(encoding).hidden)

    def save(self, folder: str | PathLike[str]) -> None:
        """Write the model as a Hugging Face layout folder that `bortlab.load_from` and transformers read."""
        config = replace(self.config, extra={**self.config.extra, HEADS_KEY: dict(self.heads)})
        checkpoint.save(Path(folder).expanduser(), self.family, config, self.network, self.tokenizer)

    def __repr__(self) -> str:
        heads = ", ".join(f"{name} {provenance}" for name, provenance in self.heads.items()) or "none"
        heads += ", untied decoder" if self.has_own_decoder else ""
        size = f"{self.n_parameters / 1e6:.1f} M parameters, {self.n_bytes / 1e6:.1f} MB"
        where = f"{str(self.dtype).removeprefix('torch.')} on {self.device}, {self.source}"
        return f"Model({self.key!r}, {self.family.title}, {size}, {where}; heads: {heads})"

    # -- inside ------------------------------------------------------------------------------------------------------

    @cached_property
    def _engines(self) -> dict[tuple[str, int | None], Questions]:
        """What `on` has made."""
        return {}

    def _run(self, encoding: Encoding, *, keep_layers: bool = False, grad: bool = False) -> EncoderOutput:
        """The encoder over one text, batch 1. No mask: nothing is padded."""
        ids, type_ids = self.inputs(encoding)
        words = self.network.embed(ids, type_ids)
        if grad:
            words.requires_grad_()
        return self.network.encode(words, type_ids, keep_layers=keep_layers)

    def _answer(self, hidden: Tensor) -> Tensor:
        """(1, seq, hidden) -> logits (1, seq, vocab), (1, seq, 0) without a head; finite."""
        if self.network.masked_lm is not None:
            return self.check_finite(self.network.predict(hidden))
        return self.check_finite(hidden)[..., :0]


def assemble(
    key: str,
    family: Family,
    network: Network,
    tokenizer: Tokenizer,
    *,
    heads: Mapping[str, str],
    source: str,
    revision: str = "",
) -> Model:
    """Freeze a network (eval mode, no gradients) and make it a Model. The network belongs to the Model from then on."""
    network.eval().requires_grad_(False)
    weights = network.embeddings.words.weight
    return Model(
        key=key,
        family=family,
        config=network.config,
        network=network,
        tokenizer=tokenizer,
        heads=MappingProxyType(dict(heads)),
        revision=revision,
        device=weights.device,
        dtype=weights.dtype,
        task=network.task,
        source=source,
        digest=partial(fingerprint_of, family, network, tokenizer, MappingProxyType(dict(heads))),
        n_bytes=n_bytes(network),
    )


def n_bytes(network: Network) -> int:
    """Memory of a network's tensors, each counted once; needs no memory for one on the meta device."""
    return sum(tensor.nbytes for tensor in chain(network.parameters(), network.buffers()))


@contextmanager
def _gradients(enabled: bool) -> Iterator[None]:
    """Gradients on or off for this thread, and ordinary tensors even where the caller is in inference mode."""
    with torch.inference_mode(False), torch.set_grad_enabled(enabled):
        yield
