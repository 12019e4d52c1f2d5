"""Labelled examples and their splits: what every reader gives and what fine-tuning takes.

The task is named as for the networks (`bortlab.models.TASKS`), and the kind of label of a whole text as its
`problem_type`, so that nothing has to be translated between data and heads.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import cast

LabelOf = str | float | int | tuple[str, ...] | tuple[tuple[int, str], ...]
"""An example's label. sequence-classification: a class, a tuple of classes (multi-label), or a number (regression).
token-classification: a label for each word. multiple-choice: the place of the right choice. question-answering: the
acceptable answers as (first character in the context, text); none where the context has no answer."""

SPLITS = ("train", "dev", "test")
"""To learn from; to choose by (when to stop, which rate); to measure with, once."""


@dataclass(frozen=True, slots=True)
class Example:
    """One labelled example.

    text: the text; the question or the prompt where there is one. pair: a second text, or the context of a question.
    words: the words that labels belong to (token-classification), whose text is these joined by spaces. choices: of a
    multiple-choice prompt. row: where it stands in its source, from 1, so that errors can name it.
    """

    text: str
    label: LabelOf
    pair: str | None = None
    words: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    row: int = 0

    @property
    def answers(self) -> tuple[tuple[int, str], ...]:
        """Of question-answering: the acceptable answers, each (first character in the context, text)."""
        return cast(tuple[tuple[int, str], ...], self.label)

    @property
    def content(self) -> tuple[str, ...]:
        """All that a model reads of it: two examples with equal content are duplicates."""
        return (self.text, self.pair or "", *self.choices)


@dataclass(frozen=True, slots=True)
class LabelledData:
    """Examples of one task, split.

    task: "sequence-classification", "token-classification", "multiple-choice" or "question-answering".
    problem_type: of sequence-classification, as in transformers ("single_label_classification",
    "multi_label_classification", "regression"); None for the other tasks.
    labels: the classes, in the order of their numbers; empty where there are none (regression, choices, answers).
    source and licence: where the examples are from, in a sentence each. notes: what reading them took (the encoding,
    what the labels were taken for), in a sentence each.
    """

    name: str
    task: str
    problem_type: str | None
    labels: tuple[str, ...]
    train: tuple[Example, ...]
    dev: tuple[Example, ...]
    test: tuple[Example, ...]
    source: str = ""
    licence: str = ""
    notes: tuple[str, ...] = ()

    @property
    def splits(self) -> Mapping[str, tuple[Example, ...]]:
        """The examples of each of SPLITS."""
        return {"train": self.train, "dev": self.dev, "test": self.test}

    @property
    def title(self) -> str:
        """Its name for people."""
        return self.name.replace("-", " ").replace("_", " ")

    def __iter__(self) -> Iterator[Example]:
        """All examples, split after split."""
        return (example for split in SPLITS for example in self.splits[split])

    def __len__(self) -> int:
        return sum(map(len, self.splits.values()))

    def counts(self, split: str = "train") -> Counter[str]:
        """How often each class stands in a split, in the order of `labels`; of words where words have labels."""
        counts: Counter[str] = Counter(dict.fromkeys(self.labels, 0))
        for example in self.splits[split]:
            if isinstance(example.label, str):
                counts[example.label] += 1
            elif isinstance(example.label, tuple):
                counts.update(label for label in example.label if isinstance(label, str))
        return counts
