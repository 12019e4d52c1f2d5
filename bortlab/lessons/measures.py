"""Measures: numbers and words that the questions of lessons ask for, by name, computed from the models."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from bortlab import registry
from bortlab.analysis import attribution, flops, heads, kernels, parameters, predict, surprise, tokens
from bortlab.analysis.attribution import METHODS
from bortlab.lessons.context import Context
from bortlab.lessons.lesson import LessonError
from bortlab.lessons.scenes import attention_of, attributed, blank_of, lens_of

Ranking = Sequence[tuple[str, float]]
"""Words with a number each, the largest first."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A number, or a ranking of words. unit: of the numbers. digits: behind the point, as they are written."""

    compute: Callable[..., float | Ranking]
    unit: str
    digits: int = 0

    def written(self, value: float) -> str:
        """A value as people read it."""
        number = f"{value:,.{self.digits}f}".replace("-", "−")
        unit = self.unit.removesuffix("s") if number == "1" else self.unit
        return f"{number}{unit}" if unit in ("", "%") else f"{number} {unit}"


MEASURES: dict[str, Measure] = {}
"""Every measure by its name."""
Compute = TypeVar("Compute", bound=Callable[..., float | Ranking])


def measure(unit: str = "", digits: int = 0) -> Callable[[Compute], Compute]:
    """Enter a function as a measure; its name is written with hyphens in lessons."""

    def enter(function: Compute) -> Compute:
        MEASURES[function.__name__.replace("_", "-")] = Measure(function, unit, digits)
        return function

    return enter


# -- Predict -----------------------------------------------------------------------------------------------------------


@measure("%", 1)
def guesses(context: Context, model: str, text: str) -> Ranking:
    """A model's words for the first blank, as plain words."""
    blank = context.of(model, "guesses", lambda loaded: loaded.fill_mask(text, top_k=5), text, 5).blanks[0]
    return [(predict.plain(candidate.text), 100 * candidate.probability) for candidate in blank.candidates]


@measure("%", 1)
def probability(context: Context, model: str, text: str, word: str) -> float:
    """Of a word in the first blank."""
    scores = context.of(model, "word", lambda loaded: predict.score_words(loaded, text, [word]), text, word)
    return 100 * scores[0].probability


@measure("%", 1)
def confidence(context: Context, model: str, text: str) -> float:
    """The probability of a model's own first guess."""
    return guesses(context, model, text)[0][1]


# -- Tokens ------------------------------------------------------------------------------------------------------------


@measure("pieces")
def pieces(context: Context, model: str, text: str) -> float:
    """Into how many a model cuts a text, without the template."""
    return len(tokens.cut(context.load(model).tokenizer, text).own)


@measure("pieces")
def unknown_pieces(context: Context, model: str, text: str) -> float:
    """How many pieces of a text a model's vocabulary cannot write."""
    return tokens.counts(tokens.cut(context.load(model).tokenizer, text)).unknown


# -- Parameters --------------------------------------------------------------------------------------------------------


@measure("M", 1)
def weights(
    context: Context,
    architecture: str,
    count: str = "stored",
    heads: Sequence[str] = (),
    changes: Mapping[str, Any] | None = None,
) -> float:
    """Millions of weights of a published architecture. count: stored, executed, or those of a component."""
    config = replace(registry.architecture(architecture)[1], **(changes or {}))
    sizes = parameters.formula(config, heads)
    totals = {"stored": sizes.stored, "executed": sizes.executed, "effective": sizes.effective} | sizes.by_component()
    if count not in totals:
        raise LessonError(f"count: expected one of {', '.join(totals)}, got {count!r}.")
    return totals[count] / 1e6


@measure("%", 1)
def share_of_weights(context: Context, architecture: str, component: str) -> float:
    """How much of what an architecture stores a component takes."""
    whole = weights(context, architecture)
    return 100 * weights(context, architecture, component) / whole


@measure("times", 2)
def work_ratio(context: Context, architecture: str, other: str, seq: int = 128) -> float:
    """Multiply-adds of an architecture's encoder for a text of so many pieces, as a multiple of another's."""
    needs = [flops.work(registry.architecture(name)[1], (), seq=seq).macs_per_piece for name in (architecture, other)]
    return needs[0] / needs[1]


@measure("MB")
def file_size(context: Context, architecture: str, heads: Sequence[str] = ()) -> float:
    """Of the stored weights as float32."""
    return 4 * weights(context, architecture, "stored", heads)


# -- Attention and kernels ---------------------------------------------------------------------------------------------


