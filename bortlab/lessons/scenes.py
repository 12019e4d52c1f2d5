"""Scenes: the lab's views that a lesson can show, by name, each with the settings that its function takes.

A scene computes with the same analyses and draws with the same views as the page that it links to. Layers, heads and
blanks are counted from 1, as on the pages.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bortlab.analysis import attention, attribution, claims, heads, kernels, lens, parameters, predict, surprise, tokens
from bortlab.analysis.attribution import METHODS, Attribution, Question
from bortlab.lessons.context import Context
from bortlab.lessons.lesson import LessonError, Show
from bortlab.model import Model
from bortlab.registry import architecture, find
from bortlab.views import attention as draw_attention
from bortlab.views import attribution as draw_attribution
from bortlab.views import claims as draw_claims
from bortlab.views import heads as draw_heads
from bortlab.views import kernel_numbers
from bortlab.views import kernels as draw_kernels
from bortlab.views import layers as draw_layers
from bortlab.views import parameters as draw_parameters
from bortlab.views import predict as draw_predict
from bortlab.views import tokens as draw_tokens
from bortlab.views.parameters import CountedModel
from bortlab.views.view import View

Picture = tuple[str | None, View]
"""The key of the model that a picture is of, None for several or none; the picture."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What a lesson shows: pictures, and the page and the settings by which a visitor goes on with them."""

    pictures: tuple[Picture, ...]
    page: str
    link: Mapping[str, Any]


SceneFunction = Callable[..., Scene]
SCENES: dict[str, SceneFunction] = {}
"""Every scene by its name."""


def scene(function: SceneFunction) -> SceneFunction:
    """Enter a function as a scene; its name is written with hyphens in lessons."""
    SCENES[function.__name__.replace("_", "-")] = function
    return function


def draw(show: Show, defaults: Mapping[str, Any], context: Context) -> Scene:
    """The scene of a block. defaults: the lesson's own text and models. LessonError for one that does not exist."""
    function = SCENES.get(show.show)
    if function is None:
        raise LessonError(f"There is no view {show.show!r}. There are: {', '.join(SCENES)}.")
    drawn: Scene = call(function, context, show.show, defaults, show.settings)
    return drawn


def call(function: Callable[..., Any], context: Context, name: str, *settings: Mapping[str, Any]) -> Any:
    """function(context, **settings); of the first settings, the lesson's, only what it takes.

    LessonError for settings that it lacks, or does not know.
    """
    takes = inspect.signature(function).parameters
    defaults, *own = settings
    values = {key: value for key, value in defaults.items() if key in takes}
    for more in own:
        values |= more
    try:
        bound = inspect.signature(function).bind(context, **values)
    except TypeError as error:
        known = ", ".join(key for key in takes if key != "context")
        raise LessonError(f"{name}: {error}. Its settings are: {known}.") from error
    return function(*bound.args, **bound.kwargs)


def _side_by_side(keys: Iterable[str], view: Callable[[str], View]) -> tuple[Picture, ...]:
    return tuple((key, view(key)) for key in keys)


def _colour(context: Context, key: str) -> str:
    return context.look.family(context.load(key).family.name)


# -- Predict -----------------------------------------------------------------------------------------------------------


@scene
def guesses(context: Context, models: Sequence[str], text: str, top: int = 5) -> Scene:
    """What each model puts in the first blank."""
    blanks = {
        key: context.of(key, "guesses", lambda model: model.fill_mask(text, top_k=top), text, top).blanks[0]
        for key in models
    }
    largest = max(blank.candidates[0].probability for blank in blanks.values())

    def bars(key: str) -> View:
        family = context.load(key).family.name
        return draw_predict.candidate_bars(
            blanks[key], title=context.title(key), family=family, largest=largest, look=context.look
        )

    return Scene(_side_by_side(models, bars), "predict", {"text": text, "models": models, "top": top})


@scene
def likelihoods(context: Context, models: Sequence[str], text: str, words: Sequence[str]) -> Scene:
    """How likely each model finds these words in the first blank."""
    scores = {
        key: context.of(key, "words", lambda model: predict.score_words(model, text, words), text, tuple(words))
        for key in models
    }
    largest = max(score.probability for of_model in scores.values() for score in of_model)

    def bars(key: str) -> View:
        family = context.load(key).family.name
        return draw_predict.word_bars(
            scores[key], title=context.title(key), family=family, largest=largest, look=context.look
        )

    link = {"text": text, "models": models, "ask": ", ".join(words)}
    return Scene(_side_by_side(models, bars), "predict", link)


# -- Tokens ------------------------------------------------------------------------------------------------------------


@scene
def pieces(context: Context, models: Sequence[str], text: str) -> Scene:
    """How each model cuts a text."""
    rows = []
    for key in models:
        model = context.load(key)
        rows.append(draw_tokens.ModelCut(context.title(key), model.family.name, tokens.cut(model.tokenizer, text)))
    return Scene(((None, draw_tokens.strip(rows, context.look)),), "tokens", {"text": text, "models": models})


# -- Parameters --------------------------------------------------------------------------------------------------------


