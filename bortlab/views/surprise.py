"""What surprise says, in sentences of Markdown: right for ties, for words that occur twice, and for what is not known.

Numbers that are shown alike are alike: no model is called better for a digit that nobody sees.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from bortlab.analysis.surprise import Surprise, disagreements
from bortlab.views.escape import markdown
from bortlab.views.prose import names, which

MOST_NAMES = 3
"""Words that a sentence names."""


def surprise_sentences(scores: Mapping[str, Surprise], titles: Mapping[str, str]) -> str:
    """Which model is surprised least and most, by which words, where they disagree, and what they cannot write.

    titles: of the models, in Markdown. ValueError for scores that are not finite.
    """
    words = [word for score in scores.values() for word in score.words]
    if not all(math.isfinite(word.log_probability) for word in words):
        raise ValueError("Surprise that is not finite says nothing.")
    named = _words(scores)
    parts = [_totals(scores, titles), _hardest(scores, titles, named), _apart(scores, titles, named)]
    return " ".join(part for part in (*parts, _cannot_write(scores, titles)) if part)


def _words(scores: Mapping[str, Surprise]) -> dict[int, str]:
    """Each scored word in bold, by its number in the text, and which one it is of those that occur twice."""
    texts = {word.number: word.word.text for score in scores.values() for word in score.words}
    ordered = dict(sorted(texts.items()))
    spelled = list(ordered.values())
    return {number: f"**{markdown(text)}**{which(spelled, n)}" for n, (number, text) in enumerate(ordered.items())}


def _shown(bits: float) -> float:
    """Bits of a word as they are shown; there is no negative zero."""
    return round(bits, 1) + 0.0


def _ends(bits: Mapping[str, float], titles: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """The titles of the models of the smallest number, and of the largest."""
    low, high = min(bits.values()), max(bits.values())
    return [titles[key] for key in bits if bits[key] == low], [titles[key] for key in bits if bits[key] == high]


def _totals(scores: Mapping[str, Surprise], titles: Mapping[str, str]) -> str:
    """The models that know all words, by bits per character."""
    bits = {
        key: round(score.bits_per_character, 2) + 0.0
        for key, score in scores.items()
        if score.words and all(word.known for word in score.words)
    }
    if not bits:
        return ""
    low, high = min(bits.values()), max(bits.values())
    least, most = _ends(bits, titles)
    if len(bits) == 1:
        return f"{least[0]} needs {low:.2f} bits per character."
    if low == high:
        return f"{names(least)} are equally surprised: {low:.2f} bits per character."
    return (
        f"{names(least)} {_verb(least)} least surprised, with {low:.2f} bits per character; "
        f"{names(most)} {_verb(most)} most surprised, with {high:.2f}."
    )


def _verb(items: list[str]) -> str:
    return "is" if len(items) == 1 else "are"


def _hardest(scores: Mapping[str, Surprise], titles: Mapping[str, str], named: Mapping[int, str]) -> str:
    """The word of the most bits, and for which model."""
    bits = {
        (word.number, key): _shown(word.bits) for key, score in scores.items() for word in score.words if word.known
    }
    if not bits:
        return ""
    most = max(bits.values())
    if most <= 0:
        return "No word was hard to guess."
    models: dict[int, list[str]] = {}
    for (number, key), value in bits.items():
        if value == most:
            models.setdefault(number, []).append(titles[key])
    words = [f"{named[number]} for {names(who)}" for number, who in sorted(models.items())]
    several = len(words) > 1
    return (
        f"The hardest word{'s are' if several else ' is'} {names(words, most=MOST_NAMES)}, {most:.1f} bits"
        f"{' each' if several or len(next(iter(models.values()))) > 1 else ''}."
    )


def _apart(scores: Mapping[str, Surprise], titles: Mapping[str, str], named: Mapping[int, str]) -> str:
    """The word that models disagree on most, and who is at its ends; "" where none is told apart."""
    numbers = {word.word: word.number for score in scores.values() for word in score.words}
    apart = [
        (named[numbers[each.word]], {key: _shown(bits) for key, bits in each.bits.items()})
        for each in disagreements(scores)
    ]
    apart = sorted([pair for pair in apart if _spread(pair[1]) > 0], key=lambda pair: -_spread(pair[1]))
    if not apart:
        return ""
    word, bits = apart[0]
    equal = [other for other, others in apart if _spread(others) == _spread(bits)]
    if len(equal) > 1:
        return f"The models disagree most on {names(equal, most=MOST_NAMES)}, by {_spread(bits):.1f} bits each."
    least, most = _ends(bits, titles)
    then = [other for other, _ in apart[1:MOST_NAMES]]
    return (
        f"The models disagree most on {word}: {min(bits.values()):.1f} bits for {names(least)}, "
        f"{max(bits.values()):.1f} for {names(most)}{f'; then on {names(then)}' if then else ''}."
    )


def _spread(bits: Mapping[str, float]) -> float:
    """The difference of the largest and the smallest number, as they are shown."""
    return round(max(bits.values()) - min(bits.values()), 1)


def _cannot_write(scores: Mapping[str, Surprise], titles: Mapping[str, str]) -> str:
    """What is unknown to whom; its sums are compared with nobody's."""
    sentences = []
    for key, score in scores.items():
        unknown = _bold(word.word.text for word in score.words if not word.known)
        if unknown:
            sentences.append(f"{titles[key]} cannot write {names(unknown, most=MOST_NAMES)}, so its sums say little.")
    return " ".join(sentences)


def _bold(texts: Iterable[str]) -> list[str]:
    """Each text once."""
    return [f"**{markdown(text)}**" for text in dict.fromkeys(texts)]
