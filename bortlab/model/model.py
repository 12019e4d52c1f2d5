"""A loaded model: a frozen network with its tokenizer, and the questions one can ask it.

Nothing here changes the network, so any number of threads may share one `Model`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from os import PathLike
from pathlib import Path
from types import MappingProxyType

import torch
from torch import Tensor

from bortlab import checkpoint
from bortlab.model import answers
from bortlab.model.adaptation import Adaptation
from bortlab.model.fingerprint import fingerprint_of
from bortlab.model.predictions import Blank, Candidate, FilledMask
from bortlab.model.trace import Trace
from bortlab.models import SPANS, Config, Family, Network
from bortlab.nn.records import EncoderOutput
from bortlab.system.checks import check_whole
from bortlab.text import MASK, Encoding, Tokenizer

PROVENANCES = ("trained", "adapted", "random")
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


@dataclass(frozen=True, eq=False, repr=False)
class Model:
    """A network in eval mode with its tokenizer; made by `bortlab.load`, or by `assemble` from a network of your own.

    heads: where each head comes from: "trained" | "adapted" | "random". source: "bundled" | "hub" | "folder" |
    "adapted" | "random weights". fingerprint: the same for the same weights, configuration, vocabulary and hub
    revision, to key caches with. n_bytes: memory of the weights.
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

    @property
    def adaptation(self) -> Adaptation | None:
        """How this model was made of another one by training it further; None for one as it was published."""
        return Adaptation.read(self.config.extra)

    def encode(self, text: str, pair: str | None = None) -> Encoding:
        """Cut a text (or a pair) into the model's pieces.

        What lies beyond the model's positions is left out; `truncated` says how much. A piece that the network has no
        vector for is a ValueError.
        """
        encoding = self.tokenizer.encode(text, pair, max_length=self.config.max_position_embeddings)
        self._check(encoding)
        return encoding

    def inputs(self, *encodings: Encoding) -> tuple[Tensor, Tensor]:
        """ids and type ids of one encoding, or of several of one length: (batch, seq) each, on the model's device.

        Nothing is padded: in ConvBERT padding would change the result.
        """
        if len({len(encoding) for encoding in encodings}) != 1:
            lengths = ", ".join(str(len(encoding)) for encoding in encodings) or "none"
            raise ValueError(f"Expected encodings of one length, got {lengths}: run texts of other lengths apart.")
        ids = torch.tensor([encoding.ids for encoding in encodings], device=self.device)
        return ids, torch.tensor([encoding.type_ids for encoding in encodings], device=self.device)

    def fill_mask(self, text: str, pair: str | None = None, *, top_k: int = 5) -> FilledMask:
        """The `top_k` most probable pieces for each `[MASK]` of the text.

        Probabilities are over the whole vocabulary of the network; ids that no piece stands for are never candidates.
        Raises NoMaskError for a text without mask, NoHeadError for a model loaded without masked-LM head.
        """
        self._require("masked-lm")
        check_whole("top_k", top_k, 1, self.config.vocab_size)
        encoding = self.encode(text, pair)
        if not encoding.mask_positions:
            raise NoMaskError(_no_mask(encoding, self.config.max_position_embeddings))
        with torch.inference_mode():
            hidden = self._run(encoding).hidden[0, list(encoding.mask_positions)]  # (blanks, hidden)
            ranked = self.candidates(self._finite(self.network.predict(hidden)), top_k)
        blanks = (
            Blank(position, *encoding.offsets[position], best)
            for position, best in zip(encoding.mask_positions, ranked, strict=True)
        )
        return FilledMask(encoding, tuple(blanks))

    def candidates(self, logits: Tensor, top_k: int) -> tuple[tuple[Candidate, ...], ...]:
        """For each row of masked-LM logits (rows, vocab) the `top_k` most probable pieces, as `fill_mask` has them."""
        scores = logits.to(torch.promote_types(logits.dtype, torch.float32)).log_softmax(-1)
        best = scores.index_fill(-1, self.nameless, -torch.inf).topk(min(top_k, self._n_named))
        rows = zip(best.indices.tolist(), best.values.tolist(), strict=True)
        return tuple(tuple(map(self._candidate, ids, logs)) for ids, logs in rows)

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
        with _gradients(False):
            return self._answer(self._run(encoding).hidden)

    def scores(self, encoding: Encoding, task: str | None = None) -> dict[str, Tensor]:
        """The logits of the heads of the model's task for an encoding, batch 1, by name (see `TaskOutput`).

        Raises NoHeadError for a model that was loaded for another task than the one named.
        """
        if task is not None:
            self._require(task)
        self._check(encoding)
        with _gradients(False):
            logits = self.network.score(self._run(encoding).hidden)
            return {name: self._finite(values) for name, values in logits.items()}

    def classify(self, text: str, pair: str | None = None) -> answers.Classified:
        """The labels of a text or a pair, with probabilities, best first; for task "sequence-classification"."""
        encoding = self.encode(text, pair)
        scores = self.scores(encoding, "sequence-classification")["sequence-classification"]  # (1, labels)
        return answers.classified(encoding, scores[0], self.config)

    def tag(self, text: str) -> answers.Tagged:
        """A label and its probability for each word of a text; for task "token-classification"."""
        encoding = self.encode(text)
        scores = self.scores(encoding, "token-classification")["token-classification"]  # (1, seq, labels)
        return answers.tagged(encoding, scores[0], self.config)

    def answer(self, question: str, context: str, *, top_k: int = 3, max_pieces: int = 30) -> answers.Answered:
        """The passages of a context that answer a question, best first; for task "question-answering".

        A context of any length is read in overlapping windows. max_pieces: how long a passage may be.
        """
        answers.check_answer_limits(top_k, max_pieces)
        parts = answers.windows(self.encode, question, context, longest=self.config.max_position_embeddings)
        read = (answers.Window(offset, encoding, self._span_scores(encoding)) for offset, encoding in parts)
        return answers.answered(question, context, read, top_k=top_k, max_pieces=max_pieces)

    def choose(self, prompt: str, choices: Sequence[str]) -> answers.Chosen:
        """Which of several texts goes best with a prompt: each is read as its pair; for task "multiple-choice"."""
        answers.check_choices(choices)
        encodings = [self.encode(prompt, choice) for choice in choices]
        scores = [self.scores(encoding, "multiple-choice")["multiple-choice"][0] for encoding in encodings]
        return answers.chosen(prompt, choices, encodings, torch.cat(scores))

    def save(self, folder: str | PathLike[str]) -> None:
        """Write the model as a Hugging Face layout folder that `bortlab.load_from` and transformers read."""
        config = replace(self.config, extra={**self.config.extra, HEADS_KEY: dict(self.heads)})
        checkpoint.save(Path(folder).expanduser(), self.family, config, self.network, self.tokenizer)

    @cached_property
    def nameless(self) -> Tensor:
        """(n,): ids that have a row in the network but no piece: padded tables, a stand-in vocabulary."""
        named = set(self.tokenizer.vocabulary.values())
        ids = [number for number in range(self.config.vocab_size) if number not in named]
        with torch.inference_mode(False):
            return torch.tensor(ids, dtype=torch.long, device=self.device)

    def __repr__(self) -> str:
        heads = ", ".join(f"{name} {provenance}" for name, provenance in self.heads.items()) or "none"
        size = f"{self.n_parameters / 1e6:.1f} M parameters, {self.n_bytes / 1e6:.1f} MB"
        where = f"{str(self.dtype).removeprefix('torch.')} on {self.device}, {self.source}"
        return f"Model({self.key!r}, {self.family.title}, {size}, {where}; heads: {heads})"

    # -- inside ------------------------------------------------------------------------------------------------------

    def _run(self, encoding: Encoding, *, keep_layers: bool = False, grad: bool = False) -> EncoderOutput:
        """The encoder over one text, batch 1. No mask: nothing is padded."""
        ids, type_ids = self.inputs(encoding)
        words = self.network.embed(ids, type_ids)
        if grad:
            words.requires_grad_()
        return self.network.encode(words, type_ids, keep_layers=keep_layers)

    def _span_scores(self, encoding: Encoding) -> Tensor:
        """(start and end, seq): logits of the question-answering head."""
        scores = self.scores(encoding, "question-answering")
        return torch.stack([scores[name][0] for name in SPANS])

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

    def _require(self, head: str) -> None:
        if head not in self.network.tasks[self.task]:
            name = "masked-LM" if head == "masked-lm" else head
            raise NoHeadError(
                f'{self.key} was loaded for task "{self.task}" and has no {name} head. Load it with task="{head}".'
            )

    @property
    def _n_named(self) -> int:
        return self.config.vocab_size - len(self.nameless)

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
        fingerprint=fingerprint_of(family, network, tokenizer, heads),
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


def _no_mask(encoding: Encoding, longest: int) -> str:
    if MASK in encoding.text or MASK in (encoding.pair or ""):
        return f"The {MASK} lies beyond the {longest} pieces that this model reads. Shorten the text before it."
    return f'The text has no blank. Write {MASK} where a word is to be guessed, as in "{EXAMPLE}".'