@scene
def sizes(context: Context, architectures: Sequence[str]) -> Scene:
    """What published architectures store, and what a text passes through."""
    view = draw_parameters.stacked_bars([counted(key) for key in architectures], context.look)
    return Scene(((None, view),), "parameters", {"architectures": architectures})


@scene
def drawings(context: Context, architectures: Sequence[str]) -> Scene:
    """Published architectures, drawn to one scale."""
    models = [counted(key) for key in architectures]
    scale = draw_parameters.scale_of(models)
    pictures = tuple((None, draw_parameters.stack(model, context.look, scale)) for model in models)
    return Scene(pictures, "parameters", {"architectures": architectures})


@scene
def published_claims(context: Context, about: Sequence[str]) -> Scene:
    """Published sizes beside those that are counted here. about: the beginnings of what the claims are of."""
    chosen = [claim for claim in claims.sizes() if claim.about.startswith(tuple(about))]
    if not chosen:
        raise LessonError(f"about: no claim begins with {', '.join(about)}. The Parameters page lists them.")
    view = draw_claims.checked(chosen, context.look, title="Published and counted")
    return Scene(((None, view),), "parameters", {})


def counted(key: str) -> CountedModel:
    """A published architecture with its sizes, without heads."""
    family, config = architecture(key)
    return CountedModel(find(key)[1].title, family.name, config, parameters.formula(config))


# -- Attention ---------------------------------------------------------------------------------------------------------


def attention_of(context: Context, key: str, text: str) -> attention.Attention:
    """Between the words of a text."""
    return context.of(key, "attention", lambda model: attention.of_words(model.trace(text)), text)


@scene
def one_head(context: Context, models: Sequence[str], text: str, layer: int, head: int) -> Scene:
    """Where the words look, in one head of each model."""

    def heat(key: str) -> View:
        words = attention_of(context, key, text)
        title = f"{context.title(key)}, layer {layer}, head {head}"
        return draw_attention.heat(
            words.mean(layer - 1, [head - 1]),
            words.units,
            colour=_colour(context, key),
            look=context.look,
            title=title,
        )

    link = {"text": text, "models": models, "layer": layer, "heads": [head]}
    return Scene(_side_by_side(models, heat), "attention", link)


@scene
def all_heads(context: Context, models: Sequence[str], text: str) -> Scene:
    """Every head of every layer, as thumbnails."""

    def thumbnails(key: str) -> View:
        words = attention_of(context, key, text)
        title, colour = f"{context.title(key)}, all heads", _colour(context, key)
        return draw_heads.thumbnails(words, heads.of(words), colour=colour, look=context.look, title=title)

    link = {"text": text, "models": models, "view": "All heads"}
    return Scene(_side_by_side(models, thumbnails), "attention", link)


@scene
def what_heads_do(context: Context, models: Sequence[str], text: str) -> Scene:
    """Six numbers of every head."""

    def measures(key: str) -> View:
        words = attention_of(context, key, text)
        title, colour = f"{context.title(key)}, what its heads do", _colour(context, key)
        return draw_heads.measures(heads.of(words), colour=colour, look=context.look, title=title)

    link = {"text": text, "models": models, "view": "What heads do"}
    return Scene(_side_by_side(models, measures), "attention", link)


# -- Kernels -----------------------------------------------------------------------------------------------------------


@scene
def kernels_of_text(context: Context, model: str, text: str, layer: int, head: int) -> Scene:
    """The kernel of every token, in one convolution head."""
    made = context.of(model, "kernels", lambda loaded: kernels.of(loaded.trace(text)), text)
    title, colour = f"{context.title(model)}, layer {layer}, head {head}", _colour(context, model)
    view = draw_kernels.heat(made, layer - 1, head - 1, colour=colour, look=context.look, title=title)
    link = {"text": text, "models": [model], "view": "Whole text", "layer": layer}
    return Scene(((model, view),), "kernels", link)


@scene
def whole_block(context: Context, model: str, text: str, layer: int) -> Scene:
    """The attention heads of a block above its convolution heads."""

    def both(loaded: Model) -> tuple[attention.Attention, kernels.Kernels]:
        trace = loaded.trace(text)
        return attention.of_pieces(trace), kernels.of(trace)

    weights, made = context.of(model, "block", both, text)
    title, colour = f"{context.title(model)}, layer {layer}", _colour(context, model)
    view = draw_kernels.mixed_block(weights, made, layer - 1, colour=colour, look=context.look, title=title)
    link = {"text": text, "models": [model], "view": "The block", "layer": layer}
    return Scene(((model, view),), "kernels", link)


@scene
def moved_kernels(context: Context, model: str, text: str, other: str) -> Scene:
    """How far the kernels of the words that two texts share lie apart."""
    change = context.of(model, "change", lambda loaded: kernels.change(loaded, text, other), text, other)
    view = draw_kernels.changes(change, look=context.look, title=f"{context.title(model)}, how kernels moved")
    link = {"text": text, "models": [model], "view": "Why a span?", "edited": other}
    return Scene(((model, view),), "kernels", link)


