"""The exact part: the answer, the front, one candidate, published shapes, and how the winner moves."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable

import streamlit as st

from bortlab.analysis import parameters as analysis
from bortlab.models import Config
from bortlab.models.formula import SYMBOLS, readable
from bortlab.search import LARGEST, Answer, Extraction, Row, answers, answers_frame, standings
from bortlab.search.costs import activations, formulas
from bortlab.system.numbers import data_size, short_count
from bortlab.ui import shared
from bortlab.ui.search.setting import Setting, maxima, space_of
from bortlab.views import parameters as draw_parameters
from bortlab.views import search as draw
from bortlab.views.parameters import CountedModel
from bortlab.views.view import View

PAIRS, CLOUD = "in pairs", "in three dimensions"


def answer(extraction: Extraction) -> None:
    """What can be read from the search."""
    st.markdown(" ".join(draw.findings(extraction)))


def fronts(extraction: Extraction, setting: Setting) -> list[View]:
    """All candidates: two quantities at a time, or three. A click on a point opens the candidate below."""
    st.header("All candidates", anchor=False)
    shape = st.segmented_control(
        "Show them", (PAIRS, CLOUD), default=PAIRS, key="shown", bind="query-params", required=True
    )
    chosen, look = chosen_candidate(extraction), shared.look()
    varies = len({row.error for row in extraction.rows}) > 1
    third = "error" if varies else "W"
    if shape == CLOUD:
        view = draw.cloud(extraction, third, look)
        shared.picture(view, key="cloud")
        st.caption("Drag to turn it. The star of the pairs is the orange point here.")
        return [view]
    size = setting.size
    pairs = [(size, "operations"), (size, third), ("operations", third)]
    views = [draw.pair(extraction, x, y, look, chosen=chosen, landmarks=standings(extraction)) for x, y in pairs]
    shared.picture(views[0], key="pair-0", on_select=_choose("pair-0"))
    for (number, view), column in shared.grid(list(enumerate(views[1:], 1)), 2):
        with column:
            shared.picture(view, key=f"pair-{number}", on_select=_choose(f"pair-{number}"))
    st.caption(
        "Click on a point to open the candidate below; it is ringed. Diamonds are published shapes with the space's "
        "own vocabulary, drawn where both axes are costs."
    )
    return views


def _choose(key: str) -> Callable[[], None]:
    """What a click on a point of a picture does."""

    def callback() -> None:
        points = (st.session_state.get(key) or {}).get("selection", {}).get("points", [])
        if points and points[0].get("customdata"):
            data = points[0]["customdata"]
            st.session_state["candidate"] = str(data[0] if isinstance(data, list) else data)

    return callback


def chosen_candidate(extraction: Extraction) -> str:
    """The candidate that is looked at: the best until another is chosen; one of another space is forgotten."""
    names = {row.name for row in extraction.rows}
    if st.session_state.get("candidate", "") not in names:
        st.session_state.pop("candidate", None)
    chosen = st.session_state.get("candidate") or st.query_params.get("candidate", "")
    return chosen if chosen in names else first_candidate(extraction)


def first_candidate(extraction: Extraction) -> str:
    """The best, or the smallest where nothing that is looked at has a W."""
    return (extraction.best or extraction.rows)[0].name


# -- one candidate -----------------------------------------------------------------------------------------------------


def one_candidate(extraction: Extraction) -> None:
    """A candidate's drawing, block and formula."""
    st.header("One candidate", anchor=False)
    names = list(draw.table(extraction)["candidate"])
    name = st.selectbox(
        f"Candidate ({'-'.join(extraction.space.letters)})",
        names,
        index=names.index(first_candidate(extraction)),
        key="candidate",
        bind="query-params",
        width=260,
        help="Those with the largest W first.",
    )
    row = extraction.row(name)
    st.markdown(draw.row_sentence(extraction, row))
    model, look = _counted(extraction, row), shared.look()
    scale = draw_parameters.scale_of([_counted(extraction, entry) for entry in (row, extraction.rows[-1])])
    left, right = st.columns(2, gap="medium")
    with left:
        shared.drawing(draw_parameters.stack(model, look, scale))
        st.caption("To the scale of the largest candidate.")
    with right:
        shared.drawing(draw_parameters.one_block(model, look))
        st.caption("One block, from below, with the shapes of its matrices.")
    memory = activations(row.candidate.config, extraction.space.output, extraction.seq)
    st.caption(
        f"Activations of one text of {extraction.seq:,} pieces: {data_size(memory.peak)} at most while predicting, "
        f"{data_size(memory.kept)} kept for training."
    )
    _formula(extraction, row.candidate.config)


