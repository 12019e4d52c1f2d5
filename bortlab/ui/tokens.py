"""The parts of the Tokens page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from bortlab.analysis import tokens as analysis
from bortlab.analysis.tokens import Cut
from bortlab.model import Model
from bortlab.text import PairFormat
from bortlab.ui import opened, shared
from bortlab.views import tokens as draw
from bortlab.views.escape import markdown
from bortlab.views.prose import counted
from bortlab.views.tokens import shortened

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
* **Byte-level BPE** (Bort) starts from the 256 bytes and merges neighbours, the most frequent in its training text
  first; `Ġ` is the space before a word. *Nothing is unknown*: in the worst case a character becomes its
  bytes, é for instance `C3 A9`. (Sennrich et al. 2016, arXiv 1508.07909; Radford et al. 2019, section 2.2)

The **template** around the text is `[CLS] A [SEP] B [SEP]`, with token type 0 for A and 1 for B. Bort writes `<s>` and
`</s>` instead and has no token types; its authors put one `</s>` between two texts (alexa/bort), RoBERTa puts two. All
but Bort lower-case the text, and drop accents.

Words are counted in the same way for all models: letters, digits and their marks between spaces and punctuation. Fewer
pieces leave more room in a model's input; they say nothing about its quality.
"""

Cuts = Mapping[str, tuple[Model, Cut]]


def pair_format(keys: Sequence[str], second: str | None) -> PairFormat:
    """How byte-level models join two texts; the visitor chooses where it matters."""
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
    if longest > draw.MOST_DRAWN:
        st.info(f"The first {draw.MOST_DRAWN:,} of {longest:,} characters are drawn; the table below has all.")
    shared.picture(draw.strip(list(_rows(cuts).values()), look), "strip")
    st.html(draw.key(look))
    too_long = {
        opened.title(model.key): len(cut.pieces) - model.config.max_position_embeddings
        for model, cut in cuts.values()
        if len(cut.pieces) > model.config.max_position_embeddings
    }
    if too_long:
        parts = [f"{markdown(title)} leaves out the last {pieces:,} pieces" for title, pieces in too_long.items()]
        st.caption(f"The text is longer than a model reads on the other pages: {shared.names(parts)}.")


def _rows(cuts: Cuts) -> dict[str, draw.ModelCut]:
    return {key: draw.ModelCut(opened.title(key), model.family.name, cut) for key, (model, cut) in cuts.items()}


def pairs(cuts: Cuts) -> None:
    """How the templates join two texts."""
    lines = []
    for model, cut in cuts.values():
        if cut.pair is not None:
            two_types = len({piece.type_id for piece in cut.pieces}) > 1
            types = "token type 0 for A, 1 for B" if two_types else "one token type for both"
            lines.append(f"* {markdown(opened.title(model.key))}: **{markdown(cut.template)}**, {types}")
    if lines:
        st.markdown("\n".join(lines))


def findings(cuts: Cuts) -> None:
    """What can be read from the pieces, and the counts."""
    if not cuts or not any(cut.own for _, cut in cuts.values()):
        return
    own = {key: cut for key, (_, cut) in cuts.items()}
    titles = {key: markdown(opened.title(key)) for key in cuts}
    counts = {key: analysis.counts(cut) for key, cut in own.items()}
    differences = analysis.differences(own)
    parts = [sizes(counts, titles), unknown(own, titles), widest(differences, titles)]
    st.markdown(" ".join(part for part in parts if part))
    st.dataframe(
        analysis.counts_frame(own),
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
            "unknown": st.column_config.NumberColumn("Unknown", help="pieces that the vocabulary cannot write"),
            "byte fragments": st.column_config.NumberColumn(
                "Byte fragments", help="pieces that are bytes of a character, not whole characters"
            ),
            "bytes": st.column_config.NumberColumn("Bytes", help="of the text in UTF-8"),
        },
        alt="How finely each model cuts the text",
    )
    if differences:
        st.header("Cut most differently", anchor=False)
        shared.picture(draw.differences_table(differences, _rows(cuts), shared.look()), "differences")


