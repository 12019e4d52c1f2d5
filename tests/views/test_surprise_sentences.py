"""What is said of surprise: true for ties, repetitions and unknown words, and safe for every script."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bortlab.analysis.predict import Word
from bortlab.analysis.surprise import Surprise, WordSurprise
from bortlab.text import Encoding
from bortlab.views.surprise import surprise_sentences

TITLES = {"a": "A", "b": "B", "c": "C"}
BITS = st.sampled_from([0.0, 0.01, 1.0, 1.04, 2.0, 9.0]) | st.floats(0, 30)
TEXTS = st.lists(st.sampled_from(["cat", "dog", "the"]), min_size=1, max_size=5)


def scored(texts: list[str], bits: list[float], known: list[bool] | None = None) -> Surprise:
    """A text of these words, which cost a model so many bits."""
    starts = [sum(len(text) + 1 for text in texts[:n]) for n in range(len(texts))]
    words = tuple(
        WordSurprise(Word(text, start, start + len(text)), n, (text,), -cost * math.log(2), is_known)
        for n, (text, start, cost, is_known) in enumerate(
            zip(texts, starts, bits, known or [True] * len(texts), strict=True)
        )
    )
    text = " ".join(texts)
    encoding = Encoding(text, None, (), (), (), (), (), (), ())
    return Surprise(encoding, words, len(text), 0)


def said_of(texts: list[str], **bits: list[float]) -> str:
    scores = {key: scored(texts, costs) for key, costs in bits.items()}
    return re.sub("[\u2066-\u2069*]", "", surprise_sentences(scores, TITLES))


def test_what_is_said_of_each_kind_of_numbers() -> None:
    words = ["the", "cat", "the"]
    assert (
        said_of(words, a=[1, 2, 3])
        == "A needs 0.55 bits per character. The hardest word is the (2 of 2) for A, 3.0 bits."
    )
    assert said_of(words, a=[1, 2, 3], b=[1, 2, 3]) == (
        "A and B are equally surprised: 0.55 bits per character. "
        "The hardest word is the (2 of 2) for A and B, 3.0 bits each."
    )
    assert said_of(words, a=[1, 2, 3], b=[1, 7, 3]) == (
        "A is least surprised, with 0.55 bits per character; B is most surprised, with 1.00. "
        "The hardest word is cat for B, 7.0 bits. The models disagree most on cat: 2.0 bits for A, 7.0 for B."
    )
    assert said_of(words, a=[0, 0, 0]) == "A needs 0.00 bits per character. No word was hard to guess."


@given(TEXTS, st.data())
def test_models_and_words_are_named_by_the_numbers_that_are_shown(texts: list[str], data: st.DataObject) -> None:
    costs = st.lists(BITS, min_size=len(texts), max_size=len(texts))
    bits = data.draw(st.dictionaries(st.sampled_from(["a", "b", "c"]), costs, min_size=1))
    scores = {key: scored(texts, numbers) for key, numbers in bits.items()}
    text = said_of(texts, **bits)
    shown = {key: f"{abs(score.bits_per_character):.2f}" for key, score in scores.items()}
    assert ("least surprised" in text) == (len(set(shown.values())) > 1)
    if match := re.match(r"(.+?) (?:is|are) least surprised, with ([\d.]+) .*?; (.+?) (?:is|are) most surprised", text):
        least, number, most = match.groups()
        assert number == min(shown.values(), key=float)
        assert set(re.findall("[ABC]", least)) == {TITLES[key] for key in shown if shown[key] == number}
        assert not set(re.findall("[ABC]", least)) & set(re.findall("[ABC]", most))
    hardest = max(round(word.bits, 1) for score in scores.values() for word in score.words)
    assert (f"{hardest:.1f} bits" in text) if hardest > 0 else "No word was hard" in text
    named = re.findall(r"\b(?:cat|dog|the)\b(?: \(\d of \d\))?", text)
    assert all(
        ("of" in name) == (texts.count(name.split()[0]) > 1) for name in named
    )  # which one, if there are several


@given(TEXTS, st.data())
def test_models_are_said_to_disagree_only_where_their_numbers_differ(texts: list[str], data: st.DataObject) -> None:
    costs = st.lists(BITS, min_size=len(texts), max_size=len(texts))
    first, second = data.draw(costs), data.draw(costs)
    text = said_of(texts, a=first, b=second)
    pairs = zip(scored(texts, first).words, scored(texts, second).words, strict=True)
    apart = [round(abs(round(a.bits, 1) - round(b.bits, 1)), 1) for a, b in pairs]
    assert ("disagree" in text) == (max(apart) > 0)
    if match := re.search(r"disagree most on [^:]*: ([\d.]+) bits for ([AB]), ([\d.]+) for ([AB])", text):
        assert float(match[3]) - float(match[1]) == pytest.approx(max(apart)) and match[2] != match[4]


@given(TEXTS, st.data())
def test_a_model_that_cannot_write_a_word_is_compared_with_none(texts: list[str], data: st.DataObject) -> None:
    known = data.draw(st.lists(st.booleans(), min_size=len(texts), max_size=len(texts)))
    scores = {"a": scored(texts, [1.0] * len(texts), known), "b": scored(texts, [2.0] * len(texts))}
    text = surprise_sentences(scores, TITLES)
    assert ("A cannot write" in text) == (not all(known)) == ("least surprised" not in text)
    lacking = {word for word, is_known in zip(texts, known, strict=True) if not is_known}
    if lacking:
        (written,) = re.findall(r"A cannot write ([^,]*(?:, \*\*\w+\*\*)*[^,]*), so", text)
        assert set(re.findall(r"\*\*(\w+)\*\*", written)) == lacking and written.count("**") == 2 * len(lacking)


@pytest.mark.parametrize("cost", [math.nan, math.inf])
def test_what_is_not_finite_is_refused(cost: float) -> None:
    with pytest.raises(ValueError, match="not finite"):
        surprise_sentences({"a": scored(["cat", "dog"], [1.0, cost])}, TITLES)


def test_right_to_left_words_are_isolated_and_markdown_is_harmless() -> None:
    scores = {"a": scored(["שלום", "**b**"], [9.0, 1.0], [True, False]), "b": scored(["שלום", "**b**"], [1.0, 1.0])}
    text = surprise_sentences(scores, TITLES)
    assert text.count("שלום") == text.count("\u2068שלום\u2069") == 2
    assert "*b*" not in text and "&#42;&#42;b&#42;&#42;" in text
