"""The questions that one can ask a network with its tokenizer, whatever program runs the network."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from bortlab.model import answers
from bortlab.model.predictions import Blank, Candidate, FilledMask
from bortlab.models import HEADS, SPANS, Config, Family
from bortlab.system.checks import check_whole
from bortlab.text import MASK, Encoding, Tokenizer

EXAMPLE = f"Paris is the {MASK} of France."


class NoMaskError(ValueError):
    """A text without a blank to fill."""


class NoHeadError(ValueError):
    """A question to a head that the model was loaded without."""


class NonFiniteError(RuntimeError):
    """A network whose answer holds NaN or infinity."""


@dataclass(frozen=True, eq=False, repr=False)
class Questions:
    """A tokenizer and a network for a task, to be asked. Who runs the network gives `encode_ids` and `score`.

    key: what it is called. device: where its tensors go and come from.
    """

    key: str
    family: Family
    config: Config
    tokenizer: Tokenizer
    task: str
    device: torch.device

    # -- by whoever runs the network -----------------------------------------------------------------------------------

    def encode_ids(self, ids: Tensor, mask: Tensor | None = None, type_ids: Tensor | None = None) -> Tensor:
        """ids, mask (0 where a piece is padding), type ids (batch, seq) -> last hidden states (batch, seq, hidden)."""
        raise NotImplementedError

    def score(self, hidden: Tensor) -> dict[str, Tensor]:
        """Last hidden states (batch, seq, hidden) -> logits by name, as `Network.score`; of an encoder "pooled"."""
        raise NotImplementedError

    # -- tensors -------------------------------------------------------------------------------------------------------

    def outputs(self, ids: Tensor, mask: Tensor | None = None, type_ids: Tensor | None = None) -> dict[str, Tensor]:
        """Everything that the task's network gives, by name: see `TaskOutput`; "hidden" and "pooled" of an encoder.

        ids, mask and type_ids are (batch, seq), for multiple choice (batch, choices, seq). Raises ValueError for other
        shapes, for more pieces than the model reads, and for numbers that it has no vector for.
        """
        self._check_tensors(ids, mask, type_ids)
        rows = [None if part is None else part.flatten(0, -2) for part in (ids, mask, type_ids)]
        with no_gradients():
            hidden = self.encode_ids(*rows)  # type: ignore[arg-type]  # ids are never None
            scores = self.score(hidden)
        if self.task == "encoder":
            return {"hidden": hidden, **scores}
        if self.task == "multiple-choice":
            return {name: values.view(ids.shape[:-1]) for name, values in scores.items()}
        return scores

    def run(self, ids: Tensor, mask: Tensor | None = None, type_ids: Tensor | None = None) -> Tensor:
        """As `network(ids, mask, type_ids)`: masked-LM logits (batch, seq, vocab).

        Of another task its head's logits: (batch, labels); (batch, choices); (batch, seq, labels); (batch, seq, 2), the
        start and the end of an answer; of an encoder the hidden states (batch, seq, hidden). See `outputs`.
        """
        values = self.outputs(ids, mask, type_ids)
        if self.task == "question-answering":
            return torch.stack([values[name] for name in SPANS], dim=-1)
        return next(iter(values.values()))

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

    def scores(self, encoding: Encoding, task: str | None = None) -> dict[str, Tensor]:
        """The logits of the heads of the model's task for an encoding, batch 1, by name (see `TaskOutput`).

        Raises NoHeadError for a model that was loaded for another task than the one named.
        """
        if task is not None:
            self._require(task)
        self._check(encoding)
        with no_gradients():
            logits = self.score(self._hidden(encoding))
            return {name: self.check_finite(values) for name, values in logits.items() if name in (*HEADS, *SPANS)}

    # -- answers -------------------------------------------------------------------------------------------------------

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
        with no_gradients():
            hidden = self._hidden(encoding)[:, list(encoding.mask_positions)]  # (1, blanks, hidden)
            ranked = self.candidates(self.check_finite(self.score(hidden)["masked-lm"][0]), top_k)
        blanks = (
            Blank(position, *encoding.offsets[position], best)
            for position, best in zip(encoding.mask_positions, ranked, strict=True)
        )
        return FilledMask(encoding, tuple(blanks))

    def candidates(self, logits: Tensor, top_k: int) -> tuple[tuple[Candidate, ...], ...]:
        """For each row of masked-LM logits (rows, vocab) the `top_k` most probable pieces, as `fill_mask` has them."""
        scores = logits.to(torch.promote_types(logits.dtype, torch.float32)).log_softmax(-1)
        n_named = self.config.vocab_size - len(self.nameless)
        best = scores.index_fill(-1, self.nameless, -torch.inf).topk(min(top_k, n_named))
        rows = zip(best.indices.tolist(), best.values.tolist(), strict=True)
        return tuple(tuple(map(self._candidate, ids, logs)) for ids, logs in rows)

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

    def embed(self, text: str, pair: str | None = None) -> Tensor:
        """A text as one vector (hidden,): the mean of the last hidden states over its own pieces, whatever the task."""
        encoding = self.encode(text, pair)
        own = [place for place, special in enumerate(encoding.special) if not special]
        with no_gradients():
            return self.check_finite(self._hidden(encoding)[0, own or slice(None)].mean(0))

    @cached_property
    def nameless(self) -> Tensor:
        """(n,): ids that have a row in the network but no piece: padded tables, a stand-in vocabulary."""
        named = set(self.tokenizer.vocabulary.values())
        ids = [number for number in range(self.config.vocab_size) if number not in named]
        with torch.inference_mode(False):
            return torch.tensor(ids, dtype=torch.long, device=self.device)

    # -- inside --------------------------------------------------------------------------------------------------------

    def _hidden(self, encoding: Encoding) -> Tensor:
        """Last hidden states (1, seq, hidden) of one text. No mask: nothing is padded."""
        ids, type_ids = self.inputs(encoding)
        return self.encode_ids(ids, None, type_ids)

    def _span_scores(self, encoding: Encoding) -> Tensor:
        """(start and end, seq): logits of the question-answering head."""
        scores = self.scores(encoding, "question-answering")
        return torch.stack([scores[name][0] for name in SPANS])

    def check_finite(self, values: Tensor) -> Tensor:
        """What the network gave, as it is; NonFiniteError if a number of it is not finite."""
        if not bool(values.isfinite().all()):
            raise NonFiniteError(
                f"{self.key} gave numbers that are not finite ({values.dtype} on {self.device}): its weights are "
                f"damaged or overflow. Load it again with dtype=torch.float32, or get the weights anew."
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

    def _check_tensors(self, ids: Tensor, mask: Tensor | None, type_ids: Tensor | None) -> None:
        """The same of tensors, and that they belong together."""
        axes = "(batch, choices, seq)" if self.task == "multiple-choice" else "(batch, seq)"
        if ids.ndim != axes.count(",") + 1 or not ids.numel():
            raise ValueError(f"ids: expected {axes}, none of them 0, got a tensor of shape {tuple(ids.shape)}.")
        for name, part in (("mask", mask), ("type_ids", type_ids)):
            if part is not None and part.shape != ids.shape:
                raise ValueError(f"{name}: expected the shape of ids, {tuple(ids.shape)}, got {tuple(part.shape)}.")
        if ids.shape[-1] > self.config.max_position_embeddings:
            raise ValueError(
                f"{self.key} reads up to {self.config.max_position_embeddings} pieces, got {ids.shape[-1]}: "
                f"shorten the text."
            )
        for name, part, rows in (
            ("ids", ids, self.config.vocab_size),
            ("type_ids", type_ids, self.config.type_vocab_size),
        ):
            if part is not None and not 0 <= int(part.min()) <= int(part.max()) < rows:
                raise ValueError(f"{name}: expected 0 to {rows - 1:,}, got {int(part.min()):,} to {int(part.max()):,}.")

    def _require(self, head: str) -> None:
        if head not in self.family.network.tasks[self.task]:
            name = "masked-LM" if head == "masked-lm" else head
            raise NoHeadError(
                f'{self.key} was loaded for task "{self.task}" and has no {name} head. Load it with task="{head}".'
            )

    def _candidate(self, number: int, log_probability: float) -> Candidate:
        token, text = self.tokenizer.token_of(number), self.tokenizer.piece_text(number)
        return Candidate(token, text, number, math.exp(log_probability), log_probability)


@contextmanager
def no_gradients() -> Iterator[None]:
    """No gradients in this thread, and ordinary tensors even where the caller is in inference mode."""
    with torch.inference_mode(False), torch.no_grad():
        yield


def _no_mask(encoding: Encoding, longest: int) -> str:
    if MASK in encoding.text or MASK in (encoding.pair or ""):
        return f"The {MASK} lies beyond the {longest} pieces that this model reads. Shorten the text before it."
    return f'The text has no blank. Write {MASK} where a word is to be guessed, as in "{EXAMPLE}".'
