"""What the heads of tasks answer: labels of a text, labels of its words, passages that answer, the best choice.

Pure functions of encodings and of the heads' scores for them; `Model.classify`, `tag`, `answer` and `choose` run the
network and call them. Each text runs alone, so nothing is padded: in ConvBERT padding would change the result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from bortlab.models import Config
from bortlab.system.checks import check_whole
from bortlab.system.numbers import percent
from bortlab.text import Encoding, word_spans

MAX_CHOICES = 100
MAX_WINDOWS = 200
"""Windows that a context is read in at most; a longer one is refused."""
_PIECE_LENGTH = 20
"""Characters that a piece has on average at most, in any text that is worth reading."""


@dataclass(frozen=True, slots=True)
class Label:
    """One label of a text. score: the head's own number; probability: None where the head predicts a number."""

    label: str
    id: int
    score: float
    probability: float | None


@dataclass(frozen=True, slots=True)
class Classified:
    """A text and what its labels are, best first; of a regression, the predicted numbers in their own order."""

    encoding: Encoding
    labels: tuple[Label, ...]

    def __str__(self) -> str:
        return _table((label.label, label.probability, label.score) for label in self.labels)


def classified(encoding: Encoding, scores: Tensor, config: Config) -> Classified:
    """The labels of a text, or of a pair of texts, by the scores (labels,) of its sequence-classification head.

    Probabilities of several labels that may hold at once (problem_type "multi_label_classification") do not sum to 1.
    """
    scores, names = _precise(scores), config.labels
    probabilities: list[float | None]
    if config.regresses:
        probabilities = [None] * len(names)
    elif config.problem_type == "multi_label_classification":
        probabilities = scores.sigmoid().tolist()
    else:
        probabilities = scores.softmax(-1).tolist()
    labels = tuple(map(Label, names, range(len(names)), scores.tolist(), probabilities))
    if config.regresses:
        return Classified(encoding, labels)
    return Classified(encoding, tuple(sorted(labels, key=lambda label: -label.score)))


@dataclass(frozen=True, slots=True)
class Tag:
    """One word of a text, its characters start to end, and its label."""

    text: str
    start: int
    end: int
    label: str
    id: int
    probability: float


@dataclass(frozen=True, slots=True)
class Tagged:
    """A text and the tags of its words and marks, in its order. Words that were cut off (`truncated`) have none."""

    encoding: Encoding
    tags: tuple[Tag, ...]

    def __str__(self) -> str:
        return _table((f"{tag.text}  {tag.label}", tag.probability, 0.0) for tag in self.tags)


def tagged(encoding: Encoding, scores: Tensor, config: Config) -> Tagged:
    """A label for each word and mark of a text, by the scores (seq, labels) of its token-classification head.

    It is the label of the word's first piece, as taggers are trained to give.
    """
    best = _precise(scores).softmax(-1).max(-1)
    first_pieces = {word: piece for piece, word in reversed(list(enumerate(encoding.words))) if word is not None}
    spans = word_spans(encoding.text)
    tags = (
        Tag(
            text=encoding.text[slice(*spans[word])],
            start=spans[word][0],
            end=spans[word][1],
            label=config.labels[int(best.indices[piece])],
            id=int(best.indices[piece]),
            probability=float(best.values[piece]),
        )
        for word, piece in sorted(first_pieces.items())
    )
    return Tagged(encoding, tuple(tags))


@dataclass(frozen=True, slots=True)
class Passage:
    """A passage of a context, in whole words: its characters start to end, and how probable it is as the answer."""

    text: str
    start: int
    end: int
    probability: float


@dataclass(frozen=True, slots=True)
class Answered:
    """A question, its context, and the passages that answer it, best first.

    no_answer: how probable it is that the context has none, where the model learned to say so. windows: how many
    overlapping parts a context was read in that is longer than the model reads at once.
    """

    question: str
    context: str
    passages: tuple[Passage, ...]
    no_answer: float
    windows: int

    def __str__(self) -> str:
        return _table((passage.text, passage.probability, 0.0) for passage in self.passages)


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """A part of a context that a model reads at once, with the question before it.

    offset: the part's first character in the context. scores: (start and end, seq), of a question-answering head.
    """

    offset: int
    encoding: Encoding
    scores: Tensor


def answered(
    question: str, context: str, windows: Iterable[Window], *, top_k: int = 3, max_pieces: int = 30
) -> Answered:
    """The passages of a context that answer a question, up to `max_pieces` long.

    A passage is as probable as its first piece as a start times its last as an end, among the context's pieces and
    "no answer" (the first position). Of pieces within the same words, and of windows, the most probable ones count.
    """
    best: dict[tuple[int, int], float] = {}  # characters of the context -> probability
    no_answer, n_windows = 1.0, 0
    for window in windows:
        n_windows += 1
        probabilities = _of_context(window)
        no_answer = min(no_answer, float(probabilities[:, 0].prod()))
        for span, probability in _best_spans(window, context, probabilities, top_k, max_pieces).items():
            best[span] = max(probability, best.get(span, 0.0))
    ranked = sorted(best.items(), key=lambda item: -item[1])[:top_k]
    passages = (Passage(context[start:end], start, end, probability) for (start, end), probability in ranked)
    return Answered(question, context, tuple(passages), no_answer, n_windows)


