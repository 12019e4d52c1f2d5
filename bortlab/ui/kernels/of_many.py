"""Kernels in numbers, layer by layer, and what attention and convolution each do for the prediction."""

from __future__ import annotations

import streamlit as st

from bortlab.analysis import kernels as analysis
from bortlab.analysis.kernels import Contributions, Survey
from bortlab.model import Model
from bortlab.system.numbers import percent
from bortlab.text import MASK
from bortlab.ui import shared
from bortlab.ui.kernels.choosing import Views, kernels_of, take_away, title
from bortlab.ui.kernels.of_text import FIXED
from bortlab.views import kernel_numbers as draw
from bortlab.views.escape import markdown
from bortlab.views.view import View


def by_layer(model: Model, text: str) -> None:
    """Kernels in numbers, of this text and of many."""
    shared.heading(model)
    look, colour = shared.look(), shared.colour(model)
    kernels = kernels_of(model, text)
    of_tokens = analysis.statistics(kernels.weights[:, :, kernels.own])
    means = analysis.KernelStatistics(*(getattr(of_tokens, name).mean(-1) for name in analysis.MEASURES))
    st.markdown("**In this text**: means over its tokens")
    here = draw.measures(means, len(kernels.taps), colour=colour, look=look, title=title(model, "kernels of this text"))
    shared.picture(here, f"measures-{model.key}")
    survey = shared.ask(model, ("survey",), lambda model: analysis.survey(model, analysis.sample()))
    st.markdown(
        f"**Over {survey.n_texts} sentences** of the held-out corpus: mean kernels, and how far single ones lie"
    )
    many = draw.preferences(survey, colour=colour, look=look, title=title(model, "what kernels prefer"))
    shared.picture(many, f"survey-{model.key}")
    st.markdown(survey_sentence(survey))
    take_away(
        model,
        text,
        [here, many],
        lines="survey = analysis.survey(model, analysis.sample())\n"
        "kernel_numbers.preferences(survey, colour=colour, look=look, title='what kernels prefer').show()\n",
    )


def survey_sentence(survey: Survey) -> str:
    """Which layers have kernels that depend on the token, and which do not."""
    dynamic = [bool(float(row.max()) >= FIXED) for row in survey.spread]
    sentences = []
    if not all(dynamic):
        sentences.append(
            f"In {_layers([not changes for changes in dynamic])} every token has practically the same kernel: training "
            "turned this convolution into a fixed one, most often a plain shift."
        )
    if any(dynamic):
        most = int(survey.spread.mean(1).argmax())
        sentence = f"Kernels are truly dynamic in {_layers(dynamic)}"
        share = f"{percent(float(survey.spread[most].mean()))} from their mean"
        most_of_all = f"most in layer {most + 1}: {share}" if sum(dynamic) > 1 else f"where they differ by {share}"
        sentences.append(f"{sentence}, {most_of_all}.")
    return " ".join(sentences)


def _layers(chosen: list[bool]) -> str:
    """The layers that are chosen, by their numbers from 1."""
    numbers = [str(number) for number, is_chosen in enumerate(chosen, 1) if is_chosen]
    return f"layer{'s' if len(numbers) > 1 else ''} {shared.names(numbers)}"


def halves(model: Model, text: str) -> None:
    """What attention and convolution add, and what happens without either."""
    shared.heading(model)
    question = ("contributions", text)
    contributions = shared.ask(model, question, lambda model: analysis.contributions(model, model.trace(text)))
    st.markdown("**Which half adds more**: the convolution's part of the two halves' lengths; blue is convolution")
    view = draw.halves(contributions, colour=shared.colour(model), look=shared.look(), title=title(model, "halves"))
    shared.picture(view, f"halves-{model.key}")
    st.markdown(halves_sentence(contributions))
    views: Views = [view]
    if model.heads.get("masked-lm") is None:
        st.info("This model was loaded without a masked-LM head, so it predicts nothing.")
    else:
        views.append(_what_if(model, text))
    take_away(
        model,
        text,
        views,
        lines="added = analysis.contributions(model, trace)\n"
        "kernel_numbers.halves(added, colour=colour, look=look, title='two halves').show()\n"
        f"results = analysis.ablate(model, {text!r})\n"
        "kernel_numbers.ablated(results, colour=colour, look=look, title='what if').show()\n",
    )


def halves_sentence(contributions: Contributions) -> str:
    """In Markdown, in which layers the convolution adds most and least."""
    convolution, attention = contributions.convolution.mean(1), contributions.attention.mean(1)
    shares = convolution / (convolution + attention).clamp_min(1e-30)
    most, least = int(shares.argmax()), int(shares.argmin())
    if most == least:
        return f"In every layer the convolution adds {percent(float(shares[most]))} of the two lengths."
    return (
        f"The convolution adds most in layer **{most + 1}** ({percent(float(shares[most]))} of the two lengths), least "
        f"in layer **{least + 1}** ({percent(float(shares[least]))})."
    )


def _what_if(model: Model, text: str) -> View:
    """The prediction with something changed, in layers that the visitor chooses."""
    st.markdown("**What if …**: the prediction with something changed, and how much of it moved")
    numbers = range(1, model.config.depth + 1)
    chosen = st.multiselect("In layers", numbers, default=list(numbers), key=f"in-{model.key}", width="stretch")
    layers = tuple(sorted(number - 1 for number in chosen))
    results = shared.ask(model, ("ablate", text, layers), lambda model: analysis.ablate(model, text, layers=layers))
    view = draw.ablated(results, colour=shared.colour(model), look=shared.look(), title=title(model, "what if"))
    shared.picture(view, f"ablated-{model.key}")
    if MASK not in text:
        st.caption(f"There is no blank: this is the mean over all tokens. Write {markdown(MASK)} to see guesses.")
    if model.heads["masked-lm"] == "random":
        st.caption("This model's masked-LM head is random, so its guesses mean nothing.")
    return view
