"""What attributions say, in sentences: right for every sign, for ties, and for words that occur more than once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bortlab.analysis.attribution import Attribution, By, Target, units_of
from bortlab.system.numbers import fixed, signed
from bortlab.text import Encoding
from bortlab.views.escape import isolated, markdown
from bortlab.views.prose import names, which

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
    words = [_bold(attribution, n) for n in indices]
    return names(words, most=MOST_NAMES), "s" if len(indices) == 1 else "", "" if len(indices) == 1 else " each"


def _top_words(attribution: Attribution) -> set[tuple[Any, ...]]:
    """The words of the largest size, with their sign; none where nothing contributes."""
    units, values = attribution.units, attribution.values
    return {(units[n].part, units[n].key, float(values[n]) > 0) for n in _largest(attribution)}


def _bold(attribution: Attribution, index: int) -> str:
    return f"**{markdown(attribution.units[index].text)}**{_which(attribution, index)}"


def _plain(attribution: Attribution, index: int) -> str:
    return f"{isolated(attribution.units[index].text)}{_which(attribution, index)}"


def _which(attribution: Attribution, index: int) -> str:
    """Which one it is of a word that occurs more than once: (2 of 3)."""
    return which([attribution.units[n].text for n in attribution.own], attribution.own.index(index))


def where_the_answer_is_read(rows: Mapping[str, Attribution], encoding: Encoding, target: Target, by: By) -> str:
    """From which layer on the state that the answer is read from contributes most, and what does before; plain text.

    rows: an attribution to what enters each layer, and to what leaves the last, by the name of the row.
    """
    owner = int(units_of(encoding, by)[1][target.reads])
    state = "the blank's own state" if target.head == "masked-lm" else "the state that the answer is read from"
    layers, tops = list(rows), [_largest(attribution) for attribution in rows.values()]
    since = len(tops)
    while since and tops[since - 1] == [owner]:
        since -= 1
    before: dict[str, list[str]] = {}
    for layer, attribution, top in zip(layers[:since], rows.values(), tops, strict=False):
        words = [f'"{isolated(attribution.units[n].text)}"{which(_texts(attribution), n)}' for n in top]
        clause = f"{names(words, most=MOST_NAMES)} contribute{'s' if len(words) == 1 else ''} most" if words else ""
        before.setdefault(clause or "nothing contributes", []).append(layer)
    clauses = [f"{clause} {names(where)}" for clause, where in before.items()]
    if since < len(tops):
        last = since == len(tops) - 1
        clauses.append(f"{'only' if last else 'from'} {layers[since]}{'' if last else ' on'} it is {state}")
    return f"{'; '.join(clauses)}."


def _largest(attribution: Attribution) -> list[int]:
    """The units of the largest size, which are several where they tie; none where nothing contributes."""
    values = _values(attribution)
    largest = max(map(abs, values.values()), default=0.0)
    return [n for n, value in values.items() if largest and abs(value) == largest]


def _texts(attribution: Attribution) -> list[str]:
    return [unit.text for unit in attribution.units]


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
    high, low = fixed(best[0], 2), fixed(worst[0], 2)
    if len(pairs) == 1:
        return f"the rank correlation of {best[1]} and {best[2]} is {high}."
    if high == low:
        return f"the rank correlation of any two methods is {high}."
    mean = sum(value for value, _, _ in pairs) / len(pairs)
    return (
        f"the mean rank correlation of two methods is {fixed(mean, 2)}; "
        f"{best[1]} and {best[2]} agree most ({high}), {worst[1]} and {worst[2]} least ({low})."
    )


def cells_sentence(values: NDArray[np.float64], rows: Sequence[str], columns: Sequence[str]) -> str:
    """Which cells of a map contribute most, for or against the answer; plain text. NaN: there is no such cell.

    ValueError for infinite values.
    """
    if np.isinf(values).any():
        raise ValueError("Contributions that are not finite say nothing.")
    order = np.argsort(-np.abs(np.nan_to_num(values)), axis=None, kind="stable")[:3]
    cells = [divmod(int(n), values.shape[1]) for n in order]
    most = [
        f"{isolated(rows[i])}, {isolated(columns[j])} {signed(values[i, j])}"
        for i, j in cells
        if np.nan_to_num(values[i, j])
    ]
    return f"the largest contributions are {'; '.join(most)}." if most else "nothing contributes."
