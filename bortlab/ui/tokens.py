"""The parts of the Tokens page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from bortlab.analysis import tokens as analysis
from bortlab.analysis.tokens import Cut
from bortlab.model import Model
from bortlab.system.numbers import percent
from bortlab.text import PairFormat
from bortlab.ui import opened, shared
from bortlab.views import tokens as view
from bortlab.views.escape import markdown

SEPARATORS: tuple[PairFormat, ...] = ("single", "double")

EXPLANATION = """
A model reads **pieces**, not letters or words: entries of a fixed vocabulary, each with a number, its id. Frequent
words are one piece; a rare word is cut into several, so that a small vocabulary can write (nearly) every text. The
vocabulary is learned from text before the model is trained.

* **WordPiece** (BERT, ConvBERT) cuts each word from the left, always taking the longest piece that fits; `##` marks a
  piece inside a word. If no piece fits, the *whole word* becomes `[UNK]`. (Schuster and Nakajima 2012; Devlin et al.
  2018, section 3)
* **Unigram** (ALBERT) gives each piece a probability and takes the cut with the largest product:
  `argmax Σ log p(piece)`. `▁` marks the beginning of a word. Only the *characters* it does not know become `<unk>`.
  (Kudo 2018, arXiv 1804.10959; Kudo and Richardson 2018, arXiv 1808.06226)
* **Byte-level BPE** (Bort) starts from the 256 bytes and joins neighbours in the order in which they were found to be
  frequent in training; `Ġ` is the space before a word. *Nothing is unknown*: in the worst case a character becomes its
  bytes, é for instance `C3 A9`. (Sennrich et al. 2016, arXiv 1508.07909; Radford et al. 2019, section 2.2)

The **template** around the text is `[CLS] A [SEP] B [SEP]`, with token type 0 for A and 1 for B. Bort writes `<s>` and
`</s>` instead and has no token types; its authors put one `</s>` between two texts (alexa/bort), RoBERTa puts two. All
but Bort lower-case the text, and drop accents.

Words are counted in the same way for all models: letters, digits and their marks between spaces and punctuation. Fewer
pieces leave more room in a model's input; they say nothing about its quality.
"""

Cuts = Mapping[str, tuple[Model, Cut]]


def second_text() -> str | None:
    """A second text, for tasks with pairs; None unless there is one."""
    with st.expander("Add a second text", expanded=bool(st.query_params.get("second"))):
        text = st.text_input(
            "Second text",
            key="second",
            bind="query-params",
            persist_state="session",
            live="300ms",
            placeholder="France is a country.",
            help="Some tasks ask about two texts at once. The template then joins them.",
        )
    return (text or "")[: shared.LONGEST_TEXT] or None


def pair_format(keys: Sequence[str], second: str | None) -> PairFormat:
    """How byte-level models join two texts; asked where it matters."""
    if second is None or not any(opened.load(key).tokenizer.kind == "byte-bpe" for key in keys):
        return "single"
    chosen = st.segmented_control(
        "Separators between Bort's texts",
        SEPARATORS,
        default="single",
        key="separators",
        help="Bort's authors put one between two texts, RoBERTa two.",
        bind="query-params",
    )
    return chosen or "single"


def cut(keys: Sequence[str], text: str, second: str | None, joined: PairFormat) -> Cuts:
    """How each model cuts the text; a model that cannot says why in its place."""
    cuts = {}
    for key in keys:
        with shared.sentences():
            model = opened.load(key)
            cuts[key] = (model, analysis.cut(model.tokenizer.with_pair_format(joined), text, second))
    if not keys:
        st.info("Choose at least one model in the sidebar.")
    elif not text.strip() and second is None:
        st.info("The box is empty: only the templates are left. Write a sentence.")
    return cuts


def show(cuts: Cuts) -> None:
    """Every model's pieces below the text."""
    if not cuts:
        return
    look = shared.look()
    longest = max(len(text) for _, cut in cuts.values() for text in (cut.text, cut.pair or ""))
    if longest > view.SHOWN:
        st.info(f"The first {view.SHOWN:,} of {longest:,} characters are drawn; the table below has all.")
    st.html(view.style(look) + view.strip(list(_shown(cuts).values()), look))
    st.html(view.key(look))
    over = []
    for model, cut in cuts.values():
        left_out = len(cut.pieces) - model.config.max_position_embeddings
        if left_out > 0:
            over.append(f"{markdown(title(model))} leaves out the last {left_out:,} pieces")
    if over:
        st.caption(f"The text is longer than a model reads on the other pages: {shared.names(over)}.")


def _shown(cuts: Cuts) -> dict[str, view.Shown]:
    return {key: view.Shown(title(model), model.family.name, cut) for key, (model, cut) in cuts.items()}


def title(model: Model) -> str:
    """A model's title."""
    return opened.title(model.key)


def pairs(cuts: Cuts) -> None:
    """How the templates join two texts."""
    joined = {key: (model, cut) for key, (model, cut) in cuts.items() if cut.pair is not None}
    if not joined:
        return
    lines = []
    for model, cut in joined.values():
        types = sorted({piece.type_id for piece in cut.pieces})
        said = "token type 0 for A, 1 for B" if len(types) > 1 else "one token type for both"
        lines.append(f"* {markdown(title(model))}: **{markdown(cut.template)}**, {said}")
    st.markdown("\n".join(lines))