@measure("%")
def head_share(context: Context, model: str, text: str, layer: int, to: str, head: int | None = None) -> float:
    """How much attention a head puts on the previous, following or own word, or the template; None: all heads, mean."""
    numbers = heads.statistics(attention_of(context, model, text))
    if to not in heads.SHARES:
        raise LessonError(f"to: expected one of {', '.join(heads.SHARES)}, got {to!r}.")
    shares = getattr(numbers, to)[layer - 1]
    return 100 * float(shares.mean() if head is None else shares[head - 1])


@measure("%")
def neighbours_share(context: Context, model: str, text: str, layer: int | None = None) -> float:
    """How much attention goes to a word itself and its two neighbours, mean over the heads of a layer, or of all."""
    numbers = heads.statistics(attention_of(context, model, text))
    shares = numbers.previous + numbers.itself + numbers.following
    return 100 * float((shares if layer is None else shares[layer - 1]).mean())


@measure("%", 1)
def kernel_moved(context: Context, model: str, text: str, other: str, made_from: str, layer: int = 1) -> float:
    """How much of a layer's kernels, of the tokens that two texts share, moved; made from the span, or the token."""
    change = context.of(model, "change", lambda loaded: kernels.change(loaded, text, other), text, other)
    moved = dict(zip(("span", "token"), change.distances(), strict=True))
    if made_from not in moved:
        raise LessonError(f"made_from: expected {' or '.join(moved)}, got {made_from!r}.")
    return 100 * float(moved[made_from][layer - 1].mean())


@measure("%")
def answer_moved(context: Context, model: str, text: str, ablation: str) -> float:
    """How much of the probability of a blank lies elsewhere with something changed in every block."""
    results = context.of(model, "ablations", lambda loaded: kernels.ablate(loaded, text), text)
    moved = {str(result.ablation): result.moved for result in results}
    if ablation not in moved:
        raise LessonError(f"ablation: expected one of {', '.join(moved)}, got {ablation!r}.")
    return 100 * moved[ablation]


@measure("tokens")
def kernel_width(context: Context, model: str, text: str) -> float:
    """How many tokens a kernel reaches."""
    return context.of(model, "kernels", lambda loaded: kernels.of(loaded.trace(text)), text).weights.shape[-1]


# -- Attribution -------------------------------------------------------------------------------------------------------


@measure(digits=2)
def strongest_words(context: Context, model: str, text: str, method: str) -> Ranking:
    """The words by what they add to, or take from, the model's first guess."""
    result = attributed(context, model, text, method)
    return [(predict.plain(result.units[n].text), abs(float(result.values[n]))) for n in result.strongest(5)]


@measure(digits=2)
def contribution(context: Context, model: str, text: str, word: str, method: str) -> float:
    """What a word adds to the log-probability of the model's first guess, by a method."""
    result = attributed(context, model, text, method)
    places = [n for n in result.own if result.units[n].text == word]
    if not places:
        raise LessonError(f"word: {word!r} is no word of the text.")
    return float(result.values[places[0]])


@measure(digits=2)
def agreement(context: Context, model: str, text: str, method: str, other: str) -> float:
    """The rank correlation of two methods: 1 for the same order of words, 0 for none in common, -1 for the opposite."""
    results = [attributed(context, model, text, name) for name in (method, other)]
    signed = [METHODS[name].signed for name in (method, other)]
    return float(attribution.agreement([result.values[result.own] for result in results], signed)[0, 1])


# -- Layers ------------------------------------------------------------------------------------------------------------


@measure()
def settled(context: Context, model: str, text: str) -> float:
    """The layer from which on the model's answer for the blank is the likeliest."""
    made = lens_of(context, model, text)
    return int(made.settled[blank_of(made)])


@measure("%", 1)
def known_share(context: Context, model: str, text: str, layer: int) -> float:
    """Of the final answer's probability, how much is there after a layer; 0 is what enters the first."""
    made = lens_of(context, model, text)
    probabilities = made.probability[:, blank_of(made)]
    return 100 * float(probabilities[layer] / probabilities[-1])


@measure("bits", 1)
def bits(context: Context, model: str, text: str, word: str) -> float:
    """How surprising a model finds a word of the text."""
    scores = context.of(model, "surprise", lambda loaded: surprise.surprise(loaded, text), text)
    costs = [score.bits for score in scores.words if score.word.text == word]
    if not costs:
        raise LessonError(f"word: {word!r} is no word of the text.")
    return costs[0]
