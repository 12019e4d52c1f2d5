"""The sentences about measurements agree with the statistics that they are made from, whatever was measured."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from bortlab.analysis.latency import Case, Measured, Plan, Run
from bortlab.analysis.latency.cases import n_parameters, title
from bortlab.analysis.latency.timing import Ratio
from bortlab.views.latency.sentences import findings, small_but_not_fast

BASELINE = "bert-mini"
OTHERS = ("albert-mini", "convbert-mini", "bort-mini", "albert-base-v2")
samples = st.lists(st.lists(st.floats(0.1, 1e4), min_size=2, max_size=2), min_size=4, max_size=4)


def run_of(ms: dict[str, list[list[float]]]) -> Run:
    measured = tuple(
        Measured(
            Case(model=model, seq=16), tuple(map(tuple, rounds)), parameters=n_parameters(model, "encoder"), flops=10**9
        )
        for model, rounds in ms.items()
    )
    return Run(Plan(tuple(entry.case for entry in measured)), measured, {}, complete=True)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from(OTHERS), samples, min_size=1), samples)
def test_sentences_agree_with_the_verdicts(others: dict[str, list[list[float]]], base: list[list[float]]) -> None:
    run = run_of({**others, BASELINE: base})
    text = " ".join(findings(run, run.timed, BASELINE))
    first, second = sorted(run.timed, key=lambda measured: measured.p50.value)[:2]
    assert ("is the fastest" in text) == (run.against(first.case, second.case).verdict == "faster")
    for case, ratio in run.ratios(BASELINE).items():
        name = re.escape(title(case.model))
        listed = re.search(rf"No significant difference from BERT mini: [^.]*{name}", text) is not None
        assert listed == (ratio.verdict == "no significant difference")
        if not ratio.significant:
            assert not re.search(rf"\*\*{name}\*\* is [\d.]+× as fast", text)
            assert not re.search(rf"\*\*{name}\*\* stores .* times as long", text)


@settings(max_examples=100)
@given(st.tuples(*[st.floats(0.3, 3)] * 3).map(sorted))
def test_a_small_model_is_said_to_be_slow_only_where_it_is(ends: list[float]) -> None:
    low, value, high = ends
    small = Measured(Case(model="albert-base-v2"), ((1.0,),), parameters=10**6)
    base = Measured(Case(model="bert-base-uncased"), ((1.0,),), parameters=10**7)
    ratio = Ratio(value, low, high)
    text = small_but_not_fast({small.case: ratio}, [small, base], base, {small.case: "ALBERT"})
    assert ("times as long" in text) == (ratio.verdict == "slower")
    assert ("not significantly faster" in text) == (not ratio.significant)
    assert (text == "") == (ratio.verdict == "faster" and value < 0.8)
