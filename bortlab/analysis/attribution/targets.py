"""What is attributed: one number of a model's answer, as a pure function of its last hidden states."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import torch
from torch import Tensor

from bortlab.model import Model, NoMaskError
from bortlab.models import SPANS, Network
from bortlab.text import MASK, Encoding, word_spans

Scale = Literal["logit", "log-probability", "probability"]
SCALES: tuple[Scale, ...] = get_args(Scale)
ORDERS = ("in order", "not in order")
"""The labels of a sentence-order head."""
MOST_NAMES = 20
"""Most labels that an error lists."""


@dataclass(frozen=True, slots=True)
class Target:
    """One option of a head's scores: a piece at a mask, a label (of a token), where an answer starts or ends.

    head: "masked-lm", "sequence-classification", "sentence-order", "token-classification", "start" or "end".
    option: id of the piece, number of the label, or position of the answer's start or end. position: of the piece that
    it belongs to, None for the text as a whole. against: another option; the target is then how much higher the first
    is than the second, on the scale. several: a text may have several labels, each with a probability of its own.
    """

    head: str
    option: int
    position: int | None = None
    against: int | None = None
    scale: Scale = "logit"
    several: bool = False

    def __post_init__(self) -> None:
        if self.scale not in SCALES:
            raise ValueError(f"scale: expected {', '.join(SCALES)}, got {self.scale!r}.")

    def of(self, network: Network, hidden: Tensor) -> Tensor:
        """Last hidden states (batch, seq, hidden) -> (batch,). Logits are made for one position alone."""
        scores = self.scaled(self.logits(network, hidden))
        score = scores[:, self.option]
        return score if self.against is None else score - scores[:, self.against]

    def logits(self, network: Network, hidden: Tensor) -> Tensor:
        """Last hidden states (batch, seq, hidden) -> the options' logits (batch, options)."""
        if self.head == "masked-lm":
            return network.predict(hidden[:, self.position])
        logits = network.score(hidden)[self.head]
        return logits if logits.ndim == 2 else logits[:, self.position]

    def scaled(self, logits: Tensor) -> Tensor:
        """Logits (batch, options) on the target's scale, in float32 or finer."""
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        if self.scale == "logit":
            return logits
        if self.several:
            return logits.sigmoid() if self.scale == "probability" else torch.nn.functional.logsigmoid(logits)
        return logits.softmax(-1) if self.scale == "probability" else logits.log_softmax(-1)

    @property
    def reads(self) -> int:
        """The position whose last state the head reads; the first where it reads a text as a whole."""
        if self.head in SPANS:
            return self.option
        return self.position or 0

    def describe(self, model: Model, encoding: Encoding | None = None) -> str:
        """The target in words, such as: log-probability of "capital". encoding: of the text, to name its words too."""
        if self.head in SPANS and encoding is not None:
            return f'{self.scale} of {self.head} at "{_word_at(encoding, self.option)}"'
        answer = f'"{self._name_of(model, self.option)}"'
        if self.against is not None:
            answer += f' against "{self._name_of(model, self.against)}"'
        if self.head == "token-classification" and encoding is not None and self.position is not None:
            answer += f' at "{_word_at(encoding, self.position)}"'
        return f"{self.scale} of {answer}"

    def _name_of(self, model: Model, option: int) -> str:
        if self.head == "masked-lm":
            return model.tokenizer.piece_text(option).strip() or model.tokenizer.token_of(option)
        if self.head in SPANS:
            return f"{self.head} at piece {option + 1}"
        if self.head == "sentence-order":
            return ORDERS[option]
        return model.config.labels[option]


@dataclass(frozen=True, slots=True)
class WholeText:
    """The pseudo-log-likelihood of a text: each piece masked in turn, the sum of their log-probabilities.

    Source: Salazar et al. 2020, "Masked Language Model Scoring", section 2 (arXiv 1910.14659).
    """

    def describe(self, model: Model, encoding: Encoding | None = None) -> str:
        """The target in words."""
        return "pseudo-log-likelihood of the text"


def token(
    model: Model,
    encoding: Encoding,
    word: str | None = None,
    *,
    against: str | None = None,
    blank: int = 0,
    scale: Scale = "logit",
) -> Target:
    """A word in the blank-th [MASK] of a text, None: the model's own first guess; against: another word.

    ValueError for a word that is not a single piece of the model's vocabulary.
    """
    if not 0 <= blank < len(encoding.mask_positions):
        raise NoMaskError(
            f"There is no blank number {blank + 1}: {model.key} sees {len(encoding.mask_positions)} of them. "
            f"Write {MASK} in the text."
        )
    position = encoding.mask_positions[blank]
    after_space = _after_space(encoding, position)
    if word is None:
        option = model.candidates(model.logits(encoding)[0, position : position + 1], 1)[0][0].id
    else:
        option = piece_of(model, word, after_space=after_space)
    other = None if against is None else piece_of(model, against, after_space=after_space)
    if other == option:
        raise ValueError(f"A contrast needs two different words; {model.key} reads both as the same piece.")
    return Target("masked-lm", option, position, other, scale)


