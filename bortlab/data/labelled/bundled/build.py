"""The bundled tasks on disk: rows as JSON lines, a card each, checksums."""

from __future__ import annotations

import hashlib
import json
import lzma
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from bortlab.data import corpus
from bortlab.data.labelled.bundled.recipes import RECIPES, Recipe
from bortlab.data.labelled.bundled.rows import Row, divided

CARDS = "cards.json"
COMMAND = "bortlab tasks --build"


def documents() -> list[corpus.Document]:
    """All documents of the corpus: its own held-out ones are another split, which these tasks do not know."""
    return [*corpus.read("train"), *corpus.read("heldout")]


def rows_of(name: str, corpus_documents: Sequence[corpus.Document]) -> dict[str, list[Row]]:
    """The rows of a bundled task by split."""
    recipe = RECIPES[name]
    return divided(name, recipe.rows(corpus_documents), recipe.limits)


def content(parts: Mapping[str, Sequence[Row]]) -> str:
    """Rows as JSON lines."""
    lines = []
    for split, rows in parts.items():
        for row in rows:
            if row.words:
                cells: dict[str, object] = {"words": row.words, "labels": row.labels}
            else:
                pair = {} if row.pair is None else {"pair": row.pair}
                cells = {"text": row.text, **pair, "label": row.label}
            lines.append(json.dumps({"split": split, **cells}, ensure_ascii=False) + "\n")
    return "".join(lines)


def write_tasks(out: Path) -> None:
    """Build every bundled task and write its file and its card; what was measured for a card before is kept."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / CARDS
    before = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    corpus_documents, cards = documents(), {}
    for name in RECIPES:
        parts = rows_of(name, corpus_documents)
        data = lzma.compress(content(parts).encode(), preset=9 | lzma.PRESET_EXTREME)
        (out / f"{name}.jsonl.xz").write_bytes(data)
        sha256 = hashlib.sha256(data).hexdigest()
        same = before.get(name, {}).get("sha256") == sha256
        cards[name] = {
            "sha256": sha256,
            "bytes": len(data),
            "rows": {split: len(rows) for split, rows in parts.items()},
            "groups": {split: len({row.group for row in rows}) for split, rows in parts.items()},
            "classes": _classes(parts),
            "measured": before[name]["measured"] if same else {},
        }
    write_cards(out, cards)


def note_measured(out: Path, measured: Mapping[str, Mapping[str, object]]) -> None:
    """Note on each task's card the measure ("measure") of the commonest class ("majority") and of words ("linear")."""
    cards = json.loads((out / CARDS).read_text(encoding="utf-8"))
    write_cards(out, {name: {**card, "measured": measured[name]} for name, card in cards.items()})


def _classes(parts: Mapping[str, Sequence[Row]]) -> dict[str, int]:
    """How often each class stands in all splits; of words where they have labels; {} for numbers."""
    counts = Counter(
        label
        for rows in parts.values()
        for row in rows
        for label in (row.labels or (row.label,))
        if isinstance(label, str)
    )
    return {label: counts[label] for label in sorted(counts)}


def write_cards(out: Path, cards: Mapping[str, Mapping[str, object]]) -> None:
    """Write the cards, and what a person reads of them."""
    (out / CARDS).write_text(json.dumps(cards, indent=2) + "\n", encoding="utf-8")
    (out / "README.md").write_text(_readme(cards), encoding="utf-8")


README = """# Bundled tasks

Labelled examples to fine-tune on with no network, made from `assets/corpus` by `{command}`: the same corpus gives
the same files. Read them with `bortlab.data.labelled.load_task("supersense")`. Splits go by hash of the group, so no
group stands in two of them. The bundled encoders were pre-trained on this corpus: they have read these
texts, never the labels.

| task | what is asked | rows (train, dev, test) | source, licence | split by |
|---|---|---|---|---|
{rows}

{measured}"""


def _readme(cards: Mapping[str, Mapping[str, object]]) -> str:
    rows = [_row(name, recipe, cards[name]) for name, recipe in RECIPES.items()]
    measured = [line for name in RECIPES for line in _measured(name, cards[name])]
    table = [
        "On test, with its share of the commonest class and a linear model on TF-IDF of words and pairs of words:\n",
        "| task | measure | commonest | linear |",
        "|---|---|---|---|",
        *measured,
        "",
    ]
    return README.format(command=COMMAND, rows="\n".join(rows), measured="\n".join(table) if measured else "")


def _row(name: str, recipe: Recipe, card: Mapping[str, object]) -> str:
    counts = card["rows"]
    assert isinstance(counts, dict)
    numbers = ", ".join(f"{count:,}" for count in counts.values())
    return f"| {name} | {recipe.description} | {numbers} | {recipe.source[0]}; {recipe.source[1]} | {recipe.group} |"


def _measured(name: str, card: Mapping[str, object]) -> list[str]:
    measured = card["measured"]
    if not isinstance(measured, dict) or not measured:
        return []
    return [f"| {name} | {measured['measure']} | {measured['majority']:.3f} | {measured['linear']:.3f} |"]