def check_answer_limits(top_k: int, max_pieces: int) -> None:
    """ValueError for limits of `answered` that make no sense."""
    check_whole("top_k", top_k, 1, 1000)
    check_whole("max_pieces", max_pieces, 1, 4096)


def _of_context(window: Window) -> Tensor:
    """(start and end, seq): probabilities of the context's pieces and of the first position, "no answer"."""
    open_to = torch.tensor([part == 1 for part in window.encoding.parts], device=window.scores.device)
    open_to[0] = True
    return _precise(window.scores.masked_fill(~open_to, -torch.inf)).softmax(-1)


def _best_spans(
    window: Window, context: str, probabilities: Tensor, top_k: int, max_pieces: int
) -> dict[tuple[int, int], float]:
    """The most probable passages of a window: their characters in the context, and their probabilities."""
    pairs = probabilities[0, :, None] * probabilities[1, None, :]  # (start, end)
    pairs[0] = 0
    pairs = pairs.triu().tril(max_pieces - 1)
    words = _word_spans(window.encoding)
    spans: dict[tuple[int, int], float] = {}
    ranked, places = pairs.flatten().sort(descending=True)
    for place, probability in zip(places.tolist(), ranked.tolist(), strict=True):
        first, last = divmod(place, len(window.encoding))
        if len(spans) == top_k or probability == 0:
            break
        start, end = words[first][0] + window.offset, words[last][1] + window.offset
        passage = context[start:end].lstrip()  # a piece may be a space alone
        if passage:
            spans.setdefault((end - len(passage), end - len(passage) + len(passage.rstrip())), probability)
    return spans


def windows(
    encode: Callable[[str, str], Encoding], question: str, context: str, *, longest: int
) -> Iterator[tuple[int, Encoding]]:
    """(first character, encoding) of the parts of a context that a model reads, each from the middle of the last.

    encode: the model's, of a question and a part of the context. longest: pieces that the model reads at once.
    """
    if not context.strip():
        raise ValueError("The context is empty: write a text that the answer is to be found in.")
    offset = 0
    for _ in range(MAX_WINDOWS):
        part = context[offset : offset + _PIECE_LENGTH * longest]  # the rest need not be cut into pieces each time
        encoding = encode(question, part)
        pieces = [piece for piece, side in enumerate(encoding.parts) if side == 1]
        if encoding.truncated_at is not None:
            raise ValueError(f"The question is too long for the {longest} pieces that the model reads: shorten it.")
        yield offset, encoding
        if encoding.pair_truncated_at is None and offset + len(part) == len(context):
            return
        offset += _middle(encoding, pieces) or encoding.pair_truncated_at or len(part)
    raise ValueError(
        f"The context is too long: a model of {longest} pieces would read it in over {MAX_WINDOWS} parts. Shorten it."
    )


def _middle(encoding: Encoding, pieces: Sequence[int]) -> int:
    """Character of the context where the word of its middle piece begins, with the space before it; or 0."""
    text = encoding.pair or ""
    middle = encoding.offsets[pieces[len(pieces) // 2]][0] if pieces else 0
    start = max((start for start, _ in word_spans(text) if start <= middle), default=0) or middle
    return start - 1 if start > 1 and text[start - 1].isspace() else start


def _word_spans(encoding: Encoding) -> list[tuple[int, int]]:
    """For each piece of the context the characters of its word, or its own where it has no word."""
    spans, before = word_spans(encoding.pair or ""), len(word_spans(encoding.text))
    return [
        spans[word - before] if word is not None and side == 1 else own
        for word, side, own in zip(encoding.words, encoding.parts, encoding.offsets, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class RankedChoice:
    """One choice: its place in what was asked, how probable it is, and how many of its pieces were left out."""

    text: str
    index: int
    score: float
    probability: float
    truncated: int


@dataclass(frozen=True, slots=True)
class Chosen:
    """A prompt and the choices that were given for it, best first."""

    prompt: str
    choices: tuple[RankedChoice, ...]

    def __str__(self) -> str:
        return _table((choice.text, choice.probability, choice.score) for choice in self.choices)


def chosen(prompt: str, choices: Sequence[str], encodings: Sequence[Encoding], scores: Tensor) -> Chosen:
    """Choices ranked by their scores (choices,), which a multiple-choice head gave each as the prompt's pair."""
    scores = _precise(scores)
    probabilities, truncated = scores.softmax(-1).tolist(), [encoding.truncated for encoding in encodings]
    ranked = map(RankedChoice, choices, range(len(choices)), scores.tolist(), probabilities, truncated)
    return Chosen(prompt, tuple(sorted(ranked, key=lambda choice: -choice.score)))


def check_choices(choices: Sequence[str]) -> None:
    """ValueError for what is no list of a few texts."""
    if isinstance(choices, str) or not 2 <= len(choices) <= MAX_CHOICES:
        raise ValueError(f"choices: expected a list of 2 to {MAX_CHOICES} texts, got {choices!r:.60}.")


def _precise(scores: Tensor) -> Tensor:
    """Probabilities are computed in float32 at least."""
    return scores.to(torch.promote_types(scores.dtype, torch.float32))


def _table(rows: Iterable[tuple[str, float | None, float]]) -> str:
    """Lines of a text and its probability, or its score where there is no probability."""
    lines = [(text, f"{score:7.3f}" if share is None else percent(share)) for text, share, score in rows]
    width = max((len(text) for text, _ in lines), default=0)
    return "\n".join(f"  {text:<{width}}  {number}" for text, number in lines)
