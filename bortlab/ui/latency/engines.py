"""Which engine is the fastest here: the latest comparison for a model, and a button that makes another one."""

from __future__ import annotations

import streamlit as st

from bortlab.analysis import latency as analysis
from bortlab.analysis.latency import Plan, Run, machine
from bortlab.analysis.latency.cases import n_parameters, shape, title
from bortlab.runtimes.engines import ENGINES
from bortlab.runtimes.engines.answering import MOST_BYTES
from bortlab.system.numbers import data_size
from bortlab.ui import shared
from bortlab.ui.latency.measuring import EFFORTS, LENGTHS, architectures, measure_button, several
from bortlab.ui.latency.results import UPLOADED, date_of
from bortlab.ui.startup import minis
from bortlab.views import latency as draw
from bortlab.views.escape import markdown

DEFAULT_LENGTHS = (16, 128)


def engines(runs: dict[str, Run], shown: Run | None) -> None:
    """The latest comparison of engines, and what to compare next. shown: the result whose failures are told above."""
    st.header("Which engine is fastest here?", anchor=False)
    st.markdown(
        "An engine is a program that runs a model's weights: torch, torch with weights laid out for this processor, "
        "ONNX Runtime, OpenVINO, Keras. Which one is the fastest depends on the processor and on the length of the "
        "text."
    )
    run = next((run for run in runs.values() if run.name != UPLOADED and analysis.engine_groups(run)), None)
    if run is not None:
        _show(run, tell_failures=run is not shown)
    with st.expander("Compare engines", expanded=run is None), shared.sentences():
        _choose()


def _show(run: Run, *, tell_failures: bool) -> None:
    """The comparison for the chosen model: picture, what can be read from it, the numbers."""
    models = list(dict.fromkeys(case.model for case in analysis.engine_groups(run)))
    model = models[0]
    if len(models) > 1:
        chosen = st.selectbox("Engines for", models, format_func=title, key="engine-model")
        model = chosen if chosen in models else model
    view = draw.engine_times(run, model, shared.look())
    shared.picture(view, key="latency-engines")
    st.markdown(markdown(" ".join(draw.engine_findings(run, model))))
    if tell_failures:
        for measured in run.failed:
            where = f"{draw.engine_title(measured)}, {shape(measured.case)}"
            st.info(f"**{markdown(where)}**: {markdown(measured.error)}")
    st.caption(markdown(f"Measured on {machine.described(run.environment)}, {date_of(run)}, {run.rounds} rounds."))
    shared.take_away(
        analysis.engine_frame(run),
        name="engines",
        views=[view],
        python=_python(run, model),
        json=run.to_json(),
        camera=False,
    )


def _python(run: Run, model: str) -> str:
    """The comparison in Python."""
    cases = [case for case in run.plan.networks if analysis.engine_of(case.runtime)]
    models = list(dict.fromkeys(case.model for case in cases))
    lengths = list(dict.fromkeys(case.seq for case in cases))
    names = [analysis.engine_of(name) for name in dict.fromkeys(case.runtime for case in cases)]
    threads = list(dict.fromkeys(case.threads for case in cases))
    return (
        "from bortlab.analysis import latency\nfrom bortlab.views import latency as draw\n"
        "from bortlab.views.theme import Look\n\n"
        f"plan = latency.engines_plan({models!r}, seq={lengths!r}, engines={names!r}, threads={threads!r}, "
        f"output={cases[0].output!r})\n"
        "run = latency.measure(plan)\n"
        "print(latency.engine_frame(run))\n"
        f"print(*draw.engine_findings(run, {model!r}))\n"
        f"draw.engine_times(run, {model!r}, Look({shared.look().mode!r})).show()\n"
    )


def _choose() -> None:
    """What to compare, what is not installed, what that takes, and the button."""
    models = several(
        st,
        "Models",
        architectures(),
        minis()[:1],
        "engine-models",
        format_func=title,
        help="The minis with their own weights, all others with random ones: values do not change the time.",
    )
    left, right = st.columns(2)
    lengths = several(left, "Pieces", [str(n) for n in LENGTHS], [str(n) for n in DEFAULT_LENGTHS], "engine-pieces")
    installed = [name for name, kind in ENGINES.items() if not kind.missing()]
    names = several(
        st,
        "Engines beside torch",
        [name for name in installed if name != "torch"],
        [name for name in analysis.TRIED if name in installed and name != "torch"],
        "engines",
        format_func=lambda name: ENGINES[name].title,
        help="  \n".join(f"{ENGINES[name].title}: {ENGINES[name].about}" for name in installed),
    )
    effort = right.selectbox("Effort", list(EFFORTS), index=1, key="engine-effort", bind="query-params")
    for reason in dict.fromkeys(kind.missing() for name, kind in ENGINES.items() if name not in installed):
        st.caption(markdown(reason))
    rounds, seconds = EFFORTS[effort]
    plan = analysis.engines_plan(models, seq=map(int, lengths), engines=names, rounds=rounds, seconds=seconds)
    for sentence in (*plan.left_out, *_too_large(plan)):
        st.caption(markdown(sentence))
    plan.check()
    measure_button("Compare engines here", plan, key="engines", costs=True)


def _too_large(plan: Plan) -> list[str]:
    """For which of the models the lab stays with torch, whatever is the fastest."""
    sizes = {case.model: 4 * n_parameters(case.model, case.output) for case in plan.networks}
    return [
        f"{title(model)} has {data_size(size)} of weights. It can be measured here, but in the lab torch answers for "
        f"models beyond {data_size(MOST_BYTES)}."
        for model, size in sizes.items()
        if size > MOST_BYTES
    ]
