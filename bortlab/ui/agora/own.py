"""A run of Agora on the visitor's own data: what is chosen, whether its assumptions hold, the job and its results."""

from __future__ import annotations

import functools

import streamlit as st

from bortlab.data.labelled import check
from bortlab.system.numbers import duration, percent
from bortlab.training.agora import GRID, History, Log, assumptions, job
from bortlab.ui import finetune, shared
from bortlab.ui.agora.rounds import rounds, shown_round
from bortlab.ui.agora.setting import Setting, choose_setting, estimated_seconds, labeller_right
from bortlab.ui.finetune.taking import zipped
from bortlab.ui.job_panel import Labels, job_panel
from bortlab.views import agora as draw
from bortlab.views.escape import markdown
from bortlab.views.prose import counted
from bortlab.work.job_folder import Status
from bortlab.work.jobs import Job

KIND = "single_label_classification"
MARKS = {True: ":green[:material/check:] Yes:", False: ":orange[:material/close:] No:"}
"""Before an assumption that holds, and before one that does not."""


def own() -> None:
    """Data, setting, assumptions, run, results."""
    data = finetune.choose(kind=KIND)
    if data is None:
        return
    if data.problem_type != KIND:
        st.error("Agora here is for tasks of one class a text: choose another label, or other data.")
        return
    if any(finding.severity == "error" for finding in check(data)):
        return  # it is said with the data
    st.header("2. How it searches", anchor=False)
    setting = choose_setting(data)
    if not setting.model:
        return
    _assumptions(setting)
    st.header("4. The run", anchor=False)
    this = _run(setting)
    status = this.status()
    if status is not None and status.state == "done":
        _results(setting, this, status)
    else:
        shared.as_code(name=f"agora-{data.name}", python=python(setting), says=_says(setting))


def _assumptions(setting: Setting) -> None:
    """What Agora takes for granted, and how it is with these data."""
    st.header("3. Does what Agora takes for granted hold here?", anchor=False)
    checked = assumptions(labeller_right(setting), setting.data)
    st.markdown("\n".join(f"- {MARKS[its.holds]} **{its.name}.** {markdown(its.here)}" for its in checked))
    missing = sum(not its.holds for its in checked)
    if missing:
        st.warning(
            f"{counted(missing, 'assumption')} {'does' if missing == 1 else 'do'} not hold. It runs all the same: read "
            "its result with care."
        )


def _run(setting: Setting) -> Job:
    """The button, or how the run goes."""
    this = job.job_of(setting.data, setting.reference, setting.labeller, setting.choices)
    if this.status() is None:
        most = job.most_trainings(setting.choices)
        st.button(
            "Run Agora",
            key="start-agora",
            icon=":material/model_training:",
            type="primary",
            on_click=_start,
            args=(setting,),
        )
        st.caption(
            f"At most {counted(most, 'training')}, {duration(estimated_seconds(setting))} on this machine when it is "
            "idle."
        )
        return this
    job_panel(
        this,
        Labels(
            doing="Agora",
            start="Start again",
            resume="Go on",
            icon=":material/model_training:",
            meanwhile="You may leave this page: it goes on.",
            cancel_help="Rounds that are done are kept; going on continues from there.",
        ),
        results=functools.partial(_so_far, setting, this),
    )
    return this


def _start(setting: Setting) -> None:
    with shared.sentences():
        job.start(setting.data, setting.reference, setting.labeller, setting.choices)


def history_of(setting: Setting, this: Job) -> History:
    """The rounds that a run's log has so far."""
    return History(tuple(GRID), len(setting.data.train), Log(job.log_path(this)).rounds)


def _so_far(setting: Setting, this: Job) -> None:
    """While it runs, or was stopped: the rounds that have ended."""
    status = this.status()
    if status is None or status.state == "done":
        return
    history = history_of(setting, this)
    if history.rounds:
        shared.picture(draw.rounds(history, shared.look()), "rounds-so-far")
        st.markdown(" ".join(map(markdown, draw.round_sentences(history, len(history.rounds) - 1))))
    elif status.alive:
        st.caption("The picture begins when the first round has ended.")


def _results(setting: Setting, this: Job, status: Status) -> None:
    """What the run reached on H, its rounds, and the model to take away."""
    numbers, history = status.numbers, history_of(setting, this)
    test, gap = numbers["test"], numbers["search"] - numbers["test"]["value"]
    interval = f"95% interval {percent(test['low'])} to {percent(test['high'])}"
    st.markdown(
        f"The best model is right in **{percent(test['value'])}** of H, {len(setting.data.test):,} sealed examples "
        f"that were read once ({interval}). On E, which chose it, it is right in {percent(numbers['search'])}: E minus "
        f"H is {draw.points_of(gap)} points. It took {counted(numbers['trainings'], 'training')}; the labeller is "
        f"right in {percent(numbers['labeller']['value'])} of E."
    )
    st.caption(
        "One run says nothing of whether Agora is better than its rivals: the Fine-tune page compares with baselines, "
        "and docs/agora.md has an experiment with many splits."
    )
    views = rounds(history)
    folder = this.folder / "work" / str(numbers["best"]) / "model"
    if folder.is_dir():
        st.download_button(
            "The best model",
            lambda: zipped(folder),
            f"agora-{setting.data.name}.zip",
            "application/zip",
            icon=":material/download:",
            on_click="ignore",
            help="A Hugging Face folder, for bortlab and transformers.",
        )
    shared.take_away(
        views[0].table,
        name=f"agora-{setting.data.name}",
        python=python(setting),
        views=views,
        says=_says(setting) | {"round": shown_round(history)},
    )


def _says(setting: Setting) -> dict[str, object]:
    """What the link names even where it is the usual."""
    return {"view": st.session_state.get("view", ""), "learner": setting.model}


def python(setting: Setting) -> str:
    """The same run in a notebook."""
    data, choices = setting.data, setting.choices
    is_bundled = data.source.startswith(("WordNet", "World English Bible"))
    source = f"load_task({setting.name!r})" if is_bundled else f"read({data.source.split(',')[0]!r})"
    options = "".join(f"    {name}={value!r},\n" for name, value in choices.items())
    return (
        "from pathlib import Path\n\n"
        "import bortlab\n"
        f"from bortlab.data.labelled import {source.split('(')[0]}\n"
        "from bortlab.training.agora import GRID, History, labeller_named, scarce\n"
        "from bortlab.views import agora as draw\n"
        "from bortlab.views.theme import Look\n\n"
        f"data = scarce({source}, learn={len(data.train)}, search={len(data.dev)})\n"
        f"labeller = labeller_named({setting.labeller!r}, data)\n"
        f"report = bortlab.agora(\n    {setting.model!r},\n    labeller,\n    data,\n"
        f"    folder=Path('agora'),\n{options})\n"
        "print(report.test)\n"
        "draw.rounds(History(tuple(GRID), len(data.train), report.result.rounds), Look('light')).show()\n"
    )
