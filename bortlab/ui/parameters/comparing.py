"""Several models side by side, and the inside of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import streamlit as st

from bortlab.analysis import flops
from bortlab.analysis import parameters as analysis
from bortlab.models import Config
from bortlab.models.formula import SYMBOLS, readable
from bortlab.system.numbers import data_size, percent, short_count
from bortlab.ui import shared
from bortlab.ui.parameters.setting import Setting, activation_memory
from bortlab.views import parameters as draw
from bortlab.views.escape import markdown
from bortlab.views.parameters import CountedModel
from bortlab.views.prose import names

if TYPE_CHECKING:
    import pandas

COLUMNS = 3


def show(models: Mapping[str, CountedModel], setting: Setting) -> None:
    """All models as bars, what can be read from them, and the numbers."""
    if not models:
        return
    shared.picture(draw.stacked_bars(list(models.values()), shared.look()), key="bars")
    st.caption("Thick: stored. Thin: executed, with every use of a block, and of the word table, counted.")
    st.markdown(findings(list(models.values())))
    st.dataframe(
        _overview(models, setting),
        hide_index=True,
        width="stretch",
        column_config={
            name: st.column_config.NumberColumn(name, format="localized")
            for name in ("stored", "tied", "executed", "effective size")
        },
        alt="Sizes, work and memory of each model",
    )


def findings(models: Sequence[CountedModel]) -> str:
    """Which model stores least, which executes most of what it stores, and where the embeddings are largest."""
    sentences = [_fewest(models)]
    reused = max(models, key=lambda model: model.sizes.executed / model.sizes.stored)
    if reused.sizes.tied:
        times = reused.sizes.executed / reused.sizes.stored
        sentences.append(
            f"A text passes through {short_count(reused.sizes.executed)} weights in {markdown(reused.title)}, "
            f"{times:.1f} times what it stores: sharing saves memory, not work."
        )
    embeddings = [model.sizes.by_component()["embeddings"] / model.sizes.stored for model in models]
    most, least = (embeddings.index(end(embeddings)) for end in (max, min))
    high, low = percent(embeddings[most]), percent(embeddings[least])
    if high == low:
        sentence = f"Embeddings are {high} of {'each' if len(models) > 1 else markdown(models[most].title)}"
    else:
        sentence = f"Embeddings are {high} of {markdown(models[most].title)}, and {low} of "
        sentence += markdown(models[least].title)
    return " ".join([*sentences, f"{sentence}."])


def _fewest(models: Sequence[CountedModel]) -> str:
    """Which models store the fewest weights, and how many times fewer than the largest."""
    low, high = (end(model.sizes.stored for model in models) for end in (min, max))
    fewest = names([f"**{markdown(model.title)}**" for model in models if model.sizes.stored == low])
    largest = names([f"**{markdown(model.title)}**" for model in models if model.sizes.stored == high])
    if len(models) == 1:
        return f"{fewest} stores {short_count(low)} weights."
    if low == high:
        return f"{fewest} store {short_count(low)} weights each."
    times, verb = high / low, "stores" if sum(model.sizes.stored == low for model in models) == 1 else "store"
    fewer = f", {times:.1f} times fewer than {largest}" if times >= 1.05 else f", hardly fewer than {largest}"
    return f"{fewest} {verb} the fewest weights, {short_count(low)}{fewer}."


def _overview(models: Mapping[str, CountedModel], setting: Setting) -> pandas.DataFrame:
    import pandas

    rows = []
    for model in models.values():
        row: dict[str, object] = {
            "model": model.title,
            "stored": model.sizes.stored,
            "tied": model.sizes.tied,
            "executed": model.sizes.executed,
            "effective size": model.sizes.effective,
            f"weights, {setting.dtype}": data_size(model.sizes.n_bytes(setting.dtype)),
        }
        try:
            row |= _costs(model.family, model.config, setting)
        except ValueError as error:
            st.warning(f"{markdown(model.title)}: {markdown(str(error))}")
        rows.append(row)
    return pandas.DataFrame(rows)


def _costs(family: str, config: Config, setting: Setting) -> dict[str, object]:
    work = flops.work(config, setting.heads(family), batch=setting.batch, seq=setting.seq)
    memory = activation_memory(family, config, setting)
    return {
        "MACs per piece": short_count(work.macs_per_piece),
        "FLOPs in all": f"{short_count(work.flops)}FLOP",
        "peak activations": data_size(memory.peak),
        "kept for training": data_size(memory.kept),
    }


def architectures(models: Mapping[str, CountedModel]) -> None:
    """Every model drawn to the same scale."""
    if not models:
        return
    st.header("Drawn to one scale", anchor=False)
    look, scale = shared.look(), draw.scale_of(list(models.values()))
    for model, column in shared.grid(list(models.values()), COLUMNS, stretch=False):
        with column:
            st.markdown(f"**{markdown(model.title)}**")
            shared.drawing(draw.stack(model, look, scale))
    st.caption(
        "A row is a layer: attention, H wide, below the feed-forward part, I wide. Pale: a block that is used again."
    )


# -- one model ---------------------------------------------------------------------------------------------------------


def inside(models: Mapping[str, CountedModel], setting: Setting) -> None:
    """One model: its proportions, its block, its formula, its layers."""
    if not models:
        return
    st.header("Inside one model", anchor=False)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        key = st.selectbox("Model", list(models), key="inside", bind="query-params", width=280)
        kind = st.segmented_control(
            "As", ("sunburst", "treemap"), default="sunburst", key="kind", bind="query-params", required=True
        )
    model, look = models[key if key in models else next(iter(models))], shared.look()
    left, right = st.columns(2, gap="medium")
    with left:
        shared.picture(draw.proportions(model, look, "treemap" if kind == "treemap" else "sunburst"), key="proportions")
        st.caption("Click on a part to open it; click on the middle, or on the top, to go back.")
    with right:
        shared.drawing(draw.one_block(model, look))
        st.caption("One block, from below, with the shapes of its matrices.")
    for tie in model.sizes.ties:
        st.markdown(f"* Stored once, used {tie.uses} times: {tie.what}, {tie.weights:,} weights.")
    _formula(model, setting)
    with st.expander("Layer by layer"):
        st.dataframe(
            analysis.layers_frame(model.sizes),
            hide_index=True,
            width="stretch",
            alt=f"The block that each layer of {model.title} uses",
        )


def _formula(model: CountedModel, setting: Setting) -> None:
    formulas = analysis.formulas(model.config, setting.heads(model.family))
    in_blocks = {part.component for part in model.config.block_parts}
    rows = [
        {
            "component": component,
            "formula": f"N × ({readable(text)})" if component in in_blocks else readable(text),
            "weights": model.sizes.by_component()[component],
        }
        for component, text in formulas.items()
    ]
    with st.expander("The closed formula", expanded=False):
        st.dataframe(
            rows,
            hide_index=True,
            width="stretch",
            column_config={"weights": st.column_config.NumberColumn(format="localized")},
            alt=f"The closed formula of {model.title}",
        )
        letters = {letter for text in (*formulas.values(), "N") for letter in text if letter in SYMBOLS}
        values = model.config.symbols
        st.caption(
            " · ".join(f"{letter} = {values[letter]:,}, {SYMBOLS[letter]}" for letter in SYMBOLS if letter in letters)
        )
