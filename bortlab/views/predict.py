"""Predictions as bars: what a model puts in a blank, and how likely named words are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from bortlab.analysis.predict import Agreement, WordScore
from bortlab.model import Blank
from bortlab.system.numbers import percent
from bortlab.views.escape import markdown, plotly, visible
from bortlab.views.figures import FONT
from bortlab.views.prose import names
from bortlab.views.theme import Look, translucent
from bortlab.views.view import View

ROW_HEIGHT = 30


def candidate_bars(blank: Blank, *, title: str, family: str, largest: float, look: Look) -> View:
    """The candidates of one blank as bars, the word on each, best on top. largest: end of the shared scale."""
    candidates = [(candidate.text, candidate.probability) for candidate in blank.candidates]
    return _bars("candidate", candidates, title=title, family=family, largest=largest, look=look)


def word_bars(scores: Sequence[WordScore], *, title: str, family: str, largest: float, look: Look) -> View:
    """Named words as bars, in the order in which they were named."""
    words = [(score.word, score.probability) for score in scores]
    return _bars("word", words, title=title, family=family, largest=largest, look=look)


def _bars(
    column: str, words: Sequence[tuple[str, float]], *, title: str, family: str, largest: float, look: Look
) -> View:
    import pandas

    numbers = ", ".join(f"{visible(word)} {percent(probability)}" for word, probability in words)
    table = pandas.DataFrame(
        [(visible(word.strip() or word), probability) for word, probability in words], columns=[column, "probability"]
    )
    return View(title, _figure(words, look.family(family), largest, look), f"{title}: {numbers}.", table)


def _figure(words: Sequence[tuple[str, float]], colour: str, largest: float, look: Look) -> go.Figure:
    rows = list(range(len(words)))
    labels = [plotly(word.strip() or word) for word, _ in words]
    probabilities = [probability for _, probability in words]
    end = max(largest, 1e-9)
    bars = go.Bar(
        x=probabilities,
        y=rows,
        orientation="h",
        width=0.82,
        marker={"color": translucent(colour, 0.30), "line": {"width": 0}, "cornerradius": 4},
        hovertext=[f"{label}: {100 * p:.4g}%" for label, p in zip(labels, probabilities, strict=True)],
        hoverinfo="text",
    )
    layout = {
        "height": ROW_HEIGHT * len(rows) + 8,
        "margin": {"l": 0, "r": 62, "t": 4, "b": 4},
        "showlegend": False,
        "dragmode": False,
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": FONT},
        "xaxis": {"visible": False, "range": [0, end * 1.02], "fixedrange": True},
        "yaxis": {"visible": False, "range": [len(rows) - 0.5, -0.5], "fixedrange": True},
    }
    names = _labels(0, [f" {label}" for label in labels], size=15, colour=look.ink)
    numbers = _labels(end * 1.02, [percent(p) for p in probabilities], size=13, colour=look.faint)
    return go.Figure([bars, names, numbers], layout)  # layout at once: update_layout takes twice as long as the rest


def agreement(agreement: Agreement, titles: Mapping[str, str]) -> str:
    """In Markdown, what the models put first, and which of them is most confident. titles: of the models."""
    if len(agreement.first) == 1:
        ((key, (word, probability)),) = agreement.first.items()
        return f"{markdown(titles[key])} puts {percent(probability)} on **{markdown(word)}**."
    confident = _most_confident(agreement, titles)
    if agreement.unanimous is not None:
        both = "Both" if len(agreement.first) == 2 else f"All {len(agreement.first)}"
        return f"{both} models guess **{markdown(agreement.unanimous)}** first. {confident}"
    votes: dict[str, list[str]] = {}
    for key, (first, _) in agreement.first.items():
        votes.setdefault(first, []).append(markdown(titles[key]))
    guesses = names([f"**{markdown(first)}** ({names(voters)})" for first, voters in votes.items()])
    common = [f"**{markdown(word)}**" for word in agreement.common[:5]]
    shared = f"All have {names(common)} among their guesses." if common else "No guess is shared by all."
    return f"First guesses differ: {guesses}. {confident} {shared}"


def _most_confident(agreement: Agreement, titles: Mapping[str, str]) -> str:
    """The models whose first guess has the largest share, as it is shown, and on what."""
    shares = {key: percent(probability) for key, (_, probability) in agreement.first.items()}
    most = shares[agreement.most_confident]
    models = [key for key, share in shares.items() if share == most]
    words = list(dict.fromkeys(f"**{markdown(agreement.first[key][0])}**" for key in models))
    who = names([markdown(titles[key]) for key in models])
    if len(models) == 1:
        return f"{who} is most confident, with {most} on {words[0]}."
    if len(models) == len(shares):
        return f"All are equally confident, with {most} each."
    return f"{who} are most confident, with {most} each on {names(words)}."


def _labels(x: float, texts: Sequence[str], *, size: int, colour: str) -> go.Scatter:
    """A text for each row that begins at x."""
    return go.Scatter(
        x=[x] * len(texts),
        y=list(range(len(texts))),
        mode="text",
        text=texts,
        textposition="middle right",
        textfont={"size": size, "color": colour},
        hoverinfo="skip",
        cliponaxis=False,
    )