def piece_of(model: Model, word: str, *, after_space: bool = True) -> int:
    """The one piece that a word is for this model; ValueError if it is several, or unknown."""
    ids = model.tokenizer.encode_word(word, after_space=after_space)
    if len(ids) != 1:
        spelled = " ".join(model.tokenizer.token_of(number) for number in ids) or "nothing"
        raise ValueError(
            f"{word!r} is {len(ids)} pieces for {model.key} ({spelled}), and one blank holds one. Name another word."
        )
    if ids[0] == model.tokenizer.unk_id:
        raise ValueError(f"{word!r} is not in the vocabulary of {model.key}. Name another word.")
    return ids[0]


def label(
    model: Model,
    option: int | str | None = None,
    *,
    encoding: Encoding,
    position: int | None = None,
    against: int | str | None = None,
    scale: Scale = "logit",
) -> Target:
    """A label of the model's task, by number or by name: of a text, or of the piece at a position.

    option: None for the label of the highest score. against: another one, for a contrast. For question answering see
    `span`.
    """
    heads = [name for name in model.network.tasks[model.task] if name not in ("pooler", "masked-lm")]
    if not heads or heads[-1] in ("question-answering", "multiple-choice"):
        raise ValueError(f'{model.key} was loaded for task "{model.task}", whose head has no labels.')
    head = heads[-1]
    if (head == "token-classification") != (position is not None):
        raise ValueError(f"position: expected one for token-classification alone, got {position} for {head}.")
    of_text = head == "sequence-classification"
    if of_text and model.config.regresses and scale != "logit":
        raise ValueError(f'{model.key} predicts numbers, which have no {scale}: expected scale="logit".')
    several = model.config.problem_type == "multi_label_classification" and of_text
    names = ORDERS if head == "sentence-order" else model.config.labels
    number, other = (_number(model, names, name) if isinstance(name, str) else name for name in (option, against))
    target = _ranked(model, encoding, Target(head, 0, position, other, scale, several), number)
    if target.option == target.against:
        twice = target._name_of(model, target.option)
        raise ValueError(f"A contrast needs two different labels, and {model.key} would have {twice!r} twice.")
    return target


def _number(model: Model, names: Sequence[str], name: str) -> int:
    """The number of a label."""
    if name not in names:
        known = ", ".join(names[:MOST_NAMES]) + (", ..." if len(names) > MOST_NAMES else "")
        raise ValueError(f"{model.key} has no label {name!r}. Expected one of {known}.")
    return names.index(name)


def span(model: Model, edge: str, option: int | None = None, *, encoding: Encoding, scale: Scale = "logit") -> Target:
    """Where an answer starts or ends (edge: "start" or "end"): at a position, or at the most likely one.

    The most likely one is looked for in the second text, the passage, where there is one.
    """
    if edge not in SPANS:
        raise ValueError(f"edge: expected start or end, got {edge!r}.")
    passage = [n for n, part in enumerate(encoding.parts) if part == 1]
    return _ranked(model, encoding, Target(edge, 0, scale=scale), option, among=passage)


def _ranked(
    model: Model, encoding: Encoding, target: Target, option: int | None, *, among: Sequence[int] = ()
) -> Target:
    """The target with this option; None: with that of the highest score, among these options where any are given."""
    scores = model.scores(encoding)[target.head][0]  # (options,) or (seq, options)
    row = scores if scores.ndim == 1 else scores[target.position]
    if option is None:
        option = max(among or range(len(row)), key=row.tolist().__getitem__)
    for number in (option, target.against):
        if number is not None and not 0 <= number < len(row):
            raise ValueError(f"{target.head} has the options 0 to {len(row) - 1}, got {number}.")
    return replace(target, option=option)


def _word_at(encoding: Encoding, position: int) -> str:
    """The word that a piece belongs to, or the piece where it belongs to none."""
    word = encoding.words[position]
    texts = (encoding.text, encoding.pair or "")
    words = [text[start:end] for text in texts for start, end in word_spans(text)]
    return encoding.tokens[position] if word is None else words[word]


def _after_space(encoding: Encoding, position: int) -> bool:
    text = (encoding.pair or "") if encoding.parts[position] == 1 else encoding.text
    before = text[: encoding.offsets[position][0]]
    return not before or before[-1].isspace()