@scene
def without_a_half(context: Context, model: str, text: str) -> Scene:
    """What the model still says when a half of its blocks, or what makes its kernels, is changed."""
    results = context.of(model, "ablations", lambda loaded: kernels.ablate(loaded, text), text)
    title, colour = f"{context.title(model)}, with something changed", _colour(context, model)
    view = kernel_numbers.ablated(results, colour=colour, look=context.look, title=title)
    return Scene(((model, view),), "kernels", {"text": text, "models": [model], "view": "Two halves"})


# -- Attribution -------------------------------------------------------------------------------------------------------


def attributed(context: Context, key: str, text: str, method: str) -> Attribution:
    """A model's first guess for the first blank, shared out among the words: its log-probability."""
    if method not in METHODS:
        raise LessonError(f"There is no method {method!r}. There are: {', '.join(METHODS)}.")
    return context.of(key, "attribution", lambda model: first_guess(model, text).attribute(method), text, method)


def first_guess(model: Model, text: str) -> Question:
    """The question why a model guesses what it guesses."""
    encoding = model.encode(text)
    return Question(model, encoding, attribution.token(model, encoding, scale="log-probability"))


@scene
def deciding_words(context: Context, models: Sequence[str], text: str, method: str = "integrated-gradients") -> Scene:
    """The text, each word coloured by what it adds to the model's first guess."""

    def words(key: str) -> View:
        result = attributed(context, key, text, method)
        model = context.load(key)
        title = f"{context.title(key)}, {result.target.describe(model)}, {METHODS[method].title}"
        return draw_attribution.words(result, context.look, title=title, numbers=True)

    link = {"text": text, "models": models, "method": method}
    return Scene(_side_by_side(models, words), "attribution", link)


@scene
def methods(context: Context, model: str, text: str, names: Sequence[str]) -> Scene:
    """What several methods say about the same guess, and how far they put the words in the same order."""
    results = {METHODS[name].title: attributed(context, model, text, name) for name in names}
    values = [result.values[result.own] for result in results.values()]
    correlations = attribution.agreement(values, [METHODS[name].signed for name in names])
    title = context.title(model)
    pictures = (
        (model, draw_attribution.heat(results, look=context.look, title=f"{title}, by method", row="method")),
        (
            model,
            draw_attribution.agreement(list(results), correlations, look=context.look, title=f"{title}, agreement"),
        ),
    )
    return Scene(pictures, "attribution", {"text": text, "models": [model], "view": "Methods"})


@scene
def words_taken_away(context: Context, model: str, text: str, method: str) -> Scene:
    """The answer while words go, those that a method finds most important first, beside random orders."""
    result = attributed(context, model, text, method)
    curves = context.of(model, "curves", lambda loaded: first_guess(loaded, text).curves(result), text, method)
    title = f"{context.title(model)}, {METHODS[method].title}"
    view = draw_attribution.curves(curves, look=context.look, title=title)
    link = {"text": text, "models": [model], "view": "Trust", "method": method}
    return Scene(((model, view),), "attribution", link)


# -- Layers ------------------------------------------------------------------------------------------------------------


def lens_of(context: Context, key: str, text: str) -> lens.Lens:
    """What the head of a model would say in every layer."""
    return context.of(key, "lens", lambda model: lens.lens(model, text), text)


def blank_of(made: lens.Lens) -> int:
    """The position of the first blank."""
    if not made.encoding.mask_positions:
        raise LessonError("The lens looks at a blank: write [MASK] in the text.")
    return made.encoding.mask_positions[0]


@scene
def layer_by_layer(context: Context, models: Sequence[str], text: str) -> Scene:
    """The likeliest words for the blank, layer after layer."""

    def guesses_of(key: str) -> View:
        made, family = lens_of(context, key, text), context.load(key).family.name
        return draw_layers.guesses_table(
            made, blank_of(made), family=family, title=context.title(key), look=context.look
        )

    return Scene(_side_by_side(models, guesses_of), "layers", {"text": text, "models": models})


@scene
def through_the_layers(context: Context, models: Sequence[str], text: str, measure: str = "probability") -> Scene:
    """A number of the blank, layer after layer, of all models."""
    lines = []
    for key in models:
        made, family = lens_of(context, key, text), context.load(key).family.name
        position, title = blank_of(made), context.title(key)
        lines.append(draw_layers.curve(made, measure=measure, position=position, title=title, family=family))
    view = draw_layers.curves(lines, measure=measure, look=context.look)
    return Scene(((None, view),), "layers", {"text": text, "models": models, "measure": measure})


@scene
def surprises(context: Context, models: Sequence[str], text: str) -> Scene:
    """How many bits each word costs each model."""
    scores = [
        (
            draw_layers.Row(context.title(key), context.load(key).family.name),
            context.of(key, "surprise", lambda model: surprise.surprise(model, text), text),
        )
        for key in models
    ]
    view = draw_layers.surprise_table(scores, context.look)
    return Scene(((None, view),), "layers", {"text": text, "models": models, "part": "surprise"})
