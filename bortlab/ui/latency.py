"""The parts of the Latency page, and the word that other pages have for visitors while something is measured."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import streamlit as st

from bortlab.analysis import latency as analysis
from bortlab.analysis.latency import Measured, Plan, Run, machine, runtimes
from bortlab.analysis.latency.runtimes import RUNTIMES, Case, title
from bortlab.analysis.latency.timing import Ratio
from bortlab.models import FAMILIES
from bortlab.system.machine import cores
from bortlab.system.numbers import data_size, duration, factor, milliseconds
from bortlab.ui import shared
from bortlab.ui.job_panel import Labels, job_panel
from bortlab.ui.startup import bundled
from bortlab.views import latency as view
from bortlab.views.escape import markdown
from bortlab.views.figures import CONFIG
from bortlab.work import jobs
from bortlab.work.jobs import Job, Status

LENGTHS = (8, 16, 32, 64, 128, 256, 512)
BATCHES = (1, 2, 4, 8, 16, 32, 64)
EFFORTS = {"quick": (12, 0.2), "usual": (analysis.ROUNDS, analysis.SECONDS), "thorough": (60, 5.0)}
SHOWN = 20
"""Measurements that are offered to look at, the latest."""
VIEWS = ("Times", "Speed-up", "Scaling", "Share of peak", "Size and speed", "Size, speed, quality")
UPLOADED = "the uploaded file"

EXPLANATION = f"""
**How it is measured.** Every model runs in a process of its own, with a fixed number of threads that are pinned to
cores. What it computes is first compared with torch in float32. It runs until it is warm; then all take turns,
A B C, B C A, C A B, …, so that what else the machine does falls on all alike. A turn is one call that does not count
and up to {analysis.MOST_CALLS} that do. It ends when every one has had the least number of rounds *and* of seconds.

**What is shown.** p50, p90 and p99 are the times that 50, 90 and 99 % of the calls stay below; p90 needs 10 calls and
p99 needs 100. The interval of 95 % comes from a bootstrap over rounds: for a ratio the same rounds are drawn for both.
A difference is called real if the interval of the ratio leaves out 1; of twenty differences that are none, one will
look real. *Variation* is the standard deviation of the rounds' medians by their mean: above 10 % the machine was busy.

**What is timed.** The forward pass of the encoder over whole sequences without padding; reading the text is not
included. Cutting off the masked-LM head matters: at every position it multiplies with the whole vocabulary, which costs
Bort more than all of its layers. Real architectures have random weights here: values do not change the time.

**Scenarios**, as MLPerf names them: *single stream* is one sequence at a time (what counts is p90), *offline* is a
batch at once (what counts is sequences a second). These are no MLPerf results: those have data sets and ten minutes.

**Share of peak**: arithmetic (two operations for a multiply-add, matrix products and convolutions) by time, over what
one large matrix product reaches under the same conditions: the flat roof of the roofline model (Williams et al. 2009).

