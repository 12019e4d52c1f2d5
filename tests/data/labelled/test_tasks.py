"""The bundled tasks: the corpus gives exactly these rows, no group stands in two splits, classes are balanced."""

from __future__ import annotations

import json
import lzma
from collections import Counter, defaultdict
from collections.abc import Sequence

import pytest

from bortlab.data.corpus import Document
from bortlab.data.labelled import SPLITS, Card, load_task, tasks
from bortlab.data.labelled.bundled.build import content, documents, rows_of
from bortlab.system.assets import TASKS

CARDS = {card.name: card for card in tasks() if card.is_bundled}


@pytest.fixture(scope="module")
def corpus_documents() -> Sequence[Document]:
    return documents()


@pytest.mark.parametrize("name", CARDS)
def test_the_corpus_gives_these_rows_and_no_group_stands_in_two_splits(
    name: str, corpus_documents: Sequence[Document]
) -> None:
    parts = rows_of(name, corpus_documents)
    assert content(parts) == lzma.decompress((TASKS / f"{name}.jsonl.xz").read_bytes()).decode()
    groups = [{row.group for row in rows} for rows in parts.values()]
    assert len(set().union(*groups)) == sum(map(len, groups)), "a group stands in two splits"


@pytest.mark.parametrize("card", CARDS.values(), ids=CARDS)
def test_a_card_says_what_the_data_hold(card: Card) -> None:
    data = load_task(card.name)
    assert dict(card.rows) == {split: len(data.splits[split]) for split in SPLITS}
    assert card.task in (data.task, data.problem_type)
    assert tuple(card.classes) == data.labels
    assert card.description and card.source and card.licence and card.group and card.is_here
    assert card.majority is not None and card.linear is not None
    texts = [example.content for example in data]
    assert len(set(texts)) == len(texts), "a text stands twice"


@pytest.mark.parametrize("name", ["kind-of", "opposite-or-alike", "word-in-context"])
def test_classes_are_balanced(name: str) -> None:
    for part in load_task(name).splits.values():
        counts = Counter(example.label for example in part)
        assert max(counts.values()) < 0.53 * len(part)


def test_a_kind_is_as_often_true_as_untrue() -> None:
    counts: defaultdict[str, Counter[object]] = defaultdict(Counter)
    for example in load_task("kind-of").train:
        counts[example.text.partition(" a kind of ")[2]][example.label] += 1
    uneven = [kind for kind, labels in counts.items() if abs(labels["true"] - labels["false"]) > 1]
    assert len(uneven) < 0.01 * len(counts)


def test_the_files_are_small() -> None:
    assert sum(path.stat().st_size for path in TASKS.glob("*.jsonl.xz")) < 1_000_000
    assert set(json.loads((TASKS / "cards.json").read_text())) == set(CARDS)
