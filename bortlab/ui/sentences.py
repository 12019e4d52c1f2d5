"""The parts of the Layers page that compare whole sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from bortlab.analysis import embeddings as analysis
from bortlab.analysis.embeddings import Embedded, Plane, Pool
from bortlab.model import Model
from bortlab.system.numbers import fixed
from bortlab.ui import opened, shared
from bortlab.views import layers as view
from bortlab.views.escape import markdown
from bortlab.views.prose import counted

COLUMNS = 2
SENTENCES = 12
DEFAULT = (
    "A cat is a small animal.",
    "The dog is an animal that barks.",
    "Paris is the capital of France.",
    "Rome is the capital of Italy.",
    "God created the heavens and the earth.",
    "In the beginning was the Word.",
)
POOLS: Mapping[Pool, str] = {"mean": "mean of the pieces", "first": "first piece"}

EXPLANATION = f"""
A **sentence vector** is the mean of the states of a sentence's own pieces in one layer, or the state of the template's
first piece (`[CLS]`, `<s>`). **Similarity** is the cosine of two vectors.

* These models were trained to fill blanks, not to compare sentences: a small model's similarities say as much about
  length and common words as about meaning (Reimers and Gurevych 2019, arXiv 1908.10084).
* In many layers *all* vectors point the same way, so all cosines are high (Ethayarajh 2019, arXiv 1909.00512). **Take
  the mean away** first to see what differs; with few sentences about half of the cosines are negative then.
* The map is **PCA**: the two directions in which the vectors differ most, with their share of the variance. UMAP is
  offered where `umap-learn` is installed; its axes and distances mean nothing, only who is near whom does.
