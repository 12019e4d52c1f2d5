"""What can be read from a search, in sentences of Markdown that are computed from it."""

from __future__ import annotations

from collections.abc import Sequence

from bortlab.search import Answer, Extraction, Row, Standing, space
from bortlab.search.grid import TrainedGrid
from bortlab.search.learning_curves import SETTLED, TIMES, Agreement, LearningCurves
from bortlab.search.objective import TINY
from bortlab.search.space import FEED_FORWARD
from bortlab.search.study import STABLE, Study, Verdict, bort_shapes, verdict
from bortlab.system.numbers import fixed, percent, short_count
from bortlab.views.escape import markdown
from bortlab.views.prose import counted, names
from bortlab.views.search.axes import named


def findings(extraction: Extraction) -> list[str]:
    """How many candidates there are, which wins, what the stride missed, and what cannot be told apart."""
    return [
        sentence
        for sentence in (space_sentence(extraction), winner_sentence(extraction), missed_sentence(extraction))
        if sentence
    ]


def space_sentence(extraction: Extraction) -> str:
    """The number of candidates, of distinct costs, and of those that are looked at."""
    n, looked = len(extraction.rows), len(extraction.representatives)
    sentence = f"{counted(n, 'candidate')}"
    if extraction.space.n_refused:
        sentence += f" ({counted(extraction.space.n_refused, 'combination')} more are no models)"
    if extraction.n_distinct < n:
        sentence += f", only **{extraction.n_distinct:,}** of which differ in parameters or operations"
    if looked < n:
        sentence += f"; one of every {extraction.stride} is looked at, **{looked:,}** in all"
    return f"{sentence}."


def winner_sentence(extraction: Extraction) -> str:
    """Which candidates have the largest W."""
    best = extraction.best
    if not best:
        return "None of those that are looked at has an error, so none has a W."
    row = best[0]
    sentence = (
        f"The largest W, {row.w:.3g}, is that of **{named(extraction, best)}**: {short_count(row.costs.parameters)} "
        f"parameters, {percent(row.costs.operations / extraction.maximum.operations)} of the operations of "
        f"{markdown(extraction.maximum.title)}"
    )
    if len(best) > 1:
        sentence += f". {counted(len(best), 'candidate').capitalize()} share it, for nothing in W tells them apart"
    return f"{sentence}."


def missed_sentence(extraction: Extraction) -> str:
    """What a stride above 1 missed."""
    best, of_all = extraction.best, extraction.best_of_all
    if extraction.stride == 1 or not best or not of_all or best[0].w is None or of_all[0].w is None:
        return ""
    if of_all[0].w <= best[0].w * (1 + 1e-9):
        return "No candidate that was left out has a larger W."
    return (
        f"Among those that were left out, **{named(extraction, of_all)}** has a larger W: the stride costs "
        f"{percent(1 - best[0].w / of_all[0].w)}."
    )


def bort_sentence(standings: Sequence[Standing], extraction: Extraction) -> str:
    """Below which error Bort's shape would win against the candidate with the largest factor."""
    known = [standing for standing in standings if standing.landmark.title.startswith("Bort")]
    clauses = [
        f"{standing.landmark.title} if its error is below {standing.needed:.3f} times"
        for standing in known
        if standing.needed is not None
    ]
    if not clauses:
        return ""
    most = max(extraction.rows, key=lambda row: row.factor)
    return (
        f"Size and speed alone favour {most.name}, whose factor is {most.factor:.3f}. Against it wins "
        f"{names(clauses)} that candidate's."
    )


def moving_sentence(given: Sequence[Answer]) -> str:
    """How often the winner changes with what was asked."""
    different = {answer.costs for answer in given if answer.stride == 1}
    of_stride = {answer.costs for answer in given}
    if not given:
        return ""
    if len(of_stride) == 1:
        return "Every maximum point, length and stride in the table gives the same winner."
    return (
        f"With every candidate looked at, maximum point and length alone give {counted(len(different), 'winner')}; "
        f"with all strides together there are {len(of_stride)}, counting those of equal costs as one."
    )


