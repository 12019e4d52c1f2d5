"""The parts of the Predict page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from bortlab.analysis import predict as analysis
from bortlab.model import FilledMask, Model
from bortlab.system.numbers import percent
from bortlab.text import MASK
from bortlab.ui import fitting, opened, shared
from bortlab.ui.examples import EXAMPLES
from bortlab.ui.shared import Timed
from bortlab.views import predict as view
from bortlab.views.cards import model_heading
from bortlab.views.escape import markdown
from bortlab.views.figures import CONFIG

BUTTONS = 60
"""Words that can be hidden by a click."""
COLUMNS = 4
BLANKS = 8
"""Blanks that are drawn; the table has all."""

EXPLANATION = """
A **masked language model** reads the whole sentence at once and gives every piece of its vocabulary a probability for
each blank: `softmax(head(encoder(text)))` at the position of the mask (BERT, Devlin et al. 2018, section 3.1).

* `[MASK]` is the blank for every model here, whatever its own vocabulary calls it (Bort says `<mask>`).
* A guess is one **piece** of the vocabulary, mostly a word. Bort keeps upper and lower case apart, the others do not.
* Several blanks are guessed independently of one another.
* *How likely is …?* also scores words of several pieces: the blank becomes as many masks, filled from the left, and the
  probabilities multiply (Kauf and Ivanova 2023). Words of different length compare only roughly.
* The bundled minis learned from WordNet and the World English Bible alone. They know what these say, and little else.
"""

Answers = Mapping[str, tuple[Model, Timed[FilledMask]]]


def has_blank(text: str) -> bool:
    """Is there something to guess? If not, say what to do."""
    if not text.strip():
        st.info("The box is empty. Write a sentence, or take one of the examples.")
    elif MASK not in text:
        st.info(f"Nothing is hidden yet: click a word above, or write {markdown(MASK)} where a word is to be guessed.")
    return MASK in text


def examples() -> None:
    """Sentences to try, by a click."""

    def take() -> None:
        chosen = st.session_state["example"]
        if chosen is not None:
            shared.set_text(chosen)
            st.session_state["example"] = None
            st.session_state["hidden"] = []

    st.pills("Try", EXAMPLES, format_func=markdown, key="example", on_change=take)


def word_buttons(text: str) -> None:
    """The text's words; a click hides one, a click on a blank brings the hidden word back."""
    words = [word for word in analysis.words_of(text) if not word.is_mark][:BUTTONS]
    hidden: list[str] = st.session_state.get("hidden", [])  # the word behind each blank; "" behind one that was typed
    if len(hidden) != text.count(MASK):
        hidden = [""] * text.count(MASK)
    st.session_state["hidden"] = hidden
    if not words:
        return

    def toggle() -> None:
        number = st.session_state["word"]
        st.session_state["word"] = None
        if number is None or not shared.is_current(text):
            return
        word = words[number]
        place = text[: word.start].count(MASK)
        if not word.is_mask:
            hidden.insert(place, word.text)
            shared.set_text(analysis.blank_out(text, word))
        elif hidden[place]:
            shared.set_text(text[: word.start] + hidden.pop(place) + text[word.end :])
        else:
            st.toast(f"No word is known behind this blank. Write one over {markdown(MASK)} in the text.")

    labels = _distinct(["▁▁▁▁" if word.is_mask else markdown(word.text) for word in words])
    st.pills(
        "Click a word to hide it",
        range(len(words)),
        format_func=labels.__getitem__,
        key="word",
        on_change=toggle,
        help="A click on a blank brings back the word that you hid.",
    )


def _distinct(labels: Sequence[str]) -> list[str]:
    """The labels, told apart by invisible word joiners: Streamlit takes a click on one of equal pills for the last."""
    return [label + "&#8288;" * labels[:number].count(label) for number, label in enumerate(labels)]


def fill(keys: Sequence[str], text: str, top_k: int) -> Answers:
    """What each model puts in the blanks; a model that cannot answer says why in its place."""
    answers = {}
    for key in keys:
        with shared.sentences():
            model = opened.load(key)
            answers[key] = (
                model,
                shared.ask(model, ("fill_mask", text, top_k), lambda model: model.fill_mask(text, top_k=top_k)),
            )
    if not keys:
        st.info("Choose at least one model in the sidebar.")
    return answers


def show(answers: Answers) -> None:
    """Every model's guesses side by side, with one scale for all bars."""
    if not answers:
        return
    look = shared.look()
    filled = {key: timed.value for key, (_, timed) in answers.items()}
    largest = max(blank.candidates[0].probability for answer in filled.values() for blank in answer.blanks[:BLANKS])
    _truncation(filled)
    if any(len(answer.blanks) > BLANKS for answer in filled.values()):
        st.info(f"The first {BLANKS} blanks are drawn; the table below has all.")
    keys = list(answers)
    for start in range(0, len(keys), COLUMNS):
        row = keys[start : start + COLUMNS]
        for key, column in zip(row, st.columns(len(row), gap="medium"), strict=True):
            model, timed = answers[key]
            with column:
                facts = [f"{model.n_parameters / 1e6:.1f} M parameters", f"{timed.milliseconds:.1f} ms"]
                st.html(
                    model_heading(title(key), model.family.name, head=model.heads["masked-lm"], facts=facts, look=look)
                )
                fitting.about_head(model)
                for number, blank in enumerate(timed.value.blanks[:BLANKS], 1):
                    if len(timed.value.blanks) > 1:
                        st.caption(f"Blank {number}")
                    said = [(candidate.text, candidate.probability) for candidate in blank.candidates]
                    st.plotly_chart(
                        view.candidate_bars(blank, family=model.family.name, largest=largest, look=look),
                        theme=None,
                        config=CONFIG,
                        key=f"bars-{key}-{number}",
                        alt=view.alternative(f"{title(key)}, blank {number}", said),
                    )