**Quality** is the share of held-out masked pieces that each mini gets right, from its card.
"""


# -- which result ------------------------------------------------------------------------------------------------------


def first_visit() -> None:
    """Measure the minis once, if nothing was ever measured here: a few seconds."""
    if bundled() and not analysis.kept() and latest_job() is None:
        with shared.sentences():
            analysis.job(analysis.quick()).start()


def latest_job() -> tuple[Job, Status] | None:
    """The latest measurement that was started as a job, by whomever."""
    return next(((job, status) for job, status in jobs.listed() if job.name == analysis.JOB_NAME), None)


def progress() -> None:
    """The latest measurement: how far it is, and a button that cancels it; or how it ended, unless it is done."""
    latest = latest_job()
    if latest is None:
        return
    job, status = latest
    labels = Labels(
        doing=f"Measuring {_models_of(job)}" if status.alive else "",
        meanwhile="The less this machine does meanwhile, the better.",
        cancel_help="What has been measured so far is kept.",
        stopped=_stopped,
    )
    job_panel(job, labels, depends_on=_latest_and_its_file)


def _models_of(job: Job) -> str:
    cases = [case for case in Plan.from_dict(job.arguments).cases if case.model != runtimes.MATMUL]
    return markdown(shared.names(list(dict.fromkeys(title(case.model) for case in cases))))


def _latest_and_its_file() -> tuple[str, bool]:
    """Which measurement is the latest, and whether its file is there to look at: the page is drawn from both."""
    latest = latest_job()
    return ("", False) if latest is None else (latest[0].folder.name, _has_file(latest[1]))


def _has_file(status: Status) -> bool:
    path = status.numbers.get("path", "")
    return bool(path) and Path(path).is_file()


def _stopped(status: Status) -> str:
    """What is said of a measurement that failed or was cancelled."""
    if status.state == "failed":
        kept = " What was measured before is kept below." if _has_file(status) else ""
        reason = status.message.split(" Start it again")[0]
        return f"The last measurement failed. {markdown(reason)}{kept}"
    kept = "What was measured before is kept below." if _has_file(status) else "Nothing had been measured yet."
    return f"The last measurement was cancelled. {kept}"


def notice() -> None:
    """On other pages, while something is measured: what visitors ask for now falsifies it."""
    found = latest_job()
    if found is not None and found[1].alive:
        st.sidebar.markdown(
            ":material/timer: *Latency is being measured on this machine. What you ask for now disturbs it a little.*"
        )


@functools.lru_cache(maxsize=64)
def _load(path: Path, stamp: int) -> Run | None:
    """A result, with the intervals that were computed for it; None if it cannot be read."""
    try:
        return analysis.load(path)
    except (OSError, ValueError):
        return None


@functools.lru_cache(maxsize=4)
def _read(content: bytes) -> Run:
    return analysis.read(content, name=UPLOADED)


@functools.lru_cache(maxsize=16)
def _compared(run: Run, other: Run) -> Mapping[Case, Ratio]:
    return analysis.compare(run, other)


def results() -> dict[str, Run]:
    """Every result that there is to look at, by its name: those of this machine first, the latest first."""
    found = {}
    for path in [*analysis.kept()[:SHOWN], *analysis.recorded()]:
        try:
            run = _load(path, path.stat().st_mtime_ns)
        except OSError:  # swept away meanwhile
            continue
        if run is not None and run.timed:
            found[run.name] = run
    if (uploaded := _uploaded()) is not None:
        found[UPLOADED] = uploaded
    return found


def _uploaded() -> Run | None:
    file = st.session_state.get("upload")
    if file is None:
        return None
    try:
        return _read(file.getvalue())
    except ValueError:
        return None  # said where the file was given


def is_recorded(run: Run) -> bool:
    """Did it come with the lab?"""
    return (analysis.RECORDED / f"{run.name}.json").is_file()


def name_of(run: Run) -> str:
    """A result in a few words."""
    models = run.models
    what = title(models[0]) if len(models) == 1 else f"{len(models)} models"
    where = " · came with the lab" if is_recorded(run) else f" · {UPLOADED}" if run.name == UPLOADED else ""
    return f"{_when(run)} · {what}{where}"


def _when(run: Run) -> str:
    try:
        date = datetime.fromisoformat(str(run.environment.get("date", ""))).astimezone()
    except ValueError:
        return "some day"
    return f"{date.day} {date:%b %Y, %H:%M}"


def choose(found: dict[str, Run]) -> Run | None:
    """The result that is shown: the latest of this machine, unless another one is chosen."""
    if not found:
        return None
    usual = next(iter(found))
    newest = st.session_state.get("newest-result")
    st.session_state["newest-result"] = usual
    if newest != usual or st.session_state.get("result") not in found:  # a new one is what one waited for
        st.session_state["result"] = usual
    chosen = st.selectbox(
        "Result", list(found), format_func=lambda name: name_of(found[name]), key="result",
        help="Measurements made here, and one that came with the lab.",
    )  # fmt: skip
    return found[chosen or usual]


# -- the result --------------------------------------------------------------------------------------------------------


def about(run: Run) -> None:
    """Where and when it was measured, and how quiet it was."""
    where = machine.described(run.environment)
    versions = run.environment.get("versions")
    torch = versions.get("torch", "?") if isinstance(versions, dict) else "?"
    threads = sorted({one.case.threads for one in run.timed})
    facts = [
        f"{where}",
        f"{shared.names([str(n) for n in threads])} thread{'' if threads == [1] else 's'}",
        f"torch {torch}",
        shared.names(list(dict.fromkeys(one.case.dtype for one in run.timed))),
        f"{run.rounds} rounds" + ("" if run.complete else " so far, or until it was stopped"),
        _when(run),
    ]
    if run.environment.get("virtual"):
        facts.insert(1, "virtual machine")
    power = run.environment.get("power")
    if isinstance(power, dict):
        facts += [f"{name}: {value}" for name, value in power.items()]
    if run.noise.load_before is not None:
        facts.append(f"load {run.noise.load_before:.1f}")
    if run.noise.others is not None:
        facts.append(f"others took {run.noise.others:.0%} of the processors")
    lead = "**Not your machine:** recorded on " if is_recorded(run) else "**Measured on** "
    st.markdown(lead + markdown(" · ".join(facts)))
    disturbed = run.disturbed()
    if disturbed and not is_recorded(run):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.info("The machine was busy. " + markdown(" ".join(disturbed)) + " Intervals are wide, ratios hold best.")
            if run.name != UPLOADED:
                _measure_button("Measure again", run.plan, key="again")
    for one in run.failed:
        st.info(f"**{markdown(view.label(one.case, run.plan.cases))}, {view.shape(one.case)}**: {markdown(one.error)}")


def show(run: Run) -> tuple[list[Measured], str]:
    """One picture of the result; the cases of the chosen shape, and the baseline."""
    shapes = list(dict.fromkeys((one.case.batch, one.case.seq) for one in run.timed))
    left, right, _ = st.columns([2, 2, 3])
    usual = max(range(len(shapes)), key=lambda n: (sum(_shape(one) == shapes[n] for one in run.timed), -n))
    chosen = left.selectbox(
        "Sequences × pieces", shapes, index=usual, format_func=lambda shape: f"{shape[0]} × {shape[1]}", key="shape",
        help="How many sequences at once, and how many pieces each.",
    )  # fmt: skip
    chosen = chosen if chosen in shapes else shapes[usual]
    conditions = view.differing([one.case for one in run.timed])
    baselines = [*(run.models if len(run.models) > 1 else ())]
    for name in conditions:
        if name in analysis.BASELINES:
            baselines += dict.fromkeys(f"{name}={getattr(one.case, name)}" for one in run.timed)
    baselines = baselines or list(run.models)
    first = next((key for key in ("bert-base-uncased", "bert-mini", *baselines) if key in baselines), baselines[0])
    baseline = right.selectbox(
        "Baseline", baselines, index=baselines.index(first), format_func=analysis.baseline_title, key="baseline",
        help="Speed-ups are over this model, or over the same model under this condition.",
    )  # fmt: skip
    baseline = baseline if baseline in baselines else first
    shown = [one for one in run.timed if _shape(one) == chosen]
    offered = [name for name in VIEWS if _has(name, run, shown, baseline)]
    picture = st.segmented_control("Show", offered, default=offered[0], key="view", label_visibility="collapsed")
    _draw(picture if picture in offered else offered[0], run, shown, baseline)
    return shown, baseline


def _shape(one: Measured) -> tuple[int, int]:
    return one.case.batch, one.case.seq


def _has(name: str, run: Run, shown: Sequence[Measured], baseline: str) -> bool:
    """Is there anything to see in this picture?"""
    if name == "Speed-up":
        return any(one.case in run.ratios(baseline) for one in shown)
    if name == "Scaling":
        return bool(_scales(run))
    if name == "Share of peak":
        return any(run.roof(one.case) for one in shown)
    if name == "Size and speed":
        return len({one.case.model for one in shown}) > 1
    return name == "Times" or len(view.pareto_points(shown)) > 1


def _scales(run: Run) -> list[str]:
    """Over what a result scales: "seq", "batch", both or neither."""
    return [name for name in ("seq", "batch") if len({getattr(one.case, name) for one in run.timed}) > 1]


def _draw(name: str, run: Run, shown: Sequence[Measured], baseline: str) -> None:
    look = shared.look()
    cases = [one.case for one in shown]

    def chart(figure: Any, key: str, alt: str) -> None:
        st.plotly_chart(figure, theme=None, config=CONFIG, key=f"latency-{key}", alt=alt)

    if name == "Times":
        rows = view.time_rows(shown)
        chart(view.bars(rows, axis="milliseconds", look=look), "times", view.alternative("Median times", rows))
    elif name == "Speed-up":
        rows = view.speed_rows(run, shown, baseline)
        axis = f"times as fast as {analysis.baseline_title(baseline)}"
        chart(view.bars(rows, axis=axis, look=look, mark=1.0), "speed", view.alternative(axis, rows))
    elif name == "Share of peak":
        rows = view.roof_rows(run, shown)
        axis = "% of the arithmetic of one large matrix product"
        chart(view.bars(rows, axis=axis, look=look), "peak", view.alternative(axis, rows))
    elif name == "Scaling":
        for over in _scales(run):
            said = {
                f"{view.label(one.case, [o.case for o in run.timed])} {view.shape(one.case)}": milliseconds(
                    one.p50.value
                )
                for one in run.timed
            }
            chart(view.curves(run, over=over, look=look), f"over-{over}", view.points_alternative("Scaling", said))
    else:
        said = {
            view.label(one.case, cases): f"{one.parameters / 1e6:.1f} M parameters, "
            f"{milliseconds(one.p50.value)}" for one in shown
        }  # fmt: skip
        if name == "Size and speed":
            chart(view.size_and_speed(shown, look=look), "size", view.points_alternative("Size and speed", said))
        else:
            st.caption(
                "The larger the dot, the more parameters. On the dotted line: those that nobody beats in both. "
                "Vertical bars: between what the accuracy is known, for as many held-out pieces as were asked."
            )
            points = {view.label(case, cases): f"{x:.2g} ms, {y:.1f} % right" for case, (x, y) in
                      view.pareto_points(shown).items()}  # fmt: skip
            chart(view.quality(shown, look=look), "quality", view.points_alternative("Speed and quality", points))


def findings(run: Run, shown: Sequence[Measured], baseline: str) -> None:
    """What can be read from it."""
    cases = [one.case for one in shown]
    ratios = {case: ratio for case, ratio in run.ratios(baseline).items() if case in cases}
    named = {case: f"**{markdown(view.label(case, cases))}**" for case in cases}
    said = []
    fastest = min(shown, key=lambda one: one.p50.value)
    said.append(
        f"{named[fastest.case]} is the fastest: {milliseconds(fastest.p50.value)} for {fastest.case.batch} × "
        f"{fastest.case.seq} pieces, {fastest.per_second:,.0f} sequences a second."
    )
    real = {case: ratio for case, ratio in ratios.items() if ratio.real}
    if real:
        case = min(real, key=lambda case: real[case].value)
        speed = real[case].speedup
        over = markdown(analysis.baseline_title(baseline))
        interval = f"95 %: {factor(speed.low)} to {factor(speed.high)}"
        said.append(f"{named[case]} is {factor(speed.value)} as fast as {over} ({interval}).")
    if unclear := [named[case] for case, ratio in ratios.items() if not ratio.real]:
        said.append(f"Not told apart from {markdown(analysis.baseline_title(baseline))}: {shared.names(unclear)}.")
    base = next((one for one in shown if one.case.model == baseline), None)
    if base is not None:
        said += _small_not_fast(run, shown, base, named)
    st.markdown(" ".join(said))


def _small_not_fast(run: Run, shown: Sequence[Measured], base: Measured, named: dict[Case, str]) -> list[str]:
    """The model that saves most weights and least time."""
    ratios = run.ratios(base.case.model)
    few = [one for one in shown if one.case in ratios and base.parameters > 1.5 * one.parameters]
    if not few:
        return []
    one = max(few, key=lambda one: ratios[one.case].value * base.parameters / one.parameters)
    smaller, ratio = base.parameters / one.parameters, ratios[one.case].value
    if ratio < 0.8:
        return []
    return [
        f"Small is not fast: {named[one.case]} stores {smaller:.1f} times fewer weights than "
        f"{markdown(title(base.case.model))} and needs {ratio:.2f} times its time, for shared weights are used anew in "
        f"every layer."
        if runtimes.family_name(one.case.model) == "albert"
        else f"Small is not fast: {named[one.case]} stores {smaller:.1f} times fewer weights than "
        f"{markdown(title(base.case.model))} and needs {ratio:.2f} times its time."
    ]


def take_away(run: Run, baseline: str) -> None:
    """Table, CSV, JSON, link and Python."""
    plan = run.plan
    cases = [case for case in plan.cases if case.model != runtimes.MATMUL]
    axes = {
        name: list(dict.fromkeys(getattr(case, name) for case in cases))
        for name in ("batch", "seq", "threads", "device", "dtype", "runtime")
    }
    usual = {"batch": [1], "device": ["cpu"], "dtype": ["float32"], "runtime": ["fused"]}
    told = "".join(f", {name}={values!r}" for name, values in axes.items() if usual.get(name) != values)
    output = "" if cases[0].output == "encoder" else f", output={cases[0].output!r}"
    models = list(dict.fromkeys(case.model for case in cases))
    shared.take_away(
        run.frame(baseline),
        name="latency",
        python=(
            "from bortlab.analysis import latency\n\n"
            f"plan = latency.plan({models!r}{told}{output})\n"
            "run = latency.measure(plan)\n"
            f"print(run.frame({baseline!r}))\n"
            'run.save("here.json")  # latency.load reads it again\n'
        ),
        json=run.to_json(),
    )


# -- another machine ---------------------------------------------------------------------------------------------------


def compare(run: Run, found: dict[str, Run]) -> None:
    """The result beside another one: of this machine, of another, or the one that came with the lab."""
    with st.expander("Compare with another run or machine"):
        st.file_uploader("A result that was saved as JSON", ["json"], key="upload", max_upload_size=5)
        file = st.session_state.get("upload")
        if file is not None and UPLOADED not in found:
            with shared.sentences():
                analysis.read(file.getvalue())
                st.info("There are no times in this file: the measurement was stopped before its first round.")
        others = {name: other for name, other in found.items() if name != run.name}
        if file is not None and UPLOADED in others and st.session_state.get("uploaded") != file.file_id:
            st.session_state["uploaded"], st.session_state["other"] = file.file_id, UPLOADED
        if st.session_state.get("other") not in others:
            st.session_state["other"] = next(reversed(others), None)
        if not others:
            st.caption("There is no other result yet.")
            return
        chosen = st.selectbox(
            "Compare with", list(others), format_func=lambda name: name_of(others[name]),
            key="other",
        )  # fmt: skip
        other = others.get(chosen) or others[next(iter(others))]
        ratios = _compared(run, other)
        if not ratios:
            st.caption("The two have no case in common: same model, shape, threads, precision and runtime.")
            return
        st.markdown(
            f"Times of this result ({markdown(machine.described(run.environment))}) by those of the other "
            f"({markdown(machine.described(other.environment))}); below 1: this one is faster."
        )
        cases = list(ratios)
        st.dataframe(
            [
                {"Model": view.label(case, cases), "Sequences × pieces": view.shape(case),
                 "this, ms": run.by_case[case].p50.value, "other, ms": other.by_case[case].p50.value,
                 "ratio": ratio.value, "from": ratio.low, "to": ratio.high, "this one is": ratio.verdict}
                for case, ratio in ratios.items()
            ],
            hide_index=True, width="stretch", alt="Times of this result by those of the other",
            column_config={name: st.column_config.NumberColumn(format="%.2f")
                           for name in ("this, ms", "other, ms", "ratio", "from", "to")},
        )  # fmt: skip


# -- claims ------------------------------------------------------------------------------------------------------------


def claims(found: dict[str, Run]) -> None:
    """Bort's published speeds, beside what was measured."""
    st.subheader("Claims, checked", anchor=False)
    run = next((run for run in found.values() if run.name != UPLOADED and analysis.check_claims(run)), None)
    st.markdown(
        "Bort's authors say that it is **7.9 times** as fast as BERT-base and **about 20 times** as fast as BERT-large "
        "on a CPU (de Wynter and Perry 2020, and their README); processor, batch and length are not told. The released "
        "Bort is 1024 wide with 768 in its feed-forward part; the published 56 M parameters fit 768 and 1024, so both "
        "are timed."
    )
    if run is not None:
        checked = analysis.check_claims(run)
        where = "came with the lab" if is_recorded(run) else "measured here"
        st.dataframe(
            [
                {"claimed": f"{one.claim.times:g} × {title(one.claim.baseline)}", "Bort": title(one.claim.model),
                 "sequences × pieces": view.shape(one.case), "measured": one.speedup.value,
                 "95 %": f"{one.speedup.low:.1f} to {one.speedup.high:.1f}", "less arithmetic": one.flops,
                 "verdict": one.verdict}
                for one in checked
            ],
            hide_index=True, width="stretch", height="content", alt="Published speeds of Bort beside measured ones",
            column_config={name: st.column_config.NumberColumn(format="%.1f ×")
                           for name in ("measured", "less arithmetic")},
        )  # fmt: skip
        st.markdown(f"{_claims_read(checked)} ({where}: {markdown(machine.described(run.environment))}, {_when(run)})")
    with shared.sentences():
        _measure_button("Check them on this machine", analysis.claims_plan(), key="claims")


