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
from bortlab.registry import lenses
from bortlab.system.numbers import duration, percent
from bortlab.training import lens as tuning
from bortlab.ui import opened, shared
from bortlab.ui.job_panel import Labels, job_panel
from bortlab.views import layers as view
from bortlab.views.escape import markdown, visible
from bortlab.work.reference import can_be_loaded_again

COLUMNS = 2
PARTS = {"lens": "The lens", "surprise": "Surprise", "sentences": "Sentences"}
LENSES = ("plain", "tuned")
LENS_HELP = (
    "The tuned lens moves each layer's states to where the head can read them. The bundled models bring one; for other "
    "models it is trained here, by a button."
)
TRAIN_HELP = "Trains one affine map a layer, and nothing else, on the bundled corpus, and keeps them on this machine."
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
* The **tuned lens** corrects for that: for each layer an affine map `h + W h + b`, trained on running text to make
  the KL as small as it can be (Belrose et al. 2023, arXiv 2303.08112); model and head stay as they are. What it gained
  on text it has not seen stands below it. It may also say what the layer does not "know" but only predicts.
* ALBERT uses one block again and again: each use is a layer of its own here.
"""


@dataclass(frozen=True, slots=True)
class Inside:
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


Views = Mapping[str, Inside]


def choose_part() -> str:
    """Which part of the page: "lens", "surprise" or "sentences"."""
    chosen = st.segmented_control(
        "Look at",
        list(PARTS),
        format_func=PARTS.__getitem__,
        default="lens",
        key="part",
        bind="query-params",
        required=True,
        label_visibility="collapsed",
    )
    return chosen or "lens"


def look_through(keys: Sequence[str], text: str, lens: str) -> Views:
    """What each model's head would say in every layer; a model that cannot says why in its place.

    lens: "tuned" for the tuned one too.
    """
    views = {}
    for key in keys:
        with shared.sentences():
            model = opened.load(key)
            if lens == "tuned":
                question = ("tuned lens", text, lenses.stamp(model.key, model.revision))
                views[key] = Inside(model, *shared.ask(model, question, lambda model: _look(model, text)))
            else:
                plain_lens = shared.ask(model, ("lens", text), lambda model: analysis.lens(model, text))
                views[key] = Inside(model, plain_lens, None, {})
    if not keys:
        st.info("Choose at least one model in the sidebar.")
    elif not text.strip():
        st.info("The box is empty: only the templates are left. Write a sentence.")
    return views


def _look(model: Model, text: str) -> tuple[Lens, Lens | None, Mapping[str, Any]]:
    """Through the plain lens and the tuned one, with its card, where it has one."""
    plain, tuned = analysis.lens(model, text), tuning.read_lens(model)
    if tuned is None:
        return plain, None, {}
    return plain, analysis.lens(model, text, tuned=tuned.lens), tuned.card


def controls(text: str) -> tuple[str, int, str]:
    """What the cells show, the number of the word that is looked at closely, and which lens: "plain" or "tuned"."""
    words = words_of(text)[:WORDS]
    blank = next((number for number, word in enumerate(words) if word.is_mask), None)
    with st.container(horizontal=True):
        measure = st.selectbox(
            "Show",
            list(view.MEASURES),
            format_func=view.MEASURES.__getitem__,
            key="measure",
            bind="query-params",
            width=290,
        )
        labels = {number: _word(words, number) for number in (FIRST, *range(len(words)))}
        with shared.labelled_anew("word", labels):
            chosen = st.selectbox(
                "Look closely at",
                list(labels),
                format_func=labels.__getitem__,
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
    shared.left_out({key: inside.plain.encoding for key, inside in views.items()})
    if any(len(inside.plain.own) > view.SHOWN for inside in views.values()):
        st.info(f"{view.SHOWN} pieces around the chosen word are drawn; the table below has all.")
    if not any(inside.plain.own for inside in views.values()):
        return
    for key, column in shared.grid(list(views), COLUMNS, stretch=False):
        inside = views[key]
        family, focus = inside.model.family.name, inside.plain.position_of(word)
        with column:
            shared.name_card(inside.model, [], head=inside.model.heads["masked-lm"])
            table = view.lens_table(
                inside.through(lens), measure=measure, focus=focus, family=family, title=inside.title, look=look
            )
            shared.picture(table, f"lens-{key}")
            if lens == "tuned":
                _about_lens(inside)
    st.caption(
        "A frame marks the layer from which on the answer stays the same. Only the last row is what the model says: "
        "the head was trained on that layer alone, so the rows above are an approximation."
    )


def _about_lens(inside: Inside) -> None:
    """What the tuned lens of a model is worth; or a button that trains one, beneath the plain one."""
    if inside.tuned is None:
        if inside.model.heads["masked-lm"] == "random":
            st.caption("Its head is random: a lens would be tuned to noise. Adapt the model first, on Predict.")
        elif can_be_loaded_again(inside.model):
            st.caption("This is the plain lens; it has no tuned one yet.")
            seconds = shared.ask(inside.model, ("seconds to fit the lens",), tuning.estimated_seconds)
            labels = Labels(
                doing="Training the lens",
                start="Train a lens here",
                resume="Resume training this lens",
                note=f"It takes {duration(seconds)} on this machine, in the background.",
                help=TRAIN_HELP,
                icon=":material/build:",
            )
            job_panel(tuning.job(inside.model), labels)
        return
    plain, tuned = (inside.card["heldout"][lens]["hidden"] for lens in LENSES)
    names = ["in", *map(str, range(1, inside.plain.depth))]
    gains = ", ".join(
        f"{name}: {before:.1f} → {after:.1f}"
        for name, before, after in zip(names, plain["divergence_bits"], tuned["divergence_bits"], strict=True)
    )
    st.caption(
        f"Tuned on {inside.card['pieces_seen']:,} pieces in {duration(inside.card['seconds'])}. On "
        f"{plain['pieces']:,} hidden pieces that it has not read, bits from the final distribution by layer, "
        f"plain → tuned: {gains}."
    )


def findings(views: Views, text: str, word: int, lens: str) -> None:
    """What can be read from the tables about the chosen word."""
    words = words_of(text)
    places = {
        key: position for key, inside in views.items() if (position := inside.plain.position_of(word)) is not None
    }
    if not places or word >= len(words):
        return
    lines = []
    for key, position in places.items():
        lines.append(f"{markdown(views[key].title)} {settling(views[key].through(lens), position)}")
    what = "the blank" if words[word].is_mask else f"**{markdown(visible(words[word].text))}**"
    st.markdown(f"At {what}: " + " ".join(lines))


def settling(lens: Lens, position: int) -> str:
    """In Markdown, what the last layer says at a position, and from which layer on; ValueError where it is NaN."""
    answer, chance = lens.guess(lens.depth, position)
    guess, settled = f"**{markdown(plain(answer))}** ({percent(chance)})", int(lens.settled[position])
    if settled == 0:
        return f"says {guess} from the embeddings on."
    if settled < lens.depth:
        return f"settles on {guess} in layer {settled} of {lens.depth}."
    before = plain(lens.guess(lens.depth - 1, position)[0])
    was = "another piece that reads alike" if before == plain(answer) else f"**{markdown(before)}**"
    return f"says {guess} only in its last layer; before, it was {was}."


def closely(views: Views, measure: str, word: int, lens: str) -> None:
    """The chosen word through the layers, all models in one picture."""
    measure = "probability" if measure == "guess" else measure  # of one piece throughout
    places = {
        key: position for key, inside in views.items() if (position := inside.plain.position_of(word)) is not None
    }
    if not places:
        return
    lines = [
        view.curve(lens_view, measure=measure, position=position, title=inside.title, family=inside.model.family.name)
        for key, position in places.items()
        for inside in [views[key]]
        for lens_view in (
            [inside.plain, inside.tuned] if lens == "tuned" and measure in view.OF_THE_HEAD else [inside.plain]
        )
        if lens_view is not None
    ]
    look = shared.look()
    shared.picture(view.curves(lines, measure=measure, look=look), "curves")
    with st.expander("The first guesses there, in every layer"):
        for key, position in places.items():
            inside, family = views[key], views[key].model.family.name
            shared.name_card(inside.model, [])
            table = view.guesses_table(inside.through(lens), position, family=family, title=inside.title, look=look)
            shared.picture(table, f"guesses-{key}")


def take_away(views: Views, text: str, measure: str, word: int, lens: str) -> None:
    """Table, CSV, link and Python of the lens."""
    of_one = "probability" if measure == "guess" else measure
    if views:
        is_tuned = any(inside.through(lens).tuned for inside in views.values())
        tuned = ", tuned=(tuning.read_lens(model) or tuning.fit(model)).lens" if is_tuned else ""
        shared.take_away(
            analysis.frame(
                [(key, each) for key, inside in views.items() for each in (inside.plain, inside.tuned) if each]
            ),
            name="layers",
            python=(
                "import bortlab\nfrom bortlab.analysis import lens\nfrom bortlab.views import layers as draw\n"
                "from bortlab.views.theme import Look\n"
                + ("from bortlab.training import lens as tuning\n" if tuned else "")
                + f"\nmodels = [{', '.join(map(opened.python, views))}]\n"
                f"views = [(model.key, lens.lens(model, {text!r}{tuned})) for model in models]\n"
                f"look, curves = Look({shared.look().mode!r}), []\n"
                "for model, (key, view) in zip(models, views):\n"
                f"    position, family = view.position_of({word}), model.family.name\n"
                f"    draw.lens_table(\n        view, measure={measure!r}, focus=position, family=family, title=key, "
                "look=look,\n    ).show()\n"
                "    if position is not None:\n"
                f"        curve = draw.curve(view, measure={of_one!r}, position=position, title=key, family=family)\n"
                "        curves.append(curve)\n"
                f"draw.curves(curves, measure={of_one!r}, look=look).show()\n"
            ),
        )
