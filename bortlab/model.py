"""A loaded model: a frozen network with its tokenizer, and the questions one can ask it.

Nothing here changes the network, so any number of threads may share one `Model`.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from os import PathLike
from pathlib import Path
from types import MappingProxyType

import torch
from torch import Tensor

from bortlab.models import Config, Family, Network
from bortlab.tokenization import MASK, Encoding, Tokenizer
from bortlab.trace import EncoderOutput, Trace

PROVENANCES = ("trained", "fitted here", "random")
"""Where a head's weights come from."""
HEADS_KEY = "bortlab_heads"
"""The key of config.json under which `Model.save` keeps the provenance of the heads."""
EXAMPLE = f"Paris is the {MASK} of France."


class NoMaskError(ValueError):
    """A text without a blank to fill."""


class NoHeadError(ValueError):
    """A question to a head that the model was loaded without."""


class NonFiniteError(RuntimeError):
    """A network whose answer holds NaN or infinity."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One piece for a blank: as the vocabulary spells it, as a person reads it, and how probable it is."""

    token: str
    text: str
    id: int
    probability: float
    log_probability: float


@dataclass(frozen=True, slots=True)
class Blank:
    """One mask: which piece it is, its characters start to end in the text, and its candidates, best first."""

    position: int
    start: int
    end: int
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True)
class FilledMask:
    """A text and what a model puts in its blanks, in the order of the text. `print` shows a table."""

    encoding: Encoding
    blanks: tuple[Blank, ...]

    def __str__(self) -> str:
        lines = [self.encoding.text if self.encoding.pair is None else f"{self.encoding.text} | {self.encoding.pair}"]
        if self.encoding.truncated:
            lines.append(f"(too long: the last {self.encoding.truncated} pieces were left out)")
        for number, blank in enumerate(self.blanks, 1):
            if len(self.blanks) > 1:
                lines.append(f"blank {number}, characters {blank.start} to {blank.end}")
            rows = [(_visible(c.text), c.probability) for c in blank.candidates]
            width = max(len(text) for text, _ in rows)
            percents = [f"{100 * p:5.1f} %" if p >= 5e-4 else "< 0.1 %" for _, p in rows]
            lines += [f"  {text:<{width}}  {percent}" for (text, _), percent in zip(rows, percents, strict=True)]
        return "\n".join(lines)