def row_sentence(extraction: Extraction, row: Row) -> str:
    """One candidate in words."""
    costs = row.costs
    sentence = (
        f"**{row.name}**: {costs.parameters:,} parameters ({percent(1 - costs.effective / costs.parameters)} of them "
        f"embeddings), {short_count(costs.operations)}FLOP for {counted(extraction.seq, 'piece')}; factor "
        f"(1 − p/p_T)(1 − i/i_T) = {row.factor:.4f}"
    )
    if row.w is not None and row.error is not None:
        sentence += f", error {row.error:.4g}, W = {row.w:.4g}"
    return f"{sentence}. {'It is' if row.on_front else 'It is not'} on the Pareto front."


# -- a trained grid ----------------------------------------------------------------------------------------------------


def study_sentences(trained: TrainedGrid, result: Study) -> list[str]:
    """What a trained grid says: what was trained, who wins how surely, and was the search worth it?"""
    return [
        trained_sentence(trained, result),
        spread_sentence(trained, result),
        trained_winner_sentence(result),
        front_sentence(trained, result),
        strides_sentence(result),
    ]


def trained_sentence(trained: TrainedGrid, result: Study) -> str:
    """How many were trained, on what, and how good the maximum point is."""
    n = len(result.names) + len(result.uninformative)
    teacher, unigram = trained.exam["teacher"], trained.exam["unigram"]
    sentence = (
        f"**{n}** of the {len(space(trained.grid.space).candidates)} candidates were trained with "
        f"{counted(len(trained.grid.seeds), 'seed')} each, on "
        f"{short_count(trained.grid.budget.pieces)} pieces, with {markdown(trained.grid.teacher)} as the maximum point "
        f"(its loss is {percent(teacher['loss'] / unigram['loss'])} of that of knowing frequencies alone)"
    )
    if result.uninformative:
        sentence += f"; **{len(result.uninformative)}** are uninformative: they have not left the frequencies of words"
    return f"{sentence}."


def length_sentence(curves: LearningCurves) -> str:
    """Is n, the pieces that each sees, long enough?"""
    agreement = curves.lasting or curves.agreements[0]
    tau = agreement.tau
    sentence = (
        f"From {short_count(agreement.before)} pieces to {short_count(agreement.after)} the ranking keeps a Kendall's "
        f"τ of {fixed(tau.value, 2)} ({fixed(tau.low, 2)} to {fixed(tau.high, 2)} with the seeds drawn again): "
        f"{_length_judgement(agreement, lasts=curves.lasting is not None)}."
    )
    if curves.between_seeds is not None:
        sentence += f" The rankings by any two seeds agree at a τ of {fixed(curves.between_seeds, 2)} on average."
    return sentence


def _length_judgement(agreement: Agreement, *, lasts: bool) -> str:
    """lasts: did TIMES as many pieces keep the ranking?"""
    n = short_count(agreement.before)
    if not agreement.settled:
        doubt = "" if agreement.is_sure else ", though with other seeds it might have"
        return f"below {SETTLED:g}, so the order had **not** settled{doubt}, and longer training may change it"
    if not lasts:
        return f"{SETTLED:g} or more, but {TIMES} times as many pieces were not tried"
    held = f"n = {n} ranks them as {TIMES} times as many do"
    if not agreement.is_sure:
        return (
            f"{SETTLED:g} or more, so {held}, but not surely: with other seeds it may be less, and n **may not be** "
            "long enough for the order"
        )
    return f"{SETTLED:g} or more, so {held}, and n is long enough for the order"


def spread_sentence(trained: TrainedGrid, result: Study) -> str:
    """How far the errors are apart, and how far from the maximum point's own."""
    means = [sum(errors) / len(errors) for errors in result.errors.values()]
    teacher = float(trained.exam["teacher"]["error"])
    return (
        f"Their mean errors reach from {min(means):.2f} to {max(means):.2f} nats, where the maximum point's own is "
        f"{teacher:.2f}: "
        + (
            "the training is brief, and what pays only later does not show."
            if teacher < min(means)
            else "the best do as well as the maximum point."
        )
    )


