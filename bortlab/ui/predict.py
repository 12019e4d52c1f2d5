"""The parts of the Predict page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from bortlab.analysis import predict as analysis
from bortlab.model import FilledMask, Model
from bortlab.runtimes.engines.answering import Answered
from bortlab.system.numbers import short_count
from bortlab.text import MASK
from bortlab.ui import adapt, opened, shared
from bortlab.ui.examples import EXAMPLES
from bortlab.views import predict as draw
from bortlab.views.escape import markdown

BUTTONS = 60
"""Words that can be hidden by a click."""
COLUMNS = 4
BLANKS = 8
"""Blanks that are drawn; the table has all."""

EXPLANATION = """
A **masked language model** reads the whole sentence at once and gives every piece of its vocabulary a probability for
each blank: `softmax(head(encoder(text)))` at the position of the mask (BERT, Devlin et al. 2018, section 3.1).

* `[MASK]` is the blank for every model here, whatever its own vocabulary calls it (Bort says `<mask>`).
* A guess is one **piece** of the vocabulary, mostly a word. Bort distinguishes upper and lower case, the others do not.
* Several blanks are guessed independently of one another.
* *How likely is …?* also scores words of several pieces: the blank becomes as many masks, filled from the left, and the
  probabilities multiply (Kauf and Ivanova 2023). Words of different length compare only roughly.
* The minis read 45 million pieces of stories, novels, textbooks and talk, MiniLM far more. They know what words usually
  stand together; of facts and numbers they know little ("Two plus two is [MASK].").
"""

Answers = Mapping[str, tuple[Model, FilledMask]]


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
        sentence = st.session_state["example"]
        if sentence is not None:
            shared.set_text(sentence)
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
        blank = text[: word.start].count(MASK)
        if not word.is_mask:
            hidden.insert(blank, word.text)
            shared.set_text(analysis.blank_out(text, word))
        elif hidden[blank]:
            shared.set_text(text[: word.start] + hidden.pop(blank) + text[word.end :])
        else:
            st.toast(f"No hidden word to restore here. Write one over {markdown(MASK)} in the text.")

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


def fill(keys: Sequence[str], text: str, top_k: int) -> tuple[Answers, Mapping[str, Answered[FilledMask]]]:
    """What each model puts in the blanks, and by which engine; one that cannot answer says why in its place."""
    answers, answered = {}, {}
    for key in keys:
        with shared.sentences(), opened.lease(key) as model:
            answered[key] = shared.answer(
                model, ("fill_mask", text, top_k), lambda asked: asked.fill_mask(text, top_k=top_k)
            )
            answers[key] = (model, answered[key].value)
    if not keys:
        st.info("Choose at least one model in the sidebar.")
    return answers, answered


def show(answers: Answers) -> None:
    """Every model's guesses side by side, with one scale for all bars."""
    if not answers:
        return
    look = shared.look()
    shared.left_out({key: guesses.encoding for key, (_, guesses) in answers.items()})
    if any(len(guesses.blanks) > BLANKS for _, guesses in answers.values()):
        st.info(f"The first {BLANKS} blanks are drawn; the table below has all.")
    blanks = [blank for _, guesses in answers.values() for blank in guesses.blanks[:BLANKS]]
    largest = max(blank.candidates[0].probability for blank in blanks)
    for key, column in shared.grid(list(answers), COLUMNS):
        model, guesses = answers[key]
        family, title = model.family.name, opened.title(key)
        with column:
            facts = [f"{short_count(model.n_parameters)} parameters"]
            if model.has_own_decoder:
                facts.append("untied decoder")
            shared.name_card(model, facts, head=model.heads["masked-lm"])
            adapt.about_head(model)
            for number, blank in enumerate(guesses.blanks[:BLANKS], 1):
                if len(guesses.blanks) > 1:
                    st.caption(f"Blank {number}")
                bars = draw.candidate_bars(
                    blank, title=f"{title}, blank {number}", family=family, largest=largest, look=look
                )
                shared.picture(bars, f"bars-{key}-{number}")


