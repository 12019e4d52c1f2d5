"""What attributions say, in sentences: right for every sign, for ties, and for words that occur more than once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bortlab.analysis.attribution import Attribution, By, Target, units_of
from bortlab.system.numbers import signed
from bortlab.text import Encoding
from bortlab.views.escape import markdown, visible
from bortlab.views.prose import names

MOST_NAMES = 3
"""Words of equal contribution that a sentence names."""


def contributions(attributions: Mapping[str, Attribution]) -> str:
    """Which word contributes most for each model, and which counts most against its answer; Markdown.

    ValueError for values that are not finite.
    """
    sentences = [f"For {markdown(name)}, {_clause(attribution)}." for name, attribution in attributions.items()]
    tops = [_top_words(attribution) for attribution in attributions.values()]
    if len(tops) > 1 and set.intersection(*tops):
        sentences.append("All models agree on the word that matters most.")
    return " ".join(sentences)


def strongest(attribution: Attribution, most: int = 3) -> str:
    """The words that contribute most, for or against the answer, as plain text."""
    if not attribution.own:
        return "no word can be taken away."
    indices = [n for n in attribution.strongest(most) if float(attribution.values[n])]
    if not indices:
        return "no word contributes."
    return f"{', '.join(f'{_plain(attribution, n)} {signed(float(attribution.values[n]))}' for n in indices)}."


def _values(attribution: Attribution) -> dict[int, float]:
    values = {n: float(attribution.values[n]) for n in attribution.own}
    if not all(map(math.isfinite, values.values())):
        raise ValueError("An attribution with values that are not finite says nothing.")
    return values


def _clause(attribution: Attribution) -> str:
    values = _values(attribution)
    if not values:
        return "no word can be taken away"
    high, low = max(values.values()), min(values.values())
    if high <= 0 and low >= 0:
        return "no word contributes to the answer"
    favour, against = _equals(attribution, values, high), _equals(attribution, values, low)
    if high >= -low:
        clause = f"{favour[0]} contribute{favour[1]} most ({signed(high)}{favour[2]})"
        return clause + (f", and {against[0]} count{against[1]} against the answer ({signed(low)})" if low < 0 else "")
    clause = f"{against[0]} count{against[1]} most against the answer ({signed(low)}{against[2]})"
    if high <= 0:
        return f"{clause}, and no word speaks for it"
    return f"{clause}, and {favour[0]} contribute{favour[1]} most to it ({signed(high)})"


def _equals(attribution: Attribution, values: Mapping[int, float], value: float) -> tuple[str, str, str]:
    """The words of this very value in bold, the ending of their verb, and " each" for several."""
    indices = [n for n, number in values.items() if number == value]
    words = [_bold(attribution, n) for n in indices[:MOST_NAMES]]
    if len(indices) > MOST_NAMES:
        words.append(f"{len(indices) - MOST_NAMES} more")
    return names(words), "s" if len(indices) == 1 else "", "" if len(indices) == 1 else " each"


def _top_words(attribution: Attribution) -> set[tuple[Any, ...]]:
    """The words of the largest size, with their sign; none where nothing contributes."""
    values = _values(attribution)
    largest = max(map(abs, values.values()), default=0.0)
    top = [n for n, value in values.items() if largest and abs(value) == largest]
    return {(attribution.units[n].part, attribution.units[n].key, values[n] > 0) for n in top}


def _bold(attribution: Attribution, index: int) -> str:
    return f"**{markdown(attribution.units[index].text)}**{_which(attribution, index)}"


def _plain(attribution: Attribution, index: int) -> str:
    return f"{visible(attribution.units[index].text)}{_which(attribution, index)}"


def _which(attribution: Attribution, index: int) -> str:
    """Which one it is of a word that occurs more than once: (2 of 3)."""
    same = [n for n in attribution.own if attribution.units[n].text == attribution.units[index].text]
    return f" ({same.index(index) + 1} of {len(same)})" if len(same) > 1 else ""


def where_the_answer_is_read(rows: Mapping[str, Attribution], encoding: Encoding, target: Target, by: By) -> str:
    """From which layer on the state that the answer is read from contributes most, and what does before; plain text.

    rows: an attribution to what enters each layer, and to what leaves the last, by the name of the row.
    """
    owner = int(units_of(encoding, by)[1][target.reads])
    state = "the blank's own state" if target.head == "masked-lm" else "the state that the answer is read from"
    layers, tops = list(rows), [attribution.strongest()[0] for attribution in rows.values()]
    since = len(tops)
    while since and tops[since - 1] == owner:
        since -= 1
    before: dict[str, list[str]] = {}
    for layer, attribution, top in zip(layers[:since], rows.values(), tops, strict=False):
        before.setdefault(f'"{visible(attribution.units[top].text)}"', []).append(layer)
    clauses = [f"{word} contributes most {names(where)}" for word, where in before.items()]
    if since < len(tops):
        last = since == len(tops) - 1
        clauses.append(f"{'only' if last else 'from'} {layers[since]}{'' if last else ' on'} it is {state}")
    return f"{'; '.join(clauses)}."


def agreement_sentence(methods: Sequence[str], correlations: NDArray[np.float64]) -> str:
    """How far methods agree: the mean rank correlation of two, the closest pair and the most distant one."""
    pairs = [
        (float(correlations[i, j]), methods[j], methods[i])
        for i in range(len(methods))
        for j in range(i)
        if not np.isnan(correlations[i, j])
    ]
    if not pairs:
        return "there is nothing to compare."
    best, worst = max(pairs), min(pairs)
    if len(pairs) == 1:
        return f"the rank correlation of {best[1]} and {best[2]} is {_correlation(best[0])}."
    mean = sum(value for value, _, _ in pairs) / len(pairs)
    return (
        f"the mean rank correlation of two methods is {_correlation(mean)}; "
        f"{best[1]} and {best[2]} agree most ({_correlation(best[0])}), "
        f"{worst[1]} and {worst[2]} least ({_correlation(worst[0])})."
    )


def _correlation(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")


def cells_sentence(values: NDArray[np.float64], rows: Sequence[str], columns: Sequence[str]) -> str:
    """Which cells of a map contribute most, for or against the answer; plain text."""
    order = np.argsort(-np.abs(np.nan_to_num(values)), axis=None, kind="stable")[:3]
    cells = [divmod(int(n), values.shape[1]) for n in order]
    most = [f"{rows[i]}, {columns[j]} {signed(values[i, j])}" for i, j in cells if np.nan_to_num(values[i, j])]
    return f"the largest contributions are {'; '.join(most)}." if most else "nothing contributes."
