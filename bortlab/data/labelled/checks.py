"""What to know of labelled data before anything is learned from them: a sentence, a count and the rows each."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from bortlab.data.labelled.examples import SPLITS, Example, LabelledData
from bortlab.data.labelled.labels import CHOICES, CLASSES, NUMBER, WORDS
from bortlab.data.labelled.splitting import normal
from bortlab.system.numbers import percent
from bortlab.text.tokenizer import Tokenizer

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
NAMED = 4
"""Rows or classes that a sentence names; `Finding.rows` has them all."""
FEW_EXAMPLES = 30
"""Examples of dev or test, below which a figure says little: the 95% interval of a share is wider than ± 15 points."""
UNEVEN_SHARE, UNEVEN_RATIO = 0.8, 10
FORMULA = re.compile(
    r"=\s*(?:[A-Za-z_.]+\(|\$?[A-Z]{1,3}\$?\d+\b|[-+]?\d+\s*[-+*/]).*|#(?:REF|NAME|VALUE|DIV/0|N/A|NULL|NUM)[!?]?"
)
"""A formula of a spreadsheet, or what it shows for a broken one."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to know. severity: "error" (nothing can be learned), "warning" (figures may mislead), "note".

    check: its name. sentence: for people. count: of examples or classes. rows: of the examples, in order.
    """

    severity: Severity
    check: str
    sentence: str
    count: int = 0
    rows: tuple[int, ...] = ()


def check(data: LabelledData, *, tokenizer: Tokenizer | None = None, longest: int = 512) -> tuple[Finding, ...]:
    """All that is to be known of the data, errors first.

    tokenizer: whose pieces texts are counted in; without it their length is not looked at. longest: pieces that the
    model reads, those of its template included.
    """
    findings = [*errors(data), *_warnings(data), *_lengths(data, tokenizer, longest)]
    findings += [Finding("note", "reading", note) for note in data.notes]
    return tuple(sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity)))


def errors(data: LabelledData) -> Iterator[Finding]:
    """Why nothing can be learned from the data, if that is so."""
    empty = [split for split in SPLITS if not data.splits[split]]
    if empty:
        sentence = f"{_examples(len(data))} cannot be divided into train, dev and test"
        advice = f"{' and '.join(empty)} would be empty. Add examples of each class."
        yield Finding("error", "too few", f"{sentence}: {advice}", len(data))
    if data.task == CHOICES or not data.labels:
        numbers = {example.label for example in data.train}
        if data.problem_type == NUMBER and len(numbers) == 1:
            yield Finding("error", "one number", f"Every label of train is {numbers.pop()}: there is nothing to learn.")
        return
    unknown = [example for example in data if not set(_classes(example)) <= set(data.labels)]
    if unknown:
        names = {name for example in unknown for name in _classes(example)} - set(data.labels)
        sentence = f"{_are(unknown)} labelled {_listed(names)}, which is none of the {len(data.labels)} classes"
        yield _finding("error", "unknown class", sentence, unknown)
    present = [name for name, count in data.counts().items() if count]
    if len(present) == 1 and data.problem_type in (None, CLASSES):
        yield Finding("error", "one class", f"Every label of train is {_listed(present)}: there is nothing to learn.")


def _warnings(data: LabelledData) -> Iterator[Finding]:
    empty = [e for e in data if not e.text.strip() or (e.pair is not None and not e.pair.strip())]
    if empty:
        yield _finding("warning", "empty text", f"{_are(empty)} without text", empty)
    formulas = [e for e in data if FORMULA.fullmatch(e.text.strip()) or FORMULA.fullmatch((e.pair or "").strip())]
    if formulas:
        sentence = f"{_are(formulas)} a spreadsheet's formula, not its value"
        yield _finding("warning", "formula", sentence, formulas, "Save the sheet with its values.")
    yield from _repetitions(data)
    yield from _class_counts(data)
    for split in ("dev", "test"):
        n_examples = len(data.splits[split])
        if 0 < n_examples < FEW_EXAMPLES:
            margin = 98 / n_examples**0.5  # 1.96 standard errors of a share of one half, in points
            sentence = (
                f"{split.capitalize()} has {_examples(n_examples)}: its figures may be off by {margin:.0f} points."
            )
            yield Finding("warning", f"small {split}", sentence, n_examples)


def _repetitions(data: LabelledData) -> Iterator[Finding]:
    """Texts that stand twice: in one split, in two, and with different labels."""
    places: dict[tuple[str, ...], list[tuple[str, Example]]] = defaultdict(list)
    for split, part in data.splits.items():
        for example in part:
            places[tuple(map(normal, example.content))].append((split, example))
    repeated = [entries for entries in places.values() if len(entries) > 1]
    for split, learned in (("test", ("train", "dev")), ("dev", ("train",))):
        leaked = [
            example
            for entries in repeated
            for own, example in entries
            if own == split and any(other in learned for other, _ in entries)
        ]
        if leaked:
            share = percent(len(leaked) / len(data.splits[split]))
            sentence = (
                f"{_examples(len(leaked))} of {split} ({share}) also {_verb(leaked, 'stand')} in {' or '.join(learned)}"
            )
            yield _finding("warning", f"{split} leaks", sentence, leaked, "Figures will look too good.")
    conflicts = [[e for _, e in entries] for entries in repeated if len({repr(e.label) for _, e in entries}) > 1]
    if conflicts and data.problem_type != NUMBER:
        sentence = f"{len(conflicts):,} text{'s have' if len(conflicts) > 1 else ' has'} more than one label"
        yield _finding("warning", "conflicting labels", sentence, [e for entries in conflicts for e in entries])
    extra = [e for entries in repeated for e in _beyond_first(entries)]
    if extra:
        sentence = f"{_examples(len(extra))} {'repeat' if len(extra) > 1 else 'repeats'} another one of the same split"
        yield _finding("note", "duplicates", sentence, extra)


def _beyond_first(entries: Iterable[tuple[str, Example]]) -> Iterator[Example]:
    """All but the first example of each split."""
    splits: set[str] = set()
    for split, example in entries:
        if split in splits:
            yield example
        splits.add(split)


def _class_counts(data: LabelledData) -> Iterator[Finding]:
    """Classes that are rare, common, or not there to be learned."""
    counts = Counter(data.counts())
    if not counts:
        return
    for split in ("dev", "test"):
        unseen = [e for e in data.splits[split] if any(counts[name] == 0 for name in _classes(e))]
        if unseen:
            names = {name for example in unseen for name in _classes(example) if not counts[name]}
            sentence = f"{split.capitalize()} has {_classes_named(names)} that train has not"
            yield _finding("warning", "unlearned class", sentence, unseen, "No model can answer it.", count=len(names))
    single = [name for name, count in counts.items() if count == 1]
    if single:
        rows = [example for example in data.train if set(_classes(example)) & set(single)]
        sentence = f"Train has only one example of {_classes_named(single)}"
        yield _finding("warning", "single example", sentence, rows, count=len(single))
    largest, smallest = (
        max(counts, key=counts.__getitem__),
        min(filter(counts.__getitem__, counts), key=counts.__getitem__),
    )
    share = counts[largest] / max(1, counts.total())
    if data.task != WORDS and (share > UNEVEN_SHARE or counts[largest] > UNEVEN_RATIO * counts[smallest]):
        sentence = (
            f"Classes are uneven: {percent(share)} of the labels of train are “{largest}”, "
            f"{percent(counts[smallest] / counts.total())} “{smallest}”. Look at macro F1 rather than accuracy."
        )
        yield Finding("warning", "uneven classes", sentence, counts[largest])


def _lengths(data: LabelledData, tokenizer: Tokenizer | None, longest: int) -> Iterator[Finding]:
    """Texts of more pieces than the model reads."""
    if tokenizer is None or not len(data):
        return
    examples = list(data)
    n_texts = [len(ids) for ids in tokenizer.ids_of([example.text for example in examples])]
    seconds = [max((example.pair or "", *example.choices), key=len) for example in examples]
    n_seconds = [len(ids) for ids in tokenizer.ids_of(seconds)]
    templates: Mapping[bool, int] = {has: len(tokenizer.encode("", "" if has else None)) for has in (False, True)}
    lengths = [first + second + templates[second > 0] for first, second in zip(n_texts, n_seconds, strict=True)]
    long = [example for example, length in zip(examples, lengths, strict=True) if length > longest]
    if long:
        sentence = f"{_are(long)} longer than the {longest} pieces that are read ({percent(len(long) / len(examples))})"
        yield _finding(
            "warning", "long text", sentence, long, f"The longest has {max(lengths):,}; the rest is left out."
        )


# -- words of sentences ------------------------------------------------------------------------------------------------


def _classes(example: Example) -> tuple[str, ...]:
    """The classes of an example, or of its words."""
    if isinstance(example.label, tuple):
        return tuple(label for label in example.label if isinstance(label, str))
    return (str(example.label),)


def _finding(
    severity: Severity, name: str, sentence: str, examples: list[Example], advice: str = "", count: int | None = None
) -> Finding:
    """A finding on examples, whose rows its sentence names."""
    rows = tuple(sorted(example.row for example in examples))
    numbers = [f"{row:,}" for row in rows[:NAMED]]
    more = f" and {len(rows) - NAMED:,} more" if len(rows) > NAMED else ""
    where = f" (row{'s' if len(rows) > 1 else ''} {', '.join(numbers)}{more})" if any(rows) else ""
    return Finding(severity, name, f"{sentence}{where}. {advice}".rstrip(), len(rows) if count is None else count, rows)


def _examples(count: int) -> str:
    return f"{count:,} example{'' if count == 1 else 's'}"


def _are(examples: list[Example]) -> str:
    return f"{_examples(len(examples))} {'is' if len(examples) == 1 else 'are'}"


def _verb(examples: list[Example], verb: str) -> str:
    return f"{verb}s" if len(examples) == 1 else verb


def _listed(names: Iterable[str]) -> str:
    """Names in quotation marks, the first few of many."""
    ordered = sorted(names)
    more = f" and {len(ordered) - NAMED:,} more" if len(ordered) > NAMED else ""
    return ", ".join(f"“{name}”" for name in ordered[:NAMED]) + more


def _classes_named(names: Iterable[str]) -> str:
    ordered = sorted(names)
    return f"{'the class' if len(ordered) == 1 else f'{len(ordered):,} classes'} {_listed(ordered)}"
