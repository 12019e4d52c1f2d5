"""What a comparison comes to, in a few sentences of Markdown."""

from __future__ import annotations

from bortlab.analysis.evaluation import NAMES
from bortlab.system.numbers import data_size, milliseconds
from bortlab.training.finetune.comparison import Comparison
from bortlab.views.escape import markdown
from bortlab.views.finetune.tables import with_interval
from bortlab.views.prose import counted, names

EXAMPLES_FOR_CERTAINTY = 100
"""Test examples below which every interval is wide."""


def verdict(comparison: Comparison) -> str:
    """The best, who is no worse, what the baselines say, and how sure all that is."""
    sentences = [_best(comparison), *_no_worse(comparison), *_baseline(comparison), *_certainty(comparison)]
    return "\n".join(f"- {sentence}" for sentence in sentences)


def _best(comparison: Comparison) -> str:
    best, measure = comparison.best, comparison.measure
    time = f", {milliseconds(best.ms.value)} a text" if best.ms else ""
    size = f", {data_size(best.n_bytes)}" if not best.is_baseline else ""
    return f"**{markdown(best.title)}** is best: {NAMES[measure]} {with_interval(best, measure)}{time}{size}."


def _no_worse(comparison: Comparison) -> list[str]:
    """The models whose difference from the best is not significant, the fastest of them named for its speed."""
    same = [
        entry
        for entry in comparison.models
        if entry.key in comparison.differences and not comparison.differences[entry.key]["significant"]
    ]
    if not same:
        others = [entry for entry in comparison.models if entry.key != comparison.best.key]
        significant = "Its lead over every other model is significant on these test examples."
        return [significant] if others and comparison.finished else []
    sentences = [f"No significant difference from it: {names([markdown(entry.title) for entry in same])}."]
    timed = [entry for entry in (*same, comparison.best) if entry.ms]
    fastest = min(timed, key=lambda entry: entry.ms.value if entry.ms else 0.0, default=None)
    if fastest is not None and fastest.key != comparison.best.key and fastest.ms and comparison.best.ms:
        share = fastest.ms.value / comparison.best.ms.value
        sentences.append(f"Of these, {markdown(fastest.title)} is the fastest: {share:.2f} of the best one's time.")
    return sentences


def _baseline(comparison: Comparison) -> list[str]:
    """Whether fine-tuning was worth it at all."""
    baselines = [entry for entry in comparison.entries if entry.is_baseline]
    if not baselines or not comparison.models:
        return []
    strongest, best = baselines[0], comparison.models[0]
    value = with_interval(strongest, comparison.measure)
    if comparison.best.is_baseline:
        gap = comparison.differences.get(best.key, {})
        sure = "significantly " if gap.get("significant") else ""
        return [f"**No fine-tuned model is needed here**: {markdown(strongest.title)} is {sure}ahead of all of them."]
    gap = comparison.differences.get(strongest.key, {})
    if comparison.finished and not gap.get("significant"):
        return [
            f"The strongest baseline, {markdown(strongest.title)} ({value}), is not significantly worse: with these "
            f"data, fine-tuning is not worth it for certain."
        ]
    return [f"The strongest baseline is {markdown(strongest.title)}: {value}."]


def _certainty(comparison: Comparison) -> list[str]:
    examples = comparison.data["examples"]
    split = "test" if examples["test"] else "dev"
    n, seeds = examples[split], max((len(entry.runs) for entry in comparison.models), default=1)
    sentences = []
    if split == "dev":
        sentences.append(
            "There is no test split: the figures are of dev, by which epochs were chosen, so they flatter."
        )
    if n < EXAMPLES_FOR_CERTAINTY:
        sentences.append(f"{counted(n, f'{split} example')} only: every interval is wide, and ranks may change.")
    if seeds == 1 and comparison.models:
        sentences.append("One seed each: with another seed the order of close models may change.")
    else:
        spreads = {
            entry.title: _spread([run["figures"][comparison.measure] for run in entry.runs.values()])
            for entry in comparison.models
            if len(entry.runs) > 1
        }
        if spreads:
            widest = max(spreads, key=lambda title: spreads[title])
            sentences.append(f"From seed to seed a model varies by up to {spreads[widest]:.3f} ({markdown(widest)}).")
    return sentences


def _spread(values: list[float]) -> float:
    return max(values) - min(values)