def show_agreement(answers: Answers) -> None:
    """What can be read from the pictures."""
    if not answers:
        return
    filled = {key: guesses for key, (_, guesses) in answers.items()}
    titles = {key: opened.title(key) for key in filled}
    read_by_all = min(len(guesses.blanks) for guesses in filled.values())  # a long text is cut at different places
    several = max(len(guesses.blanks) for guesses in filled.values()) > 1
    lines = [
        (f"Blank {number + 1}: " if several else "") + draw.agreement(analysis.agreement(filled, number), titles)
        for number in range(min(BLANKS, read_by_all))
    ]
    st.markdown("\n\n".join(lines))


def how_likely(answers: Answers, text: str) -> None:
    """Score words that the visitor names."""
    if not answers:
        return
    st.header("How likely is …?", anchor=False)
    words, blank = _named_words(text)
    if not words:
        return
    if len(words) > analysis.MAX_WORDS:
        st.warning(f"Up to {analysis.MAX_WORDS} words at once; the rest are left out.")
        words = words[: analysis.MAX_WORDS]
    scores = {}
    for key in answers:
        with shared.sentences(), opened.lease(key) as model:
            question = ("score_words", text, tuple(words), blank)
            scores[key] = shared.answer(
                model, question, lambda asked: analysis.score_words(asked, text, words, blank=blank)
            ).value
    if scores:
        _show_scores(answers, scores)


def _named_words(text: str) -> tuple[list[str], int]:
    """The words to score, each once, and the blank to score them in."""
    blanks = text.count(MASK)
    with st.container(horizontal=True):
        named = st.text_input(
            "Words, separated by commas",
            key="ask",
            bind="query-params",
            live="400ms",
            placeholder="France, Germany, the United Kingdom",
            persist_state="session",
        )
        blank = 0
        if blanks > 1:
            blank = st.selectbox("Blank", range(blanks), format_func=lambda n: f"Blank {n + 1}", key="blank", width=120)
    return list(dict.fromkeys(word.strip() for word in (named or "").split(",") if word.strip())), blank


def _show_scores(answers: Answers, scores: Mapping[str, Sequence[analysis.WordScore]]) -> None:
    look = shared.look()
    largest = max(score.probability for of_model in scores.values() for score in of_model)
    for key, column in shared.grid(list(scores), COLUMNS):
        family, title = answers[key][0].family.name, opened.title(key)
        with column:
            shared.name_card(answers[key][0], [])
            bars = draw.word_bars(scores[key], title=title, family=family, largest=largest, look=look)
            shared.picture(bars, f"words-{key}")
            unknown = [f"**{markdown(score.word)}**" for score in scores[key] if not score.known]
            if unknown:
                st.caption(f"Not in this vocabulary, so the number means nothing: {shared.names(unknown)}.")
    st.dataframe(
        analysis.scores_frame(scores),
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
        analysis.frame({key: guesses for key, (_, guesses) in answers.items()}),
        name="predictions",
        python=(
            "import bortlab\nfrom bortlab.views import predict as draw\nfrom bortlab.views.theme import Look\n\n"
            f"models = [{', '.join(map(opened.python, answers))}]\n"
            f"filled = {{model.key: model.fill_mask({text!r}, top_k={top_k}) for model in models}}\n"
            "blanks = [blank for guesses in filled.values() for blank in guesses.blanks]\n"
            "largest = max(blank.candidates[0].probability for blank in blanks)\n"
            f"look = Look({shared.look().mode!r})\n"
            "for model in models:\n"
            "    print(model.key, filled[model.key], sep='\\n')\n"
            "    for blank in filled[model.key].blanks:\n"
            "        family = model.family.name\n"
            "        draw.candidate_bars(blank, title=model.key, family=family, largest=largest, look=look).show()\n"
        ),
    )
