"""What an experiment on Agora says, in sentences of Markdown that are computed from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bortlab.registry import title
from bortlab.system.numbers import percent
from bortlab.training.agora.rivals import Record, splits_of
from bortlab.views.agora.rivals import common_rounds, contrasts_of, points
from bortlab.views.escape import markdown
from bortlab.views.prose import counted, names

LEVEL = 0.05
"""Of a p-value, below which a contrast is said to be significant."""
HELPS, HURTS, OPEN = "helps", "hurts", "open"
"""What a contrast comes to."""


def outcome(contrast: Mapping[str, Any]) -> str:
    """HELPS or HURTS where the interval excludes 0 and the test agrees; else OPEN. Of a secondary contrast the p-value
    is the corrected one."""
    if contrast.get("p_holm", contrast["p"]) < LEVEL and (contrast["low"] > 0 or contrast["high"] < 0):
        return HELPS if contrast["low"] > 0 else HURTS
    return OPEN


def answer(record: Record) -> str:
    """The page's question, answered in one sentence."""
    primary, plan = record["verdict"]["primary"], record["plan"]
    opponent = primary["contrast"][1]
    outcome_of = outcome(primary)
    by = points(abs(primary["mean"])).removeprefix("+")
    says = {
        HELPS: f"**Yes, it helps**: Agora beats {opponent} by {by} points",
        HURTS: f"**No**: Agora loses to {opponent} by {by} points",
        OPEN: f"**No difference can be told**: Agora minus {opponent} is {points(primary['mean'])} points",
    }[outcome_of]
    return (
        f"{says} of accuracy (95% interval {points(primary['low'])} to {points(primary['high'])}) on sealed test "
        f"sets, where {markdown(title(plan['base']))} learns from {plan['learn']} labelled examples."
    )


def verdict_sentences(record: Record) -> list[str]:
    """How sure the answer is, which rivals differ, what made points are worth, and what the search set hides."""
    return [sentence for sentence in (_primary(record), _secondary(record), _worth(record), _gap(record)) if sentence]


def _primary(record: Record) -> str:
    primary = record["verdict"]["primary"]
    mean = record["verdict"]["means"]
    ours, opponent = primary["contrast"]
    n_tasks = len(record["verdict"]["by task"]) or 1
    sentence = (
        f"**The contrast that was declared beforehand**, Agora against {opponent} with as many trainings: "
        f"{percent(mean[ours]['mean'])} against {percent(mean[opponent]['mean'])} on H, over "
        f"{counted(primary['splits'], 'split')} of {counted(n_tasks, 'task')}. Agora is better in "
        f"{primary['better']}, worse in {primary['worse']} of them; Wilcoxon's signed-rank test gives "
        f"p = {primary['p']:.2g}"
    )
    if opponent == "random search":
        sentence += (
            ". Random search learns the labels of E too, in a last training on D and E; Agora only points made near "
            "its mistakes on E"
        )
    if outcome(primary) != OPEN:
        return f"{sentence}."
    most = max(abs(primary["low"]), abs(primary["high"]))
    agree = (primary["low"] > 0 or primary["high"] < 0) != (primary["p"] < LEVEL)
    weak = "; interval and test do not agree, so the evidence is weak" if agree else ""
    return f"{sentence}{weak}. An effect of more than {100 * most:.1f} points either way is unlikely."


def _secondary(record: Record) -> str:
    contrasts = record["verdict"]["secondary"]
    groups = {of: [rival for rival, its in contrasts.items() if outcome(its) == of] for of in (HELPS, HURTS, OPEN)}
    clauses = [
        f"Agora is {word} than {names([f'*{rival}*' for rival in groups[of]])}"
        for of, word in ((HELPS, "better"), (HURTS, "worse"))
        if groups[of]
    ]
    if groups[OPEN]:
        clauses.append(f"no difference can be told from {names([f'*{rival}*' for rival in groups[OPEN]])}")
    return f"Of the secondary contrasts, corrected by Holm's method: {'; '.join(clauses)}." if clauses else ""


def _worth(record: Record) -> str:
    """What the made points themselves are worth, where their ablation was run."""
    contrasts = contrasts_of(record)
    clauses = [
        f"{text} {points(contrasts[rival]['mean'], contrasts[rival])}"
        for rival, text in (
            ("agora without points", "the points that are made change accuracy by"),
            ("agora, random items", "making them near mistakes rather than near any example by"),
            ("agora, gold labels", "the labeller's labels rather than those of the mistakes by"),
        )
        if rival in contrasts
    ]
    return f"In points, with 95% intervals: {'; '.join(clauses)}." if clauses else ""


def _gap(record: Record) -> str:
    rows = common_rounds(record)
    if not rows:
        return ""
    first, last = rows[0]["gap"], rows[-1]["gap"]
    sentence = f"**The search set flatters**: E minus H of the best model is {points(first.value)} points in round 1"
    if len(rows) > 1:
        sentence += f", in round {rows[-1]['round']} {points(last.value)}"
    return f"{sentence}. So the figures on E prove nothing; H does."


def settings_sentence(record: Record) -> str:
    """What was run, in a sentence: tasks, splits, examples, sets and trainings."""
    plan, ours = record["plan"], record["primary"][0]
    trainings = record["verdict"]["means"][ours]["trainings"]
    return (
        f"{counted(len(splits_of(record)), 'task')}, {counted(plan['splits'], 'split')} each: {plan['learn']} examples "
        f"to learn from, {plan['search']} to search with, up to {plan['test']} sealed; {plan['sets']} sets of "
        f"hyper-parameters, {trainings:.1f} trainings on average of at most {plan['budget']}; the labeller is a linear "
        f"model on the frozen {markdown(title(plan['encoder']))}."
    )