def _truncation(filled: Mapping[str, FilledMask]) -> None:
    """Say what a model did not read."""
    cut = {key: answer.encoding for key, answer in filled.items() if answer.encoding.truncated}
    if cut:
        parts = [f"{title(key)} left out the last {encoding.truncated:,} pieces" for key, encoding in cut.items()]
        st.warning(f"The text is longer than a model reads: {shared.names(parts)}.", icon=":material/content_cut:")


def title(key: str) -> str:
    """A model's title."""
    return opened.title(key)


def show_agreement(answers: Answers) -> None:
    """What can be read from the pictures."""
    if not answers:
        return
    filled = {key: timed.value for key, (_, timed) in answers.items()}
    lines = []
    for number in range(min(BLANKS, len(next(iter(filled.values())).blanks))):
        if all(number < len(answer.blanks) for answer in filled.values()):
            prefix = f"Blank {number + 1}: " if len(next(iter(filled.values())).blanks) > 1 else ""
            lines.append(prefix + _said(analysis.agreement(filled, number)))
    st.markdown("\n\n".join(lines))


def _said(found: analysis.Agreement) -> str:
    surest, probability = found.first[found.surest]
    sure = f"Surest is {title(found.surest)}, with {percent(probability)} on **{markdown(surest)}**."
    if len(found.first) == 1:
        return sure
    if found.unanimous is not None:
        return f"All {len(found.first)} models say **{markdown(found.unanimous)}** first. {sure}"
    votes: dict[str, list[str]] = {}
    for key, (word, _) in found.first.items():
        votes.setdefault(word, []).append(title(key))
    said = shared.names([f"**{markdown(word)}** ({shared.names(keys)})" for word, keys in votes.items()])
    common = (
        f" Among the first guesses of all: {', '.join(f'**{markdown(word)}**' for word in found.common[:5])}."
        if found.common
        else " No guess is shared by all."
    )
    return f"First guesses differ: {said}. {sure}{common}"


def how_likely(answers: Answers, text: str) -> None:
    """Score words that the visitor names."""
    if not answers:
        return
    st.subheader("How likely is …?", anchor=False)
    places = text.count(MASK)
    with st.container(horizontal=True):
        named = st.text_input(
            "Words, separated by commas",
            key="ask",
            bind="query-params",
            live="400ms",
            placeholder="France, Germany, the United Kingdom",
            persist_state="session",
        )
        blank = (
            st.selectbox("Blank", range(places), format_func=lambda n: f"Blank {n + 1}", key="blank", width=120)
            if places > 1
            else 0
        )
    words = list(dict.fromkeys(word.strip() for word in (named or "").split(",") if word.strip()))
    if not words:
        return
    if len(words) > analysis.MAX_WORDS:
        st.warning(f"Up to {analysis.MAX_WORDS} words at once; the rest is left out.")
        words = words[: analysis.MAX_WORDS]
    scored = {}
    for key, (model, _) in answers.items():
        with shared.sentences():
            question = ("score_words", text, tuple(words), blank)
            scored[key] = shared.ask(
                model, question, lambda model: analysis.score_words(model, text, words, blank=blank)
            ).value
    if scored:
        _show_scores(answers, scored)


def _show_scores(answers: Answers, scored: Mapping[str, Sequence[analysis.WordScore]]) -> None:
    look = shared.look()
    largest = max(score.probability for scores in scored.values() for score in scores)
    keys = list(scored)
    for start in range(0, len(keys), COLUMNS):
        row = keys[start : start + COLUMNS]
        for key, column in zip(row, st.columns(len(row), gap="medium"), strict=True):
            family = answers[key][0].family.name
            with column:
                st.html(model_heading(title(key), family, head=None, facts=[], look=look))
                st.plotly_chart(
                    view.word_bars(scored[key], family=family, largest=largest, look=look),
                    theme=None,
                    config=CONFIG,
                    key=f"words-{key}",
                    alt=view.alternative(title(key), [(score.word, score.probability) for score in scored[key]]),
                )
                unknown = [f"**{markdown(score.word)}**" for score in scored[key] if not score.known]
                if unknown:
                    st.caption(f"Not in this vocabulary, so the number says nothing: {shared.names(unknown)}.")
    st.dataframe(
        analysis.scores_frame(scored),
        hide_index=True,
        width="stretch",
        column_config={
            "probability": st.column_config.NumberColumn(format="%.4g"),
            "log probability": st.column_config.NumberColumn(format="%.2f"),
        },
        alt="How likely the named words are, as numbers",
    )


def take_away(answers: Answers, text: str, top_k: int) -> None:
    """Table, CSV, link and Python of the guesses."""
    if not answers:
        return
    shared.take_away(
        analysis.frame({key: timed.value for key, (_, timed) in answers.items()}),
        name="predictions",
        python=(
            f"import bortlab\n\nmodels = [{', '.join(map(opened.python, answers))}]\n"
            f"for model in models:\n    print(model.key)\n    print(model.fill_mask({text!r}, top_k={top_k}))\n"
        ),
    )