@dataclass(frozen=True, eq=False, repr=False)
class Model:
    """A network in eval mode with its tokenizer; made by `bortlab.load`, or by `assemble` from a network of your own.

    heads: where each head comes from: "trained" | "fitted here" | "random". source: "bundled" | "hub" | "folder" |
    "random weights". fingerprint: the same for the same weights, configuration and vocabulary, to key caches with.
    n_bytes: memory of the weights.
    """

    key: str
    family: Family
    config: Config
    network: Network
    tokenizer: Tokenizer
    heads: Mapping[str, str]
    revision: str
    device: torch.device
    dtype: torch.dtype
    task: str
    source: str
    fingerprint: str
    n_bytes: int

    @property
    def n_parameters(self) -> int:
        """Number of weights, each counted once."""
        return sum(parameter.numel() for parameter in self.network.parameters())

    def encode(self, text: str, pair: str | None = None) -> Encoding:
        """Cut a text (or a pair) into the model's pieces.

        What lies beyond the model's positions is left out; `truncated` says how much. A piece that the network has no
        vector for is a ValueError.
        """
        encoding = self.tokenizer.encode(text, pair, max_length=self.config.max_position_embeddings)
        self._check(encoding)
        return encoding

    def fill_mask(self, text: str, pair: str | None = None, *, top_k: int = 5) -> FilledMask:
        """The `top_k` most probable pieces for each `[MASK]` of the text.

        Probabilities are over the whole vocabulary of the network; ids that no piece stands for are never candidates.
        Raises NoMaskError for a text without mask, NoHeadError for a model loaded without masked-LM head.
        """
        self._require_masked_lm()
        check_whole("top_k", top_k, 1, self.config.vocab_size)
        encoding = self.encode(text, pair)
        if not encoding.mask_positions:
            raise NoMaskError(_no_mask(encoding, self.config.max_position_embeddings))
        with torch.inference_mode():
            hidden = self._run(encoding).hidden[0, list(encoding.mask_positions)]  # (blanks, hidden)
            logits = self._finite(self.network.predict(hidden))  # (blanks, vocab)
            scores = logits.to(torch.promote_types(logits.dtype, torch.float32)).log_softmax(-1)
            best = scores.index_fill(-1, self._nameless, -torch.inf).topk(min(top_k, self._n_named))
        blanks = (
            Blank(position, *encoding.offsets[position], tuple(map(self._candidate, ids, logs)))
            for position, ids, logs in zip(
                encoding.mask_positions, best.indices.tolist(), best.values.tolist(), strict=True
            )
        )
        return FilledMask(encoding, tuple(blanks))

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
        self._require_masked_lm()
        self._check(encoding)
        with _gradients(False):
            return self._answer(self._run(encoding).hidden)

    def save(self, folder: str | PathLike[str]) -> None:
        """Write the model as a Hugging Face layout folder that `bortlab.load_from` and transformers read."""
        from bortlab import checkpoint

        config = replace(self.config, extra={**self.config.extra, HEADS_KEY: dict(self.heads)})
        checkpoint.save(Path(folder).expanduser(), self.family, config, self.network, self.tokenizer)

    def __repr__(self) -> str:
        heads = ", ".join(f"{name} {provenance}" for name, provenance in self.heads.items()) or "none"
        size = f"{self.n_parameters / 1e6:.1f} M parameters, {self.n_bytes / 1e6:.1f} MB"
        where = f"{str(self.dtype).removeprefix('torch.')} on {self.device}, {self.source}"
        return f"Model({self.key!r}, {self.family.title}, {size}, {where}; heads: {heads})"

    # -- inside ------------------------------------------------------------------------------------------------------

    def _run(self, encoding: Encoding, *, keep_layers: bool = False, grad: bool = False) -> EncoderOutput:
        """The encoder over one text, batch 1. No mask: nothing is padded."""
        ids = torch.tensor([encoding.ids], device=self.device)  # (1, seq)
        types = torch.tensor([encoding.type_ids], device=self.device) if any(encoding.type_ids) else None
        words = self.network.embed(ids, types)
        if grad:
            words.requires_grad_()
        return self.network.encode(words, types, keep_layers=keep_layers)

    def _answer(self, hidden: Tensor) -> Tensor:
        """(1, seq, hidden) -> logits (1, seq, vocab), (1, seq, 0) without a head; finite."""
        if self.network.masked_lm is not None:
            return self._finite(self.network.predict(hidden))
        return self._finite(hidden)[..., :0]

    def _finite(self, values: Tensor) -> Tensor:
        if not bool(values.isfinite().all()):
            raise NonFiniteError(
                f"{self.key} gave numbers that are not finite ({self.dtype} on {self.device}): its weights are damaged "
                f"or overflow. Load it again with dtype=torch.float32, or get the weights anew."
            )
        return values

    def _check(self, encoding: Encoding) -> None:
        """Refuse what the tables have no row for, before the network sees it: on a GPU it would end the process."""
        for what, ids, rows in (
            ("piece", encoding.ids, self.config.vocab_size),
            ("token type", encoding.type_ids, self.config.type_vocab_size),
        ):
            wrong = next((number for number in ids if not 0 <= number < rows), None)
            if wrong is not None:
                raise ValueError(
                    f"The text needs {what} {wrong}, but {self.key} has {rows:,} of them (0 to {rows - 1}): "
                    f"the text was cut by a tokenizer that does not belong to this network."
                )
        longest = self.config.max_position_embeddings
        if len(encoding) > longest:
            raise ValueError(f"{self.key} reads up to {longest} pieces, got {len(encoding)}: shorten the text.")

    def _require_masked_lm(self) -> None:
        if self.network.masked_lm is None:
            raise NoHeadError(
                f'{self.key} was loaded for task "{self.task}" and has no masked-LM head. '
                f'Load it with task="masked-lm".'
            )

    @cached_property
    def _nameless(self) -> Tensor:
        """(n,): ids that have a row in the network but no piece: padded tables, a stand-in vocabulary."""
        named = set(self.tokenizer.vocabulary.values())
        ids = [number for number in range(self.config.vocab_size) if number not in named]
        with torch.inference_mode(False):
            return torch.tensor(ids, dtype=torch.long, device=self.device)

    @property
    def _n_named(self) -> int:
        return self.config.vocab_size - len(self._nameless)

    def _candidate(self, number: int, log_probability: float) -> Candidate:
        token, text = self.tokenizer.token_of(number), self.tokenizer.piece_text(number)
        return Candidate(token, text, number, math.exp(log_probability), log_probability)


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
        fingerprint=_fingerprint(family, network, tokenizer, heads),
        n_bytes=n_bytes(network),
    )


def check_whole(name: str, value: object, low: int, high: int) -> None:
    """ValueError unless an argument is a whole number from low to high."""
    if not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"{name}: expected a whole number from {low} to {high}, got {value!r}.")


def n_bytes(network: Network) -> int:
    """Memory of a network's tensors, each counted once; needs no memory for one on the meta device."""
    return sum(tensor.nbytes for tensor in chain(network.parameters(), network.buffers()))


def _fingerprint(family: Family, network: Network, tokenizer: Tokenizer, heads: Mapping[str, str]) -> str:
    """16 letters that change when a weight, the configuration, the vocabulary or a provenance changes."""
    config = json.dumps(network.config.to_dict(), sort_keys=True, default=str)
    about = (family.name, network.task, config, tokenizer.pair_format, tokenizer.definition, sorted(heads.items()))
    digest = hashlib.sha256(repr(about).encode(errors="surrogatepass"))
    for name, tensor in network.state_dict().items():
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()[:16]


@contextmanager
def _gradients(wanted: bool) -> Iterator[None]:
    """Gradients on or off for this thread, and ordinary tensors even where the caller is in inference mode."""
    with torch.inference_mode(False), torch.set_grad_enabled(wanted):
        yield


def _visible(text: str) -> str:
    """A piece as it is, or quoted where it would be blank or break a line."""
    return text if text.strip() and text.isprintable() else repr(text)


def _no_mask(encoding: Encoding, longest: int) -> str:
    if MASK in encoding.text or MASK in (encoding.pair or ""):
        return f"The {MASK} lies beyond the {longest} pieces that this model reads. Shorten the text before it."
    return f'The text has no blank. Write {MASK} where a word is to be guessed, as in "{EXAMPLE}".'