def _claims_read(checked: Sequence[analysis.Checked]) -> str:
    said = []
    for name in dict.fromkeys(one.claim.name for one in checked):
        ones = [one for one in checked if one.claim.name == name]
        best = max(ones, key=lambda one: one.speedup.value)
        reached = sum(one.verdict == "reached" for one in ones)
        said.append(
            f"**{name}**: reached in {reached} of {len(ones)} measurements, "
            f"{factor(best.speedup.value)} at best ({markdown(title(best.claim.model))}, {view.shape(best.case)}), "
            f"with {best.flops:.1f} times less arithmetic"
        )
    return "; ".join(said) + ". Arithmetic bounds what fewer, smaller layers can save: the rest is the program's."


# -- measuring ---------------------------------------------------------------------------------------------------------


def measure(*, opened: bool) -> None:
    """What to measure, what that takes, and the button."""
    with st.expander("Measure something else", expanded=opened):
        plan = None
        with shared.sentences():
            plan = _asked()
            for reason in plan.left_out[:4]:
                st.caption(f"Left out: {markdown(reason)}")
            if len(plan.left_out) > 4:
                st.caption(f"Left out, too: {len(plan.left_out) - 4} more.")
            plan.check()
            _measure_button("Measure", plan, key="measure", primary=True)