def trained_winner_sentence(result: Study) -> str:
    """Which candidate wins, in how many resamplings of the seeds, and what decides W."""
    means = {name: sum(errors) / len(errors) for name, errors in result.errors.items()}
    factors = [result.ws[name] * (error + TINY) for name, error in means.items()]
    least, most = min(means.values()), max(means.values())
    decides = max(factors) * least > min(factors) * most
    return (
        f"The largest W is that of **{result.winner}**, in {percent(result.best[result.winner])} of the resamplings of "
        f"the seeds. The errors differ by at most {percent(most / least - 1)}, the factor of size and speed goes from "
        f"{max(factors):.2f} down to {min(factors):.2f}{': it decides W more than they do' if decides else ''}."
    )


def front_sentence(trained: TrainedGrid, result: Study) -> str:
    """Which members of the front are stable, and whether narrow feed-forward parts are on it."""
    n_front = len(result.front)
    stable = [name for name in result.front if result.stability[name] >= STABLE]
    sentence = (
        f"{n_front} of {len(result.names)} candidates {'is' if n_front == 1 else 'are'} on the front of parameters, "
        f"operations and error; {f'stable: {names(stable)}' if stable else 'none of them is stable'}."
    )
    groups = _by_feed_forward(trained, result)
    if len(groups) < 2:
        return sentence
    (narrow, thin), *_, (wide, thick) = sorted(groups.items())
    return (
        f"{sentence} Of the {len(thin)} with the narrowest feed-forward part ({narrow:,}), "
        f"{len(set(thin) & set(result.front))} are on it; of the {len(thick)} with the widest ({wide:,}), "
        f"{len(set(thick) & set(result.front))}."
    )


def _by_feed_forward(trained: TrainedGrid, result: Study) -> dict[int, list[str]]:
    """The informative candidates by the width of their feed-forward part; none where the space does not vary it."""
    where = space(trained.grid.space)
    if FEED_FORWARD not in where.sizes:
        return {}
    place = list(where.sizes).index(FEED_FORWARD)
    groups: dict[int, list[str]] = {}
    for name in result.names:
        groups.setdefault(where.named(name).sizes[place], []).append(name)
    return groups


def strides_sentence(result: Study) -> str:
    """How the largest stride compares with its rivals."""
    last = result.comparisons[-1]
    return (
        f"With a stride of {last.stride} only {last.trained} of {len(result.names)} need training, and "
        f"{percent(last.chosen.regret)} of the best W is missed; random choices of {last.trained} miss "
        f"{percent(last.random.regret)} on average, the {last.trained} smallest {percent(last.smallest.regret)}."
        + (
            " The smallest of all wins, and a stride always looks at it: of its worth, W says nothing here."
            if result.winner == result.names[0]
            else ""
        )
    )


def verdict_sentences(trained: TrainedGrid, result: Study, *, size: str = "parameters") -> list[str]:
    """Is Bort's shape on the front of the grid? A sentence for each of its proportions that was trained."""
    return [
        verdict_sentence(verdict(trained, result, name, size=size), title)
        for name, title in bort_shapes(space(trained.grid.space)).items()
        if name in result.names
    ]


def verdict_sentence(found: Verdict, title: str) -> str:
    """Is a shape on the front of the grid? title: which of Bort's proportions it has."""
    shape = f"**{found.name}**, Bort's proportions with {title},"
    if found.on_front:
        return f"{shape} **is on the front** of our grid, in {percent(found.share)} of the resamplings of the seeds."
    better = found.dominated_by
    return (
        f"{shape} **is not on the front** of our grid: {names(list(better))} {'is' if len(better) == 1 else 'are'} at "
        f"least as good in every respect. With seeds drawn again it is on the front in {percent(found.share)}."
    )