def sizes(counts: Mapping[str, analysis.Counts], titles: Mapping[str, str]) -> str:
    """In Markdown, who needs the fewest and the most pieces, and how many words are one piece."""
    low, high = (end(numbers.pieces for numbers in counts.values()) for end in (min, max))

    def who(pieces: int) -> str:
        return shared.names([f"**{titles[key]}**" for key, numbers in counts.items() if numbers.pieces == pieces])

    fewest = sum(numbers.pieces == low for numbers in counts.values())
    sentence = f"{who(low)} need{'s' if fewest == 1 else ''} {counted(low, 'piece')}"
    if low < high:
        sentence += f", {who(high)} {high:,}"
    n_words = next(iter(counts.values())).words  # the same for every model
    whole = sorted({numbers.whole for numbers in counts.values()})
    if not n_words:
        return f"{sentence}."
    if n_words == 1:
        fate = "is cut" if whole == [0] else "is one piece" if whole == [1] else "is one piece for some, not for all"
        return f"{sentence}; the only word {fate}."
    number = f"{whole[0]:,}" if len(whole) == 1 else f"{whole[0]:,} to {whole[-1]:,}"
    return f"{sentence}; {number} of the {n_words:,} words {'is' if whole == [1] else 'are'} one piece."


def unknown(cuts: Mapping[str, Cut], titles: Mapping[str, str]) -> str:
    """In Markdown, what the vocabularies cannot write, models that lack the same together."""
    lacking: dict[tuple[str, ...], list[str]] = {}
    for key, cut in cuts.items():
        texts = list(dict.fromkeys(cut.source(piece) for piece in cut.pieces if piece.role == "unknown"))
        if texts:
            examples = [f"**{markdown(shortened(text, 30))}**" for text in texts[:3]]
            lacking.setdefault((*examples, *(["more"] if len(texts) > 3 else [])), []).append(titles[key])
    if not lacking:
        return f"Nothing is unknown to {'it' if len(cuts) == 1 else 'either' if len(cuts) == 2 else 'any of them'}."
    parts = [
        f"{shared.names(models)} {'does' if len(models) == 1 else 'do'} not know {shared.names(examples)}"
        for examples, models in lacking.items()
    ]
    return "; ".join(parts) + "."


def widest(differences: Sequence[analysis.Difference], titles: Mapping[str, str]) -> str:
    """In Markdown, the word whose numbers of pieces differ most, and between which models; "" for none."""
    if not differences or not differences[0].spread:
        return ""
    lengths = {key: len(pieces) for key, pieces in differences[0].pieces.items()}
    few, many = (
        (number, shared.names([titles[key] for key, length in lengths.items() if length == number]))
        for number in (min(lengths.values()), max(lengths.values()))
    )
    word = markdown(shortened(differences[0].word.text))
    return f"Cut most differently is **{word}**: {counted(few[0], 'piece')} for {few[1]}, {many[0]:,} for {many[1]}."


def vocabularies(cuts: Cuts) -> None:
    """How many words the vocabularies share."""
    if len(cuts) < 2:
        return
    words = {}
    for key, (model, _) in cuts.items():
        with shared.sentences():
            words[key] = shared.ask(
                model, ("vocabulary_words",), lambda model: analysis.vocabulary_words(model.tokenizer)
            )
    if not words:
        return
    overlap = analysis.overlap(words)
    st.header("Words that the vocabularies share", anchor=False)
    vocabularies = "both vocabularies" if len(words) == 2 else f"all {len(words)} vocabularies"
    st.markdown(f"Pieces that begin a word, as plain lower-case words: {overlap.common:,} are in {vocabularies}.")
    rows = {key: row for key, row in _rows(cuts).items() if key in words}
    shared.picture(draw.overlap_table(overlap, rows, shared.look()), "overlap")


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
            "import bortlab\nfrom bortlab.analysis import tokens\nfrom bortlab.views import tokens as draw\n"
            "from bortlab.views.theme import Look\n\n"
            f"models = [{', '.join(map(opened.python, cuts))}]\n"
            f"cuts = {{model.key: tokens.cut({tokenizer}, {text!r}{pair}) for model in models}}\n"
            "rows = [draw.ModelCut(model.key, model.family.name, cuts[model.key]) for model in models]\n"
            f"draw.strip(rows, Look({shared.look().mode!r})).show()\n"
            "print(tokens.counts_frame(cuts))\n"
        ),
    )
