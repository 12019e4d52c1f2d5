"""The trained part: what the recorded grid says, and a small search of one's own as a job."""

from __future__ import annotations

import functools
import json
from pathlib import Path

import streamlit as st

from bortlab.analysis.latency import machine
from bortlab.search import UninformativeError, search
from bortlab.search.candidate_run import Budget
from bortlab.search.grid import TrainedGrid, TrainingGrid, job, read_grid, recorded
from bortlab.search.learning_curves import learning_curves
from bortlab.search.study import Study, study
from bortlab.system.numbers import duration, short_count
from bortlab.ui import shared
from bortlab.ui.job_panel import Labels, job_panel
from bortlab.views import search as draw
from bortlab.views.escape import markdown
from bortlab.work.jobs import Job

OWN_SPACE, OWN_TEACHER, OWN_LENGTH = "minis", "bert-mini", 64
OWN_PIECES = 240_000
OWN_STRIDES = (6, 8, 12)
SECONDS_PER_PIECE = 2.5e-4
"""Of a candidate of the minis' space with its share of the teacher's time, on one core that does nothing else."""


def trained() -> None:
    """What the recorded grids say, each with the machine and the command; nothing where there is none."""
    for name, grid in _recorded().items():
        st.header("What training says", anchor=False)
        result = _study(name)
        sentences = [*draw.verdict_sentences(grid, result), *draw.study_sentences(grid, result)]
        st.markdown("\n".join(f"* {sentence}" for sentence in sentences))
        look = shared.look()
        left, right = st.columns(2, gap="medium")
        errors, strides = draw.errors(grid, result, look), draw.strides(result, look)
        with left:
            shared.picture(errors, key=f"errors-{name}")
            st.caption(
                "Candidates by size (D-A-H-I), a dot for each seed; in colour those on the Pareto front. The error is "
                "cross-entropy to the maximum point's answers."
            )
        with right:
            shared.picture(strides, key=f"strides-{name}")
            st.caption("A stride above 1 trains fewer candidates. What it misses, beside two cheaper ideas.")
        _length(name, grid, result)
        with st.expander("The trained candidates as a table"):
            st.dataframe(errors.table, hide_index=True, width="stretch", alt="Errors of the trained candidates")
            st.dataframe(strides.table, hide_index=True, width="stretch", alt="Each stride beside its rivals")
        st.caption(
            f"{len(grid.trainings)} trainings of {short_count(grid.grid.budget.pieces)} pieces, "
            f"{duration(grid.cpu_seconds)} of processor time on {markdown(machine.described(grid.machine))}: "
            f"`{grid.grid.command}`"
        )


def _length(name: str, grid: TrainedGrid, result: Study) -> None:
    """Is n long enough? The learning curves, and how far the rankings on the way agree."""
    st.markdown("**Were they trained for long enough?**")
    curves = learning_curves(grid, result.names)
    view = draw.learning(curves, result.front, shared.look().family(draw.FAMILY), shared.look())
    left, right = st.columns((3, 2), gap="medium")
    with left:
        shared.picture(view, key=f"learning-{name}")
    with right:
        st.markdown(draw.length_sentence(curves))
        st.dataframe(
            draw.agreements_frame(curves),
            hide_index=True,
            width="stretch",
            column_config={name: st.column_config.NumberColumn(format="%.2f") for name in ("τ", "from", "to")}
            | {name: st.column_config.NumberColumn(format="compact") for name in ("pieces", "against")},
            alt="How far the rankings on the way agree",
        )
        st.caption(
            "A grade on the way is taken before the learning rate falls, so it is worse than that of a training that "
            "had ended there. What is compared is the order."
        )


@functools.lru_cache(maxsize=1)
def _recorded() -> dict[str, TrainedGrid]:
    return recorded()


@functools.lru_cache(maxsize=8)
def _study(name: str) -> Study:
    return study(_recorded()[name])


# -- a search of one's own ---------------------------------------------------------------------------------------------


def own() -> None:
    """Train the representatives of the minis' space, as a job."""
    st.header("A search of your own", anchor=False)
    with shared.sentences():
        stride = st.segmented_control(
            "Stride of the minis' space",
            OWN_STRIDES,
            default=OWN_STRIDES[0],
            key="own_stride",
            bind="query-params",
            required=True,
        )
        grid = own_grid(int(stride or OWN_STRIDES[0]))
        minutes = duration(SECONDS_PER_PIECE * OWN_PIECES * grid.n_trainings)
        labels = Labels(
            doing="Training the candidates",
            start=f"Train {len(grid.candidates)} candidates",
            resume="Go on",
            note=f"{', '.join(grid.candidates)}: {short_count(OWN_PIECES)} pieces each, one seed, {minutes} where "
            "nothing else runs. Too brief for a verdict: `bortlab search --train` trains for longer, with more seeds.",
            meanwhile="It goes on when you leave the page.",
            cancel_help="Trainings that are done are kept.",
        )
        work = job(grid)
        job_panel(work, labels, results=functools.partial(_own_results, work))


def own_grid(stride: int) -> TrainingGrid:
    """The grid that a stride of the minis' space leaves, with one seed and one rate."""
    result = search(OWN_SPACE, stride=stride, seq=OWN_LENGTH)
    return TrainingGrid(
        space=OWN_SPACE,
        candidates=tuple(row.name for row in result.representatives),
        teacher=OWN_TEACHER,
        budget=Budget(pieces=OWN_PIECES),
        rates=(4e-3,),
        seeds=(0,),
    )


def _own_results(work: Job) -> None:
    path = work.folder / "work" / "grid.json"
    if path.is_file():
        with shared.sentences():
            show_own(path)


def show_own(path: Path) -> None:
    """The candidates that are trained so far: errors, which say something, and W."""
    grid = read_grid(path)
    errors = {name: grid.errors_of(name)[0] for name in grid.names}
    if not errors:
        return
    silent = [name for name in errors if not grid.is_informative(name)]
    try:
        result = search(grid.grid.space, error=errors, uninformative=silent, seq=OWN_LENGTH)
    except UninformativeError:
        st.info(
            f"{', '.join(errors)}: none does better than the frequencies of words yet, so none says anything of "
            "its sizes."
        )
        return
    best = result.best[0]
    st.markdown(
        f"Of {len(errors)} trained so far, **{best.name}** has the largest W, {best.w:.3g}"
        + (f"; uninformative: {', '.join(silent)}." if silent else ".")
    )
    st.dataframe(
        [
            {
                "candidate": row.name,
                "parameters": row.costs.parameters,
                "error": errors[row.name],
                "W": row.w,
                "informative": row.name not in silent,
            }
            for row in result.rows
            if row.name in errors
        ],
        hide_index=True,
        width="stretch",
        column_config={"parameters": st.column_config.NumberColumn(format="localized")},
        alt="The candidates that were trained here",
    )
    st.download_button(
        "JSON",
        json.dumps(grid.to_dict()),
        "grid.json",
        "application/json",
        on_click="ignore",
        icon=":material/download:",
    )