def findings(cuts: Cuts) -> None:
    """What can be read from the pieces, and the counts."""
    if not cuts or not any(cut.own for _, cut in cuts.values()):
        return
    counted = {key: analysis.counts(cut) for key, (_, cut) in cuts.items()}
    names = {key: markdown(title(model)) for key, (model, _) in cuts.items()}
    found = analysis.differences({key: cut for key, (_, cut) in cuts.items()})
    st.markdown(" ".join([_coarsest(counted, names), _unknown(cuts, counted, names), _widest(found, names)]))
    st.dataframe(
        analysis.counts_frame({key: cut for key, (_, cut) in cuts.items()}),
        hide_index=True,
        width="stretch",
        column_config={
            "model": "Model",
            "pieces": st.column_config.NumberColumn("Pieces", help="without the template"),
            "words": "Words",
            "pieces per word": st.column_config.NumberColumn("Pieces per word", format="%.2f"),
            "characters per piece": st.column_config.NumberColumn("Characters per piece", format="%.1f"),
            "words in one piece": st.column_config.ProgressColumn(
                "Words in one piece", format="percent", min_value=0.0, max_value=1.0
            ),
            "unknown": st.column_config.NumberColumn("Unknown", help="pieces the vocabulary cannot write"),
            "byte fragments": st.column_config.NumberColumn(
                "Byte fragments", help="pieces that are bytes of a character, not whole characters"
            ),
            "bytes": st.column_config.NumberColumn("Bytes", help="of the text in UTF-8"),
        },
        alt="How finely each model cuts the text",
    )
    if found:
        st.subheader("Cut most differently", anchor=False)
        st.html(view.differences_table(found, _shown(cuts), shared.look()))


def _coarsest(counted: Mapping[str, analysis.Counts], names: Mapping[str, str]) -> str:
    low = min(counts.pieces for counts in counted.values())
    high = max(counts.pieces for counts in counted.values())

    def who(number: int) -> str:
        return shared.names([f"**{names[key]}**" for key, counts in counted.items() if counts.pieces == number])

    if low == high:
        said = f"{who(low)} need{'s' if len(counted) == 1 else ''} {low:,} pieces"
    else:
        said = f"{who(low)} need{'s' if [c.pieces for c in counted.values()].count(low) == 1 else ''} {low:,} pieces"
        said += f", {who(high)} {high:,}"
    any_counts = next(iter(counted.values()))
    if any_counts.coverage is None:
        return f"{said}."
    shares = sorted({percent(counts.coverage or 0.0) if counts.whole else "0 %" for counts in counted.values()})
    whole = [counts.whole for counts in counted.values()]
    covered = f"{min(whole)} to {max(whole)}" if len(shares) > 1 else f"{whole[0]}"
    return f"{said}; {covered} of the {any_counts.words:,} words are one piece."


def _unknown(cuts: Cuts, counted: Mapping[str, analysis.Counts], names: Mapping[str, str]) -> str:
    missing = [key for key, counts in counted.items() if counts.unknown]
    if not missing:
        return "Nothing is unknown to any of them." if len(counted) > 1 else "Nothing is unknown to it."
    who: dict[tuple[str, ...], list[str]] = {}
    for key in missing:
        cut = cuts[key][1]
        said = list(dict.fromkeys(cut.source(piece) for piece in cut.pieces if piece.role == "unknown"))
        shown = [f"**{markdown(view.shortened(text, 30))}**" for text in said[:3]]
        who.setdefault((*shown, *(["more"] if len(said) > 3 else [])), []).append(names[key])
    parts = [
        f"{shared.names(keys)} {'does' if len(keys) == 1 else 'do'} not know {shared.names(texts)}"
        for texts, keys in who.items()
    ]
    return "; ".join(parts) + "."


def _widest(found: Sequence[analysis.Difference], names: Mapping[str, str]) -> str:
    if not found or not found[0].spread:
        return ""
    first = found[0]
    many = sorted(first.pieces, key=lambda key: len(first.pieces[key]))
    few, most = len(first.pieces[many[0]]), len(first.pieces[many[-1]])
    word = markdown(view.shortened(first.word.text))
    return (
        f"Cut most differently is **{word}**: {few} {'piece' if few == 1 else 'pieces'} "
        f"for {names[many[0]]}, {most} for {names[many[-1]]}."
    )


def vocabularies(cuts: Cuts) -> None:
    """How many words the vocabularies share."""
    if len(cuts) < 2:
        return
    words = {}
    for key, (model, _) in cuts.items():
        with shared.sentences():
            question = shared.ask(
                model, ("vocabulary_words",), lambda model: analysis.vocabulary_words(model.tokenizer)
            )
            words[key] = question.value
    found = analysis.overlap(words)
    st.subheader("Words that the vocabularies share", anchor=False)
    st.markdown(
        f"Pieces that begin a word, as plain lower-case words: {found.common:,} are in "
        f"{'both' if len(words) == 2 else f'all {len(words)}'} vocabularies."
    )
    models = {key: shown for key, shown in _shown(cuts).items() if key in words}
    st.html(view.overlap_table(found, models, shared.look()))


def take_away(cuts: Cuts, text: str, second: str | None, joined: PairFormat) -> None:
    """Table, CSV, link and Python of the pieces."""
    if not cuts:
        return
    tokenizer = "model.tokenizer"
    if second is not None and joined != "single":
        tokenizer += f".with_pair_format({joined!r})"
    pair = "" if second is None else f", {second!r}"
    shared.take_away(
        analysis.frame({key: cut for key, (_, cut) in cuts.items()}),
        name="tokens",
        python=(
            "import bortlab\nfrom bortlab.analysis import tokens\n\n"
            f"models = [{', '.join(map(opened.python, cuts))}]\n"
            f"cuts = {{model.key: tokens.cut({tokenizer}, {text!r}{pair}) for model in models}}\n"
            "print(tokens.frame(cuts))\n"
        ),
    )
