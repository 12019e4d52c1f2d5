"""Sentences about attributions: true for every sign, tie and repetition, and safe for every script."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from bortlab.analysis.attention import Unit
from bortlab.analysis.attribution import Attribution, Target
from bortlab.system.numbers import fixed, signed
from bortlab.text import Encoding
from bortlab.views.contributions import (
    agreement_sentence,
    cells_sentence,
    contributions,
    strongest,
    where_the_answer_is_read,
)

VALUES = st.sampled_from([-2.0, -1.0, 0.0, 1.0, 2.0]) | st.floats(-9, 9)
WORDS = st.lists(st.tuples(st.sampled_from(["cat", "dog", "the"]), VALUES), min_size=1, max_size=6)


def of(*words: tuple[str, float]) -> Attribution:
    """An attribution with these values of these words."""
    units = tuple(Unit(word, ("word", n), 0) for n, (word, _) in enumerate(words))
    values = torch.tensor([value for _, value in words], dtype=torch.float64)
    return Attribution("lime", Target("masked-lm", 3, 1), units, (False,) * len(words), values, 1.0, 0.0, 9, 0)


def plain(text: str) -> str:
    return re.sub("[\u2066-\u2069*]", "", text)


def sentence(*words: tuple[str, float]) -> str:
    return plain(contributions({"A": of(*words)}))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([("cat", 3.0), ("sat", -0.5)], "For A, cat contributes most (+3), and sat counts against the answer (−0.5)."),
        (
            [("cat", -3.0), ("sat", 0.5)],
            "For A, cat counts most against the answer (−3), and sat contributes most to it (+0.5).",
        ),
        ([("cat", -3.0)], "For A, cat counts most against the answer (−3), and no word speaks for it."),
        ([("cat", -3.0), ("sat", -1.0)], "For A, cat counts most against the answer (−3), and no word speaks for it."),
        ([("cat", 3.0)], "For A, cat contributes most (+3)."),
        ([("cat", 0.0), ("sat", 0.0)], "For A, no word contributes to the answer."),
        ([("cat", 2.0), ("sat", 2.0)], "For A, cat and sat contribute most (+2 each)."),
        ([("cat", 2.0), ("sat", -2.0)], "For A, cat contributes most (+2), and sat counts against the answer (−2)."),
        (
            [("cat", 1.0), ("the", -1.0), ("cat", -2.0)],
            "For A, cat (2 of 2) counts most against the answer (−2), and cat (1 of 2) contributes most to it (+1).",
        ),
        ([(w, 1.0) for w in "abcde"], "For A, a, b, c and 2 more contribute most (+1 each)."),
    ],
)
def test_what_is_said_of_each_kind_of_values(words: list[tuple[str, float]], expected: str) -> None:
    assert sentence(*words) == expected


@given(WORDS)
def test_the_strongest_contribution_is_named_and_no_word_speaks_for_and_against(
    words: list[tuple[str, float]],
) -> None:
    text, values = sentence(*words), [value for _, value in words]
    largest = max(values, key=abs)
    assert (signed(largest) in text or signed(-largest) in text) if largest else "no word contributes" in text
    first = text.removeprefix("For A, ").split(", and ")[0]
    if largest:
        assert ("against" in first) == (max(values) < -min(values))
    named = re.findall(r"(?:For A, |, and |, | and )((?:cat|dog|the)(?: \(\d of \d\))?)", text)
    assert len(named) == len(set(named))  # a word that occurs twice is named with its number
    assert ("counts against" in text or "count against" in text or "against the answer" in text) == (min(values) < 0)


@given(st.lists(WORDS, min_size=2, max_size=3))
def test_models_agree_only_on_the_same_word_of_the_same_sign(models: list[list[tuple[str, float]]]) -> None:
    text = contributions({f"M{n}": of(*words) for n, words in enumerate(models)})
    tops = []
    for words in models:
        largest = max(abs(value) for _, value in words)
        tops.append({(n, value > 0) for n, (_, value) in enumerate(words) if largest and abs(value) == largest})
    assert ("All models agree" in text) == bool(set.intersection(*tops))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        contributions({"A": of(("cat", 1.0), ("sat", value))})


def test_right_to_left_words_are_isolated_and_markdown_is_harmless() -> None:
    text = contributions({"A": of(("שלום", 2.0), ("**b**", -1.0))})
    at = text.index("שלום")
    assert text[at - 1] == "\u2068" and text[at + len("שלום")] == "\u2069"
    assert "**b**" not in text


@given(WORDS)
def test_the_strongest_words_are_named_in_their_order(words: list[tuple[str, float]]) -> None:
    text, attribution = strongest(of(*words)), of(*words)
    assume(any(value for _, value in words))
    shown = [n for n in attribution.strongest(3) if words[n][1]]
    assert text.startswith(words[shown[0]][0]) and text.count(",") == len(shown) - 1
    assert "".join(text.split()).count(signed(words[shown[0]][1])) >= 1


def test_agreement_of_any_number_of_methods() -> None:
    nan = math.nan
    assert agreement_sentence(["a"], np.eye(1)) == "there is nothing to compare."
    assert agreement_sentence(["a", "b"], np.array([[1, nan], [nan, 1]])) == "there is nothing to compare."
    assert agreement_sentence(["a", "b"], np.array([[1, 0.5], [0.5, 1]])) == "the rank correlation of a and b is 0.50."
    three = np.array([[1, 0.5, -0.25], [0.5, 1, 0.125], [-0.25, 0.125, 1]])
    assert "a and b agree most (0.50), a and c least (−0.25)" in agreement_sentence(["a", "b", "c"], three)


def test_the_largest_cells_are_named_whatever_their_sign() -> None:
    values = np.array([[0.0, -3.0], [2.0, math.nan]])
    assert cells_sentence(values, ["x", "y"], ["1", "2"]) == "the largest contributions are x, 2 −3; y, 1 +2."
    assert cells_sentence(np.zeros((2, 2)), ["x", "y"], ["1", "2"]) == "nothing contributes."


# -- what layers, methods and maps say ---------------------------------------------------------------------------------


@given(st.lists(st.lists(st.sampled_from([-1.0, 0.0, 1.0]), min_size=4, max_size=4), min_size=1, max_size=4))
def test_the_layer_from_which_on_the_answers_own_state_counts_most(layers: list[list[float]]) -> None:
    """Values of [CLS], שלום, the and the blank, which the answer is read from; ties are never called most."""
    words = ["[CLS]", "שלום", "the", "[MASK]"]
    encoding = Encoding(
        text="שלום the [MASK]",
        pair=None,
        ids=(1, 2, 3, 4),
        type_ids=(0,) * 4,
        tokens=tuple(words),
        offsets=((0, 0), (0, 4), (5, 8), (9, 15)),
        special=(True, False, False, False),
        words=(None, 0, 1, None),
        mask_positions=(3,),
    )
    rows = {f"layer {n}": of(*zip(words, values, strict=True)) for n, values in enumerate(layers, 1)}
    text = where_the_answer_is_read(rows, encoding, Target("masked-lm", 3, 3), "pieces")
    alone = [[abs(value) for value in values].count(1.0) == 1 and abs(values[3]) == 1.0 for values in layers]
    since = max((n for n, own in enumerate(alone, 1) if not own), default=0) + 1
    assert ("own state" in text) == (since <= len(layers))
    if since < len(layers):
        assert f"from layer {since} on it is the blank's own state" in text
    assert ("nothing contributes" in text) == any(not any(values) for values in layers[: since - 1])
    assert text.count("שלום") == text.count("\u2068שלום\u2069")
    broken = {"layer 1": of(*zip(words, [1.0, 1.0, 1.0, math.nan], strict=True))}
    with pytest.raises(ValueError, match="finite"):
        where_the_answer_is_read(broken, encoding, Target("masked-lm", 3, 3), "pieces")


@given(st.integers(2, 4), st.data())
def test_methods_agree_most_and_least_only_if_their_numbers_differ(n: int, data: st.DataObject) -> None:
    values = st.sampled_from([-1.0, -0.001, 0.0, 0.5, 0.501, 1.0, math.nan])
    correlations = np.eye(n)
    for row, column in zip(*np.tril_indices(n, -1), strict=True):
        correlations[row, column] = data.draw(values)
    text = agreement_sentence(list("abcd")[:n], correlations)
    numbers = [value for value in correlations[np.tril_indices(n, -1)] if not math.isnan(value)]
    shown = {fixed(value, 2) for value in numbers}
    assert ("agree most" in text) == (len(shown) > 1) and "−0.00" not in text and "-" not in text
    assert ("nothing to compare" in text) == (not numbers)
    assert ("any two methods" in text) == (len(shown) == 1 < len(numbers))


@given(st.lists(st.sampled_from([-2.0, -1.0, 0.0, 1.0, math.nan]), min_size=4, max_size=4))
def test_the_cells_of_a_map_are_named_by_size(numbers: list[float]) -> None:
    text = cells_sentence(np.array(numbers).reshape(2, 2), ["שלום", "y"], ["1", "2"])
    largest = max((abs(value) for value in numbers if not math.isnan(value)), default=0.0)
    if largest:
        assert text.startswith("the largest contributions are ") and text.count(";") < 3
        first = text.removeprefix("the largest contributions are ").split(";")[0].rstrip(".")
        assert first.endswith((signed(largest), signed(-largest)))
    else:
        assert text == "nothing contributes."
    assert text.count("שלום") == text.count("\u2068שלום\u2069") and "nan" not in text
    with pytest.raises(ValueError, match="not finite"):
        cells_sentence(np.array([[math.inf]]), ["x"], ["1"])
