"""Sentences that pages compute from data: right for every sign, tie and number, and never empty-handed."""

from __future__ import annotations

import re

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from bortlab.analysis.attention import Attention, Compared, Unit
from bortlab.analysis.heads import Heads, HeadStatistics, of
from bortlab.analysis.kernels import Contributions, KernelStatistics, Survey
from bortlab.system.numbers import percent
from bortlab.ui.attention.comparing import hiding_sentence
from bortlab.ui.attention.heads import head_sentence
from bortlab.ui.attention.selection import LEVELS
from bortlab.ui.kernels.of_many import halves_sentence, survey_sentence
from bortlab.ui.kernels.span import with_another_word
from bortlab.views.attention import _largest_difference
from bortlab.views.heads import NEAR_DUPLICATE, doing, groups

shares = st.lists(st.sampled_from([0.0, 0.0004, 0.25, 0.5]), min_size=4, max_size=4)


def compared(change: float) -> Compared:
    """Two matrices of two words, of which the second looks at word 1 so much more."""
    units = tuple(Unit(f"w{n}", ("word", n), 0) for n in range(2))
    first = torch.full((2, 2), 0.5, dtype=torch.float64)
    return Compared(units, units, first, first + torch.tensor([[-change, change]] * 2, dtype=torch.float64))


@given(st.sampled_from([-0.3, -0.0004, 0.0, 0.0004, 0.3]))
def test_hiding_a_word_says_more_less_or_neither(change: float) -> None:
    sentence = hiding_sentence(compared(change), 1)
    assert f"**{percent(abs(change))}** of a word's attention moved" in sentence
    if abs(change) < 0.0005:
        assert sentence.endswith("The hidden word is looked at as much as before.")
    else:
        assert sentence.endswith(f"at **30.0 points** {'more' if change > 0 else 'less'}.")
    assert "looked at" not in hiding_sentence(compared(change), 7)  # the models read no such word


@given(st.sampled_from([-0.9, -0.003, 0.0, 0.003, 0.9]))
def test_the_largest_difference_has_a_sign_or_is_none(change: float) -> None:
    sentence = _largest_difference(compared(change))
    if abs(change) < 0.005:
        assert sentence == "nowhere do the two differ by as much as a point."
    else:
        assert re.search(r": [+−]90 points\.$", sentence) and "-" not in sentence
    nothing = torch.zeros(0, 0)
    assert _largest_difference(Compared((), (), nothing, nothing)) == "the two share no word."


@given(shares, st.sampled_from(LEVELS))
def test_a_head_is_said_to_look_where_it_looks_most(parts: list[float], level: str) -> None:
    template, previous, following, itself = (torch.tensor([[share]]) for share in parts)
    one = torch.ones(1, 1)
    sentence = head_sentence(HeadStatistics(one, one, template, previous, following, itself, 4), 0, None, level)
    assert sentence.startswith(f"**{percent(max(parts))}** goes to the ")
    assert ("word" in sentence or "template" in sentence) if level == "Words" else "word" not in sentence


@given(st.integers(1, 3), st.integers(1, 3), st.integers(0, 50))
def test_groups_of_heads_add_up_and_agree_in_number(layers: int, per_layer: int, seed: int) -> None:
    scores = torch.randn(layers, per_layer, 4, 4, generator=torch.Generator().manual_seed(seed))
    units = tuple(Unit(f"w{n}", ("word", n), 0) for n in range(4))
    heads: Heads = of(Attention((4 * scores).softmax(-1), units))
    sentence = groups(heads)
    n = layers * per_layer
    if n == 1:
        assert sentence.startswith("The only head ") and re.search(r" (looks|chooses) ", sentence)
        return
    counts = [(int(number), verb) for number, verb in re.findall(r"(\d+) (looks?|chooses?) ", sentence)]
    assert sum(number for number, _ in counts) == n
    assert all(verb.endswith("s") == (number == 1) for number, verb in counts)
    twins = int((heads.nearest < NEAR_DUPLICATE).sum())
    assert (f"**{twins}**" in sentence) == (twins > 0) and ("No two" in sentence) == (twins == 0)


def test_one_does_and_several_do() -> None:
    assert doing(1, "look everywhere") == "looks everywhere" and doing(2, "look everywhere") == "look everywhere"


def survey(spread: Tensor) -> Survey:
    layers, heads = spread.shape
    numbers = torch.zeros(layers, heads)
    return Survey(torch.zeros(layers, heads, 3), spread, KernelStatistics(numbers, numbers, numbers, numbers), 1, 1)


@given(st.lists(st.sampled_from([0.0, 0.2, 0.4]), min_size=1, max_size=4))
def test_a_survey_names_every_layer_once_as_fixed_or_dynamic(spread: list[float]) -> None:
    sentence = survey_sentence(survey(torch.tensor(spread)[:, None]))
    fixed, dynamic = (
        {int(n) for n in re.findall(r"\d+", match.group(1))} if (match := re.search(pattern, sentence)) else set()
        for pattern in (r"In layers? ([\d, and]+) every token", r"dynamic in layers? ([\d and,]+), (?:most|where)")
    )
    assert fixed == {n for n, value in enumerate(spread, 1) if value == 0}
    assert dynamic == {n for n, value in enumerate(spread, 1) if value > 0}
    assert ("layers" in sentence) == (len(fixed) > 1 or len(dynamic) > 1)


@given(st.lists(st.sampled_from([0.0, 0.5, 2.0]), min_size=1, max_size=4))
def test_halves_name_two_layers_only_if_they_differ(lengths: list[float]) -> None:
    convolution = torch.tensor(lengths)[:, None]
    one = torch.ones_like(convolution)
    sentence = halves_sentence(Contributions(one, convolution, one, one, one, one, (Unit("a", ("piece", 0), 0),)))
    assert ("In every layer" in sentence) == (len(set(lengths)) == 1)
    if len(set(lengths)) > 1:
        most, least = (int(n) for n in re.findall(r"layer \*\*(\d)\*\*", sentence))
        assert lengths[most - 1] == max(lengths) and lengths[least - 1] == min(lengths)


@given(st.sampled_from(["London is big.", "Rome is big.", "the water is wet", "city", "", "[MASK]", "a b", "... !"]))
def test_the_text_to_begin_with_differs_in_one_word(text: str) -> None:
    assert with_another_word(text) != text
