"""The parts of the Layers page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from bortlab.analysis import lens as analysis
from bortlab.analysis.lens import Lens
from bortlab.analysis.predict import Word, plain, words_of
from bortlab.model import Model
from bortlab.registry import fitted
from bortlab.system.numbers import duration, percent
from bortlab.training import lens as tuning
from bortlab.ui import fitting, opened, shared
from bortlab.views import layers as view
from bortlab.views.cards import model_heading
from bortlab.views.escape import markdown, visible
from bortlab.views.figures import CONFIG
from bortlab.work.reference import can_be_loaded_again

COLUMNS = 2
PARTS = {"lens": "The lens", "surprise": "Surprise", "sentences": "Sentences"}
LENSES = ("plain", "tuned")
LENS_HELP = "The tuned lens moves each layer's states to where the head can read them. It is fitted here, by a button."
FIT_HELP = "Fits one affine map a layer, and nothing else, on the bundled corpus, and keeps them on this machine."
FIRST = -1
"""The choice of the first blank, or of the first word where there is none."""
WORDS = 300
"""Words that can be looked at closely."""

LENS = """
The **lens** hands what leaves each layer to the model's own masked-LM head, as if it were the last: `softmax(head(h))`
for the states `h` of every layer and position ("logit lens", nostalgebraist 2020). Row 0 is what enters
the first layer.

* It is an **approximation**: the head was trained on the last layer's states alone. A strange word in an early layer
  may only mean that this layer writes in another way, not that the model believes it. The last row is exact.
* Only masks are really guessed. At a word that the model sees, the head mostly repeats it.
* **Answer**: the likeliest piece of the last layer. **Settled**: the first layer from which on the answer is the
  likeliest in every layer (framed). **Rank** 1 is the likeliest. **Entropy** `-Σ p log₂ p`: how undecided the head is.
  **KL** `Σ p_last log₂(p_last / p_layer)`: how far the layer's distribution is from the last one.
* **Similarity** is the cosine between a state and the one before it, **length** its norm. Both depend on each layer's
  norm weights, so compare them along a model rather than between models.
* The **tuned lens** corrects for that: for each layer an affine map `h + W h + b`, fitted on the bundled corpus to make
  the KL as small as it can be (Belrose et al. 2023, arXiv 2303.08112); model and head stay as they are. What it gained
  on text it has not seen stands below it. It may also say what the layer does not "know" but only predicts.
* ALBERT uses one block again and again: each use is a layer of its own here.
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """A model and what the lens shows of it; the tuned one with its card where one was fitted."""

    model: Model
    plain: Lens
    tuned: Lens | None
    card: Mapping[str, Any]

    @property
    def title(self) -> str:
        """The model's."""
        return opened.title(self.model.key)

    def through(self, lens: str) -> Lens:
        """The tuned lens if it is asked for and there, else the plain one."""
        return self.tuned if lens == "tuned" and self.tuned is not None else self.plain


Views = Mapping[str, Seen]


def choose_part() -> str:
    """Which part of the page: "lens", "surprise" or "sentences"."""
    chosen = st.segmented_control(
        "Look at", list(PARTS), format_func=PARTS.__getitem__, default="lens", key="part", bind="query-params",
        required=True, label_visibility="collapsed",
    )  # fmt: skip
    return chosen or "lens"


def look_through(keys: Sequence[str], text: str) -> Views:
    """What each model's head would say in every layer; a model that cannot says why in its place."""
    found = {}
    for key in keys:
        with shared.sentences():
            model = opened.load(key)
            stamp = fitted.stamp(model.key, model.revision, "lens")
            found[key] = Seen(model, *shared.ask(model, ("lens", text, stamp), lambda model: _look(model, text)))
    if not keys:
        st.info("Choose at least one model in the sidebar.")
    elif not text.strip():
        st.info("The box is empty: only the templates are left. Write a sentence.")
    return found


def _look(model: Model, text: str) -> tuple[Lens, Lens | None, Mapping[str, Any]]:
    """Through the plain lens and the tuned one, with its card, where one was fitted."""
    plain, found = analysis.lens(model, text), tuning.read_lens(model)
    if found is None:
        return plain, None, {}
    return plain, analysis.lens(model, text, tuned=found.lens), found.card


def controls(text: str) -> tuple[str, int, str]:
    """What the cells show, the number of the word that is looked at closely, and which lens: "plain" or "tuned"."""
    words = words_of(text)[:WORDS]
    blank = next((number for number, word in enumerate(words) if word.is_mask), None)
    with st.container(horizontal=True):
        measure = st.selectbox(
            "Show", list(view.MEASURES), format_func=view.MEASURES.__getitem__, key="measure", bind="query-params",
            width=290,
        )  # fmt: skip
        chosen = st.selectbox(
            "Look closely at",
            [FIRST, *range(len(words))],
            format_func=lambda number: _word(words, number),
            key="word",
            bind="query-params",
            width=220,
        )
        lens = st.segmented_control(
            "Lens", LENSES, default="plain", key="lens", bind="query-params", help=LENS_HELP, required=True
        )
    return measure, (blank or 0) if chosen == FIRST else chosen, lens or "plain"


def _word(words: Sequence[Word], number: int) -> str:
    if number == FIRST:
        return "the first blank" if any(word.is_mask for word in words) else "the first word"
    return f"{number + 1}. {visible(words[number].text)}"