* Up to {SENTENCES} sentences, one a line. Layer 0 is what enters the first layer.
"""

EmbeddedByModel = Mapping[str, tuple[Model, Embedded]]


def box() -> tuple[str, ...]:
    """The sentences, one a line, in a box and in the link."""
    text = st.text_area(
        "Your sentences, one a line",
        value="\n".join(DEFAULT),
        key="sentences",
        bind="query-params",
        persist_state="session",
        height=180,
    )
    lines = [line.strip() for line in (text or "")[: shared.LONGEST_TEXT].splitlines() if line.strip()]
    if len(lines) > SENTENCES:
        st.warning(f"Up to {SENTENCES} sentences at once; the other {len(lines) - SENTENCES:,} are left out.")
    return tuple(lines[:SENTENCES])


@dataclass(frozen=True, slots=True)
class Choice:
    """What is shown: the kind of vector, a layer (0: what enters the first), with or without the mean, kind of map."""

    pool: Pool
    layer: int
    centred: bool
    map: str


def embed(keys: Sequence[str], texts: Sequence[str]) -> tuple[EmbeddedByModel, Choice]:
    """The sentences under each model, and what to show of them; a model that cannot says why in its place."""
    controls = st.container(horizontal=True, vertical_alignment="bottom", gap="medium")
    with controls:
        pool = st.segmented_control(
            "Vector",
            list(POOLS),
            format_func=POOLS.__getitem__,
            default="mean",
            key="pool",
            bind="query-params",
            required=True,
        )
    by_model = {}
    for key in keys if texts else ():
        with shared.sentences():
            model = opened.load(key)
            question = ("sentences", tuple(texts), pool)
            embedded = shared.ask(model, question, lambda model: analysis.embed(model, texts, pool=pool or "mean"))
            by_model[key] = (model, embedded)
    if not keys:
        st.info("Choose at least one model in the sidebar.")
    elif not texts:
        st.info("The box is empty. Write some sentences, one a line.")
    deepest = max((embedded.depth for _, embedded in by_model.values()), default=1)
    with controls:
        layer = st.slider(
            "Layer",
            0,
            deepest,
            deepest,
            key="layer",
            bind="query-params",
            width=240,
            help="0: what enters the first layer. A model of fewer layers shows its last.",
        )
        kind = "PCA"
        if analysis.has_umap():
            kind = st.segmented_control(
                "Map",
                ["PCA", "UMAP"],
                default="PCA",
                key="map",
                bind="query-params",
                required=True,
                help="The first UMAP of a server is compiled, which may take a minute.",
            )
        centred = st.toggle(
            "Take the mean away", key="centred", bind="query-params", help="Of all sentences, from each of them."
        )
    return by_model, Choice(pool or "mean", layer, centred, kind or "PCA")


def show(by_model: EmbeddedByModel, choice: Choice) -> None:
    """Similarity and map of every model, in one layer."""
    if not by_model:
        return
    look = shared.look()
    texts = next(iter(by_model.values()))[1].texts
    st.markdown("\n".join(f"{number}. {markdown(text)}" for number, text in enumerate(texts, 1)))
    for key, column in shared.grid(list(by_model), COLUMNS, stretch=False):
        model, embedded = by_model[key]
        layer = min(choice.layer, embedded.depth)
        row = view.Row(opened.title(key), model.family.name)
        facts = [f"layer {layer} of {embedded.depth}"]
        with column:
            shared.name_card(model, facts)
            cosines = embedded.similarity(layer, centred=choice.centred)
            shared.picture(view.similarity_table(cosines, row, look), f"similarity-{key}")
            if len(texts) > 1:
                plane = _plane(model, embedded, layer, choice.map)
                shared.picture(view.plane_map(plane, texts, row, look), f"plane-{key}")


def _plane(model: Model, embedded: Embedded, row: int, kind: str) -> Plane:
    if kind == "PCA" or len(embedded.texts) < 4:
        return analysis.pca(embedded.vectors[row])
    question = ("umap", embedded.texts, row, embedded.vectors[row].tobytes())
    return shared.ask(model, question, lambda _: analysis.umap(embedded.vectors[row]))


def findings(by_model: EmbeddedByModel, choice: Choice) -> None:
    """What can be read from the tables, and the mean similarity layer after layer."""
    if not by_model or len(next(iter(by_model.values()))[1].texts) < 2:
        return
    lines = []
    for key, (_, embedded) in by_model.items():
        cosines = embedded.similarity(embedded.depth, centred=choice.centred)
        lines.append(f"{markdown(opened.title(key))}: {similarity_sentence(cosines)}")
    st.markdown("In the last layer: " + " ".join(lines))
    curves = [
        (
            view.Row(opened.title(key), model.family.name),
            [embedded.mean_similarity(row, centred=choice.centred) for row in range(embedded.depth + 1)],
        )
        for key, (model, embedded) in by_model.items()
    ]
    shared.picture(view.mean_curves(curves, shared.look()), "means")


def similarity_sentence(cosines: NDArray[np.float64]) -> str:
    """Which sentences, by their numbers from 1, are most and least similar. cosines: (n, n), n of at least 2.

    ValueError for cosines that are not finite.
    """
    if not np.isfinite(cosines).all():
        raise ValueError("Similarities that are not finite say nothing.")
    pairs: dict[str, list[str]] = {}
    for a, b in sorted(zip(*np.triu_indices(len(cosines), 1), strict=True), key=lambda pair: -cosines[pair]):
        pairs.setdefault(fixed(cosines[a, b], 2), []).append(f"{a + 1} and {b + 1}")
    high, low = next(iter(pairs)), next(reversed(pairs))
    most, least = pairs[high], pairs[low]
    if high == low:
        alone = len(most) == 1
        return f"{most[0]} have a similarity of {high}." if alone else f"all pairs are equally similar ({high})."
    return f"{most[0]} are most similar ({high}{_alike(most)}), {least[0]} least ({low}{_alike(least)})."


def _alike(pairs: Sequence[str]) -> str:
    """How many pairs are like the first."""
    return f", like {counted(len(pairs) - 1, 'other pair')}" if len(pairs) > 1 else ""


def take_away(by_model: EmbeddedByModel, texts: Sequence[str], choice: Choice) -> None:
    """Table, CSV, link and Python of the similarities."""
    if by_model:
        shared.take_away(
            analysis.frame({key: embedded for key, (_, embedded) in by_model.items()}, centred=choice.centred),
            name="sentences",
            python=(
                "import bortlab\nfrom bortlab.analysis import embeddings\nfrom bortlab.views import layers as draw\n"
                "from bortlab.views.theme import Look\n\n"
                f"models = [{', '.join(map(opened.python, by_model))}]\ntexts = {list(texts)!r}\n"
                f"by_model = {{model.key: embeddings.embed(model, texts, pool={choice.pool!r}) for model in models}}\n"
                "for model in models:\n"
                "    embedded, row = by_model[model.key], draw.Row(model.key, model.family.name)\n"
                f"    layer = min({choice.layer}, embedded.depth)\n"
                f"    cosines = embedded.similarity(layer, centred={choice.centred})\n"
                f"    draw.similarity_table(cosines, row, Look({shared.look().mode!r})).show()\n"
            ),
        )