def _architectures() -> list[str]:
    known = [c.key for f in FAMILIES.values() for c in f.checkpoints if c.source != "bundled" or c.key in bundled()]
    position = known.index("bort") + 1
    return [*known[:position], *runtimes.VARIANTS, *known[position:]]


def _asked() -> Plan:
    """The visitor's choices, as a plan."""

    def several(where: Any, label: str, options: Sequence[Any], default: Sequence[Any], key: str, **more: Any) -> Any:
        return where.multiselect(label, options, default=default, key=key, bind="query-params", **more)

    models = several(
        st, "Architectures", _architectures(), bundled(), "architectures", format_func=title,
        help="The minis with their own weights, everything else with random ones: values do not change the time.",
    )  # fmt: skip
    first = st.columns(4)
    lengths = several(first[0], "Pieces in a row", [str(n) for n in LENGTHS], ["16", "64", "128"], "pieces")
    batches = several(first[1], "Sequences at once", [str(n) for n in BATCHES], ["1"], "batch")
    most = cores()
    counts = sorted({1, most, *(n for n in (2, 4, 8, 16, 32) if n < most)})
    threads = several(first[2], "Threads", [str(n) for n in counts], [str(most)], "threads")
    output = first[3].selectbox(
        "What is run", list(runtimes.OUTPUTS), key="output", bind="query-params",
        help="  \n".join(runtimes.OUTPUTS.values()),
    )  # fmt: skip
    second = st.columns(4)
    programs = several(
        second[0], "Runtime", list(RUNTIMES), ["fused"], "runtime",
        help="  \n".join(f"{name}: {runtime.title}, {runtime.about}" for name, runtime in RUNTIMES.items()),
    )  # fmt: skip
    dtypes = several(second[1], "Precision", list(runtimes.DTYPES), ["float32"], "precision")
    devices = several(second[2], "Device", runtimes.devices(), ["cpu"], "device")
    effort = second[3].selectbox(
        "Effort", list(EFFORTS), index=1, key="effort", bind="query-params",
        help="  \n".join(f"{name}: at least {n} rounds and {s:g} s each" for name, (n, s) in EFFORTS.items()),
    )  # fmt: skip
    rounds, seconds = EFFORTS[effort]
    return analysis.plan(
        models, output=output, batch=map(int, batches), seq=map(int, lengths), threads=map(int, threads),
        device=devices, dtype=dtypes, runtime=programs, rounds=rounds, seconds=seconds,
    )  # fmt: skip


def _measure_button(label: str, plan: Plan, *, key: str, primary: bool = False) -> None:
    """Start a measurement; one at a time, for the whole lab."""
    running = latest_job()
    busy = running is not None and running[1].alive
    pressed = st.button(
        label, key=f"start-{key}", icon=":material/timer:", type="primary" if primary else "secondary", disabled=busy,
        help="One at a time: a measurement is running." if busy else None,
    )  # fmt: skip
    if primary or key == "claims":
        cases = [case for case in plan.cases if case.model != runtimes.MATMUL]
        memory = sum(stays + forward for stays, forward in plan.memory())
        st.caption(
            f"{len(cases)} {'case' if len(cases) == 1 else 'cases'}, {duration(plan.estimated_seconds)}, up to "
            f"{data_size(memory)} of memory." + (" Another measurement is running: one at a time." if busy else "")
        )
    if pressed:
        with shared.sentences():
            analysis.job(plan).start()
            st.rerun()