def show(views: Views, measure: str, word: int, lens: str) -> None:
    """Every model's layers as a table."""
    look = shared.look()
    shared.left_out({key: seen.plain.encoding for key, seen in views.items()})
    if any(len(seen.plain.own) > view.SHOWN for seen in views.values()):
        st.info(f"{view.SHOWN} pieces around the chosen word are drawn; the table below has all.")
    if not any(seen.plain.own for seen in views.values()):
        return
    st.html(view.style(look))
    keys = list(views)
    for start in range(0, len(keys), COLUMNS):
        row = keys[start : start + COLUMNS]
        for key, column in zip(row, st.columns(COLUMNS if len(keys) > 1 else 1, gap="medium"), strict=False):
            seen = views[key]
            family = seen.model.family.name
            with column:
                heading = model_heading(seen.title, family, head=seen.model.heads["masked-lm"], facts=[], look=look)
                focus = seen.plain.position_of(word)
                table = view.lens_table(
                    seen.through(lens), measure=measure, focus=focus, family=family, title=seen.title, look=look
                )
                st.html(heading + table)
                if lens == "tuned":
                    _about_lens(seen)
    st.caption(
        "A frame marks the layer from which on the answer stays the same. Only the last row is what the model says: "
        "the head was trained on that layer alone, so the rows above are an approximation."
    )


def _about_lens(seen: Seen) -> None:
    """What the tuned lens of a model is worth; or a button that fits one, beneath the plain one."""
    if seen.tuned is None:
        if seen.model.heads["masked-lm"] == "random":
            st.caption("Its head is random: a lens would be tuned to noise. Fit the head first, on the Predict page.")
        elif can_be_loaded_again(seen.model):
            st.caption("This is the plain lens; no tuned one was fitted here yet.")
            seconds = shared.ask(seen.model, ("seconds to fit the lens",), tuning.estimated_seconds)
            fitting.panel(tuning.job(seen.model), seconds, what="lens", help=FIT_HELP)
        return
    plain, tuned = (seen.card["heldout"][lens]["hidden"] for lens in LENSES)
    names = ["in", *map(str, range(1, seen.plain.depth))]
    gains = ", ".join(
        f"{name}: {before:.1f} → {after:.1f}"
        for name, before, after in zip(names, plain["divergence_bits"], tuned["divergence_bits"], strict=True)
    )
    st.caption(
        f"Tuned on {seen.card['pieces_seen']:,} pieces in {duration(seen.card['seconds'])}. On "
        f"{plain['pieces']:,} hidden pieces that it has not seen, bits from the final distribution by layer, "
        f"plain → tuned: {gains}."
    )


def findings(views: Views, text: str, word: int, lens: str) -> None:
    """What can be read from the tables about the chosen word."""
    words = words_of(text)
    places = {key: position for key, seen in views.items() if (position := seen.plain.position_of(word)) is not None}
    if not places or word >= len(words):
        return
    lines = []
    for key, position in places.items():
        found, title = views[key].through(lens), markdown(views[key].title)
        answer, chance = found.guess(found.depth, position)
        said, settled = f"**{markdown(plain(answer))}** ({percent(chance)})", int(found.settled[position])
        if settled == found.depth:
            before, _ = found.guess(found.depth - 1, position)
            lines.append(f"{title} says {said} only in its last layer; before, it was **{markdown(plain(before))}**.")
        elif settled == 0:
            lines.append(f"{title} says {said} from the embeddings on.")
        else:
            lines.append(f"{title} settles on {said} in layer {settled} of {found.depth}.")
    what = "the blank" if words[word].is_mask else f"**{markdown(visible(words[word].text))}**"
    st.markdown(f"At {what}: " + " ".join(lines))


def closely(views: Views, measure: str, word: int, lens: str) -> None:
    """The chosen word through the layers, all models in one picture."""
    measure = "probability" if measure == "guess" else measure  # of one piece throughout
    places = {key: position for key, seen in views.items() if (position := seen.plain.position_of(word)) is not None}
    if not places:
        return
    lines = [
        view.curve(found, measure=measure, position=position, title=seen.title, family=seen.model.family.name)
        for key, position in places.items()
        for seen in [views[key]]
        for found in ([seen.plain, seen.tuned] if lens == "tuned" and measure in view.SPOKEN else [seen.plain])
        if found is not None
    ]
    look = shared.look()
    st.plotly_chart(
        view.curves(lines, measure=measure, look=look),
        theme=None, config=CONFIG, key="curves", alt=view.curves_alternative(lines, measure),
    )  # fmt: skip
    with st.expander("The first guesses there, in every layer"):
        for key, position in places.items():
            seen, family = views[key], views[key].model.family.name
            heading = model_heading(seen.title, family, head=None, facts=[], look=look)
            table = view.guesses_table(seen.through(lens), position, family=family, title=seen.title, look=look)
            st.html(heading + table)


def take_away(views: Views, text: str, lens: str) -> None:
    """Table, CSV, link and Python of the lens."""
    if views:
        is_tuned = any(seen.through(lens).tuned for seen in views.values())
        tuned = ", tuned=(tuning.read_lens(model) or tuning.fit(model)).lens" if is_tuned else ""
        shared.take_away(
            analysis.frame(
                [(key, found) for key, seen in views.items() for found in (seen.plain, seen.tuned) if found]
            ),
            name="layers",
            python=(
                "import bortlab\nfrom bortlab.analysis import lens\n"
                + ("from bortlab.training import lens as tuning\n" if tuned else "")
                + f"\nmodels = [{', '.join(map(opened.python, views))}]\n"
                f"found = [(model.key, lens.lens(model, {text!r}{tuned})) for model in models]\n"
                "print(lens.frame(found))\n"
            ),
        )