def _counted(extraction: Extraction, row: Row) -> CountedModel:
    config, family = row.candidate.config, extraction.space.family
    heads = family.network.tasks["masked-lm" if extraction.space.output == "masked-lm" else "encoder"]
    return CountedModel(row.name, family.name, config, analysis.formula(config, heads))


def _formula(extraction: Extraction, config: Config) -> None:
    written = formulas(config, extraction.space.output)
    in_blocks = {part.component for part in config.block_parts}
    by_component = analysis.formula(config).by_component()
    with st.expander("The closed formula"):
        st.dataframe(
            [
                {
                    "component": component,
                    "formula": f"N × ({readable(text)})" if component in in_blocks else readable(text),
                    "weights": by_component.get(component),
                }
                for component, text in written.items()
            ],
            hide_index=True,
            width="stretch",
            column_config={"weights": st.column_config.NumberColumn(format="localized")},
            alt="The closed formula of the candidate",
        )
        letters = {letter for text in (*written.values(), "N") for letter in text if letter in SYMBOLS}
        st.caption(
            " · ".join(
                f"{letter} = {config.symbols[letter]:,}, {SYMBOLS[letter]}" for letter in SYMBOLS if letter in letters
            )
        )


# -- published shapes, and how the winner moves ------------------------------------------------------------------------


def published(extraction: Extraction) -> None:
    """Where Bort, BERT and other compressed models stand; nothing for spaces whose blocks are not plain ones."""
    known = standings(extraction)
    if not known:
        return
    st.header("Where published shapes stand", anchor=False)
    sentence = draw.bort_sentence(known, extraction)
    if sentence:
        st.markdown(sentence)
    st.dataframe(
        [
            {
                "shape": standing.landmark.title,
                "D-A-H-I": standing.name,
                "parameters": standing.costs.parameters,
                "without embeddings": standing.costs.effective,
                "operations": f"{short_count(standing.costs.operations)}FLOP",
                "factor": standing.factor,
                "wins below": standing.needed,
                "note": "" if standing.factor is not None else "larger than the maximum point",
                "source": standing.landmark.source,
            }
            for standing in known
        ],
        hide_index=True,
        width="stretch",
        column_config={
            "parameters": st.column_config.NumberColumn(format="localized"),
            "without embeddings": st.column_config.NumberColumn(format="localized"),
            "factor": st.column_config.NumberColumn(format="%.3f", help="(1 − p/p_T)(1 − i/i_T)"),
            "wins below": st.column_config.NumberColumn(
                format="%.3f", help="times the error of the candidate with the largest factor"
            ),
            "source": st.column_config.LinkColumn(display_text="open"),
        },
        alt="Published shapes with the space's vocabulary: costs, factor, and the error below which each wins",
    )
    st.caption(
        "All as plain blocks with the space's own vocabulary and positions, so only the shape differs: the numbers are "
        "not those of the released files."
    )


def moving(extraction: Extraction, setting: Setting) -> None:
    """How the winner moves with the maximum point, the length and the stride."""
    st.header("How the winner moves", anchor=False)
    given = _answers(setting.space, setting.base, setting.sizes, setting.error, setting.size)
    st.markdown(
        f"{draw.moving_sentence(given)} What Bort's authors took as the maximum point, the stride and the error is not "
        f"published, so that Bort was best for them does not make it best under another choice."
    )
    st.dataframe(
        answers_frame(given),
        hide_index=True,
        width="stretch",
        alt=f"The winners of {extraction.space.title} by maximum point, length and stride",
    )


@functools.lru_cache(maxsize=64)
def _answers(name: str, base: str, sizes: tuple[str, ...], error: str, size: str) -> tuple[Answer, ...]:
    where = space_of(name, base, sizes)
    return answers(where, maxima=(LARGEST, *maxima(where)[:2]), error=error, size=size)


def take_away(extraction: Extraction, setting: Setting, views: list[View]) -> None:
    """Table, CSV, JSON, HTML, link and Python."""
    says: dict[str, object] = {"space": setting.space, "maximum": setting.maximum, "error": setting.error}
    says |= {"stride": setting.stride, "length": setting.length, "counts": setting.size}
    if setting.base:
        says |= {"around": setting.base, "sizes": list(setting.sizes) or [""]}
    shared.take_away(
        draw.table(extraction),
        name="search",
        python=setting.python,
        views=views,
        json=json.dumps(extraction.to_dict(), indent=1),
        says=says,
    )
