"""Scores of named words against probabilities multiplied by hand, the words of a text, agreement and tables."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bortlab.analysis import predict
from bortlab.analysis.predict import MAX_PIECES, MAX_WORDS, Word, agreement, blank_out, plain, score_words, words_of
from bortlab.model import Blank, Candidate, FilledMask, Model, NoMaskError, assemble
from bortlab.models import FAMILIES
from bortlab.text import MASK, Tokenizer
from bortlab.training.vocabulary import train_tokenizer

TEXTS = [
    "Paris is the capital of France, and Rome is the capital of Italy.",
    "The cat sat on the mat (the red one); a dog barked at the unbelievable unkindness.",
    "A wheel is a part of a car. Cars drive; wheels turn: unbelievably kind people walk.",
] * 8
TEXT = "Paris is the [MASK] of France."
TWO = "The [MASK] sat on the [MASK]."
BRACKET = "The cat ([MASK]) sat."
LONG = "unkindnesses"
"""Not among the texts, so every vocabulary spells it with several pieces."""


@pytest.fixture(scope="module")
def tokenizers() -> dict[str, Tokenizer]:
    return {family.name: train_tokenizer(family.tokenizer, TEXTS, vocab_size=300) for family in FAMILIES.values()}


def make(name: str, tokenizer: Tokenizer, positions: int = 48) -> Model:
    """A tiny network of random numbers."""
    family = FAMILIES[name]
    sizes = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    config = replace(
        family.mini,
        vocab_size=tokenizer.vocab_size,
        max_position_embeddings=positions,
        initializer_range=0.3,
        **sizes,
    )
    network = family.network(config, "masked-lm").initialise(torch.Generator().manual_seed(1))
    return assemble(f"{name}-tiny", family, network, tokenizer, heads={"masked-lm": "random"}, source="random weights")


@pytest.fixture(params=FAMILIES)
def model(request: pytest.FixtureRequest, tokenizers: dict[str, Tokenizer]) -> Model:
    return make(request.param, tokenizers[request.param])


# -- words -------------------------------------------------------------------------------------------------------------


def test_words_of_names_words_marks_and_blanks_with_their_characters() -> None:
    words = words_of("Don't, [MASK]!")
    assert words[0].text.startswith("Don") and not words[0].is_mark
    assert [word.text for word in words if word.is_mask] == [MASK]
    assert {word.text for word in words if word.is_mark} >= {",", "!"}
    assert words_of("") == words_of(" \n\t ") == ()


@given(st.text(st.sampled_from("ab é, .([MASK]'\n漢😀ـش\u200d\u0301\ud800"), max_size=40))
def test_words_cover_the_text_in_order_and_a_blanked_word_is_one_more_mask(text: str) -> None:
    words = words_of(text)
    ends = [0]
    for word in words:
        assert word.text == text[word.start : word.end] != ""
        assert word.start >= ends[-1]
        assert not (word.is_mask and word.is_mark)
        ends.append(word.end)
    assert sum(word.is_mask for word in words) == text.count(MASK)
    for word in words:
        blanked = blank_out(text, word)
        assert blanked == text[: word.start] + MASK + text[word.end :]
        assert Word(MASK, word.start, word.start + len(MASK)) in words_of(blanked)


# -- scores ------------------------------------------------------------------------------------------------------------


def by_hand(model: Model, text: str, ids: Sequence[int], blank: int) -> list[float]:
    """Log probabilities of the pieces of a word, filled in one after another, by a whole pass each."""
    before, after = text.split(MASK)[: blank + 1], text.split(MASK)[blank + 1 :]
    encoding = model.encode(MASK.join(before) + MASK * len(ids) + MASK.join(after))
    positions = encoding.mask_positions[blank : blank + len(ids)]
    now, logs = list(encoding.ids), []
    for position, number in zip(positions, ids, strict=True):
        logits = model.logits(replace(encoding, ids=tuple(now)))
        logs.append(float(logits[0, position].log_softmax(-1)[number]))
        now[position] = number
    return logs


def test_a_word_of_one_piece_has_the_probability_that_fill_mask_gives(model: Model) -> None:
    word = next(word for word in ("the", "The", "is", "a", ".") if len(model.tokenizer.encode_word(word)) == 1)
    for text, blank in ((TEXT, 0), (TWO, 0), (TWO, 1)):
        candidates = model.fill_mask(text, top_k=model.tokenizer.vocab_size).blanks[blank].candidates
        said = {candidate.id: (rank, candidate) for rank, candidate in enumerate(candidates, 1)}
        (score,) = score_words(model, text, [word], blank=blank)
        (number,) = model.tokenizer.encode_word(word)
        rank, candidate = said[number]
        assert score.pieces == (candidate.token,) and score.known
        assert score.probability == pytest.approx(candidate.probability, rel=1e-4)
        assert score.log_probability == pytest.approx(candidate.log_probability, rel=1e-4)
        assert abs(score.rank - rank) <= sum(c.probability == candidate.probability for c in candidates)


@pytest.mark.parametrize(("text", "blank"), [(TEXT, 0), (TWO, 0), (TWO, 1), (BRACKET, 0), ("[MASK]", 0)])
@pytest.mark.parametrize("word", [LONG, "unbelievably", "capital", "Rome is"])
def test_a_word_of_several_pieces_is_the_chain_of_its_pieces(model: Model, text: str, blank: int, word: str) -> None:
    (score,) = score_words(model, text, [word], blank=blank)
    ids = model.tokenizer.encode_word(word, after_space=text != BRACKET)
    assert score.pieces == tuple(map(model.tokenizer.token_of, ids))
    assert score.log_probability == pytest.approx(sum(by_hand(model, text, ids, blank)), rel=1e-4)
    assert score.probability == pytest.approx(math.exp(score.log_probability))
    assert (score.rank is None) == (len(ids) > 1)
    assert word != LONG or len(ids) > 1


def test_the_scores_of_all_pieces_of_the_vocabulary_add_up_to_one(tokenizers: dict[str, Tokenizer]) -> None:
    model = make("bert", tokenizers["bert"])
    whole = [t for t in model.tokenizer.vocabulary if not t.startswith(("##", "[")) and t.isascii()]
    words = [t for t in whole if model.tokenizer.encode_word(t) == (model.tokenizer.id_of(t),)]
    scores = [s for n in range(0, len(words), MAX_WORDS) for s in score_words(model, TEXT, words[n : n + MAX_WORDS])]
    assert len({score.rank for score in scores}) == len(scores)
    assert 0 < sum(score.probability for score in scores) <= 1.0001


def test_after_a_bracket_a_word_is_spelled_as_one_that_is_glued_to_it(tokenizers: dict[str, Tokenizer]) -> None:
    bort = make("bort", tokenizers["bort"])
    ((apart,), (glued,)) = (score_words(bort, text, ["the"]) for text in (TEXT, BRACKET))
    assert apart.pieces[0].startswith("Ġ") and not glued.pieces[0].startswith("Ġ")
    (start,) = score_words(bort, "[MASK] cat", ["The"])
    assert start.pieces == tuple(map(bort.tokenizer.token_of, bort.tokenizer.encode_word("The")))


def test_a_word_that_the_vocabulary_cannot_write_is_said_to_be_unknown(model: Model) -> None:
    (score,) = score_words(model, TEXT, ["🐉"])
    assert score.known == (model.tokenizer.unk_id not in model.tokenizer.encode_word("🐉"))
    assert score.known == (model.family.tokenizer == "byte-bpe")
    assert 0 <= score.probability <= 1


@given(st.text(max_size=12), st.sampled_from([TEXT, TWO, BRACKET]))
def test_any_word_has_a_probability_or_a_sentence(tokenizers: dict[str, Tokenizer], word: str, text: str) -> None:
    for name in ("bert", "bort"):
        model = _cached(name, tokenizers[name])
        try:
            (score,) = score_words(model, text, [word])
        except ValueError as error:
            assert str(MAX_PIECES) in str(error)
        else:
            assert 0 <= score.probability <= 1 and math.isfinite(score.log_probability)


_MODELS: dict[str, Model] = {}


def _cached(name: str, tokenizer: Tokenizer) -> Model:
    return _MODELS.setdefault(name, make(name, tokenizer))


def test_scores_come_in_the_order_of_the_words(model: Model) -> None:
    words = ["the", LONG, "Rome", "the"]
    scores = score_words(model, TEXT, words)
    assert [score.word for score in scores] == words
    assert scores[0] == scores[3]
    assert score_words(model, TEXT, []) == ()


def test_what_cannot_be_scored_is_said(model: Model) -> None:
    for text, blank in (("No blank here.", 0), (TEXT, 1), (TEXT, -1), ("", 0)):
        with pytest.raises(NoMaskError, match=r"no blank number .*\[MASK\]"):
            score_words(model, text, ["the"], blank=blank)
    with pytest.raises(ValueError, match=f"Up to {MAX_WORDS} words .* got {MAX_WORDS + 1}"):
        score_words(model, TEXT, ["the"] * (MAX_WORDS + 1))
    with pytest.raises(ValueError, match=f"0 pieces .* 1 to {MAX_PIECES}"):
        score_words(model, TEXT, [" "])
    with pytest.raises(ValueError, match=f"1 to {MAX_PIECES} can be scored"):
        score_words(model, TEXT, [", ".join(["cat"] * MAX_PIECES)])
    with pytest.raises(NoMaskError, match="beyond what the model reads"):
        score_words(model, "the cat " * 50 + TEXT, ["the"])


# -- agreement and tables ----------------------------------------------------------------------------------------------


def filled(model: Model, *blanks: Sequence[tuple[str, float]]) -> FilledMask:
    """An answer with these candidates."""
    return FilledMask(
        model.encode(MASK * len(blanks)),
        tuple(
            Blank(
                n + 1, 6 * n, 6 * n + 6, tuple(Candidate(f"Ġ{t}", t, i, p, math.log(p)) for i, (t, p) in enumerate(c))
            )
            for n, c in enumerate(blanks)
        ),
    )


@pytest.fixture
def bert(tokenizers: dict[str, Tokenizer]) -> Model:
    return make("bert", tokenizers["bert"])


def test_agreement_compares_words_not_spellings(bert: Model) -> None:
    answers = {
        "a": filled(bert, [("France", 0.5), ("Italy", 0.3), ("rome", 0.1)]),
        "b": filled(bert, [(" france", 0.6), ("spain", 0.2), ("Rome", 0.1), ("italy", 0.05)]),
    }
    found = agreement(answers)
    assert found.first == {"a": ("france", 0.5), "b": ("france", 0.6)}
    assert found.unanimous == "france" and found.most_confident == "b"
    assert found.common == ("france", "italy", "rome")  # mean 0.55, 0.175, 0.1


def test_agreement_of_those_who_differ(bert: Model) -> None:
    answers = {
        "a": filled(bert, [("x", 0.9)], [("day", 0.2)]),
        "b": filled(bert, [("y", 0.8)], [("night", 0.4)]),
    }
    assert agreement(answers).unanimous is None and agreement(answers).common == ()
    assert agreement(answers).most_confident == "a" and agreement(answers, 1).most_confident == "b"
    assert agreement({"a": answers["a"]}).unanimous == "x"


def test_the_better_of_two_spellings_of_one_word_counts(bert: Model) -> None:
    twice = filled(bert, [("the", 0.5), ("The", 0.3), ("a", 0.1)])
    assert agreement({"a": twice, "b": filled(bert, [("a", 0.45), ("the", 0.1)])}).common == ("the", "a")


def test_a_candidate_of_spaces_stays_something() -> None:
    assert plain(" The ") == "the"
    assert plain(" ") == " " and plain("\u3000") == "\u3000"


def test_the_tables_hold_the_numbers(model: Model) -> None:
    answer = model.fill_mask(TWO, top_k=3)
    table = predict.frame({"one": answer, "two": answer})
    assert list(table.columns) == ["blank", "model", "rank", "candidate", "piece", "id", "probability"]
    assert len(table) == 2 * 2 * 3
    row = table[(table["model"] == "two") & (table["blank"] == 2) & (table["rank"] == 3)].iloc[0]
    third = answer.blanks[1].candidates[2]
    assert (row["piece"], row["id"], row["probability"]) == (third.token, third.id, third.probability)
    assert row["candidate"].strip() == third.text.strip() and (table["candidate"] != "").all()

    scores = score_words(model, TWO, ["the", LONG])
    table = predict.scores_frame({"one": scores})
    assert table["word"].tolist() == ["the", LONG]
    assert table["probability"].tolist() == [score.probability for score in scores]
    assert table["rank"].isna().tolist() == [score.rank is None for score in scores]
    assert table["pieces"].tolist() == [" ".join(score.pieces) for score in scores]
