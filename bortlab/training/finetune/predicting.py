"""What a network says of labelled examples, as the model that is made of it would."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from bortlab.analysis.evaluation import Predictions
from bortlab.data.labelled import Example, LabelledData, LabelOf
from bortlab.model.answers import Window, answered
from bortlab.models import Network
from bortlab.text import Tokenizer
from bortlab.training.finetune.items import Item, collate, first_pieces, items_of, unpadded_batches

BATCH = 32
ITEMS_BETWEEN = 512
"""Items between two calls of `tick`."""


def predict(
    network: Network,
    tokenizer: Tokenizer,
    data: LabelledData,
    examples: Sequence[Example],
    *,
    length: int,
    tick: Callable[[], None] = lambda: None,
) -> Predictions:
    """A label for each example, by the network in eval mode, without padding. tick: called now and then."""
    was_training = network.training
    network.eval()
    try:
        items = items_of(data, examples, tokenizer, length=length)
        scored = _scored(network, tokenizer, items, tick)
        return _MAKERS[data.task](data, examples, items, scored)
    finally:
        network.train(was_training)


Scores = list[dict[str, Tensor]]
"""For each item the logits of its heads, by name, without the batch's axis."""


def _scored(network: Network, tokenizer: Tokenizer, items: Sequence[Item], tick: Callable[[], None]) -> Scores:
    device = network.embeddings.words.weight.device
    scores: Scores = [{} for _ in items]
    with torch.inference_mode():
        for number, places in enumerate(unpadded_batches(items, BATCH)):
            batch = collate([items[place] for place in places], tokenizer, device)
            logits = network.solve(batch.ids, None, batch.type_ids).logits
            for name, rows in logits.items():
                for place, row in zip(places, rows.double().cpu(), strict=True):
                    scores[place][name] = row
            if number % (ITEMS_BETWEEN // BATCH) == 0:
                tick()
    return scores


def _text_labels(data: LabelledData, examples: Sequence[Example], items: Sequence[Item], scores: Scores) -> Predictions:
    logits = torch.stack([row["sequence-classification"] for row in scores])  # (examples, classes)
    labels: Iterator[LabelOf]
    if data.problem_type == "regression":
        return Predictions(tuple(logits[:, 0].tolist()))
    if data.problem_type == "multi_label_classification":
        probabilities = logits.sigmoid()
        rows = (probabilities > 0.5).tolist()
        labels = (tuple(name for name, holds in zip(data.labels, row, strict=True) if holds) for row in rows)
    else:
        probabilities = logits.softmax(-1)
        labels = (data.labels[number] for number in logits.argmax(-1).tolist())
    return Predictions(tuple(labels), probabilities.numpy())


def _word_labels(data: LabelledData, examples: Sequence[Example], items: Sequence[Item], scores: Scores) -> Predictions:
    """The label of a word's first piece. A word that was not read gets the commonest label of the training data."""
    common = max(data.labels, key=data.counts().__getitem__)
    labels = []
    for item, row in zip(items, scores, strict=True):
        best = row["token-classification"].argmax(-1).tolist()
        pieces = first_pieces(examples[item.example], item.encodings[0])
        labels.append(tuple(common if piece is None else data.labels[best[piece]] for piece in pieces))
    return Predictions(tuple(labels))


def _choices(data: LabelledData, examples: Sequence[Example], items: Sequence[Item], scores: Scores) -> Predictions:
    return Predictions(tuple(int(row["multiple-choice"].argmax()) for row in scores))


def _answers(data: LabelledData, examples: Sequence[Example], items: Sequence[Item], scores: Scores) -> Predictions:
    """The most probable passage over all windows of a context, or none where "no answer" is more probable."""
    windows: list[list[Window]] = [[] for _ in examples]
    for item, row in zip(items, scores, strict=True):
        both = torch.stack([row["start"], row["end"]])
        windows[item.example].append(Window(item.offset, item.encodings[0], both))
    labels: list[tuple[tuple[int, str], ...]] = []
    for example, parts in zip(examples, windows, strict=True):
        answer = answered(example.text, example.pair or "", parts, top_k=1)
        best = answer.passages[0] if answer.passages else None
        sure = best is not None and best.probability > answer.no_answer
        labels.append(((best.start, best.text),) if best is not None and sure else ())
    return Predictions(tuple(labels))


_MAKERS = {
    "sequence-classification": _text_labels,
    "token-classification": _word_labels,
    "multiple-choice": _choices,
    "question-answering": _answers,
}


def class_weights(data: LabelledData) -> Tensor | None:
    """(classes,): the inverse of each class's frequency in train, 1 on average over the examples; None for numbers."""
    counts = np.array(list(data.counts().values()), dtype=float)
    if not len(counts):
        return None
    return torch.from_numpy(counts.sum() / (len(counts) * np.maximum(counts, 1))).float()
