"""The parts of the Layers page that tell which words surprise which model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from bortlab.analysis import surprise as analysis
from bortlab.analysis.surprise import Surprise
from bortlab.model import Model
from bortlab.ui import opened, shared
from bortlab.views import layers as view
from bortlab.views.escape import markdown
from bortlab.views.surprise import surprise_sentences

WORDS = 40
"""Words that are scored at most; the rest of the text is read."""
WORK = 4e11
"""Multiplications and additions that one model may take: about ten seconds of one core."""

EXPLANATION = """
**Each word is masked in turn**, and the model asked how likely it is from all the words around, before and after:
`-log₂ p(word | rest)` **bits**. 1 bit is a coin's, 10 bits one in a thousand. Their sum over the text is its
pseudo-log-likelihood (Salazar et al. 2020, arXiv 1910.14659).

* A word of several pieces is masked from the piece on that is asked for to the word's end; its earlier pieces are seen
  (Kauf and Ivanova 2023, arXiv 2305.10588). Otherwise the word would give itself away.
* **Pseudo-perplexity** is `exp` of the mean surprise of a *piece*. Each tokenizer has pieces of its own, so it does not
  compare models with different vocabularies. **Bits per character** and **per word** do: all read the same characters.
* Bort alone tells upper from lower case, so it has more to guess.
* Blanks stay blank and are not counted. This is no probability of the text: each word is guessed knowing all others.
"""

ScoreByModel = Mapping[str, tuple[Model, Surprise]]


def score(keys: Sequence[str], text: str) -> ScoreByModel:
    """How each model finds each word; a model that cannot say why in its place."""
    by_model, loaded = {}, {}
    for key in keys:
        with shared.sentences():
            loaded[key] = opened.load(key)
    most = min([_affordable(model, text) for model in loaded.values()], default=WORDS)
    for key, model in loaded.items():
        with shared.sentences():
            score = shared.ask(model, ("surprise", text, most), lambda model: analysis.surprise(model, text, most=most))
            by_model[key] = (model, score)
    if not keys:
        st.info("Choose at least one model in the sidebar.")
    elif not any(score.words for _, score in by_model.values()):
        st.info("There is no word to score. Write a sentence.")
    return {key: (model, score) for key, (model, score) in by_model.items() if score.words}


def _affordable(model: Model, text: str) -> int:
    """How many words of a text can be scored without long waiting; each costs a pass over the whole text."""
    blocks = [model.network.block(index) for index in range(model.config.depth)]
    weights = sum(parameter.numel() for block in blocks for parameter in block.parameters())
    return min(WORDS, max(1, int(WORK / (2 * weights * len(model.encode(text))))))


def show(by_model: ScoreByModel) -> None:
    """A table of words and models."""
    if not by_model:
        return
    look = shared.look()
    left_out = max(score.left_out for _, score in by_model.values())
    most = max(len(score.words) for _, score in by_model.values())
    if left_out:
        st.info(
            f"The first {most} words are scored; {left_out:,} more are read as far as a model reads, but not scored."
        )
    for key, (model, _) in by_model.items():
        if model.heads["masked-lm"] == "random":
            st.warning(
                f"The head of {markdown(opened.title(key))} is random, so its numbers mean nothing.",
                icon=":material/warning:",
            )
    rows = [(view.Row(opened.title(key), model.family.name), score) for key, (model, score) in by_model.items()]
    shared.picture(view.surprise_table(rows, look), "surprise")
    st.caption("Bits: the fewer, the better a word could be guessed. Point at a cell for its probability and pieces.")


def findings(by_model: ScoreByModel) -> None:
    """What can be read from the table, and the sums."""
    if not by_model:
        return
    scores = {key: score for key, (_, score) in by_model.items()}
    st.markdown(surprise_sentences(scores, {key: markdown(opened.title(key)) for key in scores}))
    st.dataframe(
        analysis.summary(scores),
        hide_index=True,
        width="stretch",
        column_config={
            "model": "Model",
            "bits per character": st.column_config.NumberColumn("Bits per character", format="%.2f"),
            "bits per word": st.column_config.NumberColumn("Bits per word", format="%.2f"),
            "pseudo-perplexity": st.column_config.NumberColumn(
                "Pseudo-perplexity", format="%.1f", help="Of a piece: compares models of one vocabulary only."
            ),
            "pseudo-log-likelihood": st.column_config.NumberColumn("Pseudo-log-likelihood", format="%.1f"),
            "words": "Words",
            "pieces": "Pieces",
            "characters": "Characters",
        },
        alt="How surprised each model is by the whole text",
    )


def take_away(by_model: ScoreByModel, text: str) -> None:
    """Table, CSV, link and Python of the surprise."""
    if by_model:
        most = max(len(score.words) for _, score in by_model.values())
        shared.take_away(
            analysis.frame({key: score for key, (_, score) in by_model.items()}),
            name="surprise",
            python=(
                "import bortlab\nfrom bortlab.analysis import surprise\nfrom bortlab.views import layers as draw\n"
                "from bortlab.views.theme import Look\n\n"
                f"models = [{', '.join(map(opened.python, by_model))}]\n"
                f"by_model = {{model.key: surprise.surprise(model, {text!r}, most={most}) for model in models}}\n"
                "rows = [(draw.Row(model.key, model.family.name), by_model[model.key]) for model in models]\n"
                f"draw.surprise_table(rows, Look({shared.look().mode!r})).show()\n"
                "print(surprise.summary(by_model))\n"
            ),
        )
