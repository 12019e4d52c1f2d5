"""Surprise against a loop of fill_mask, and what holds for any text: every piece counted once, whatever the batches."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bortlab.analysis import surprise as analysis
from bortlab.analysis.predict import Word, blank_out, score_words, words_of
from bortlab.analysis.surprise import Surprise, WordSurprise, disagreements, surprise
from bortlab.model import Model, NoHeadError
from bortlab.models import FAMILIES
from bortlab.text import MASK, Tokenizer
from tests.analysis.test_lens import make, model, tokenizers  # noqa: F401 - fixtures

TEXT = "The cat sat on the [MASK], and the unbelievable dog barked."


def by_hand(model: Model, text: str, positions: list[int], masked: list[list[int]]) -> list[float]:  # noqa: F811
    """Log-probabilities of pieces, each in a whole pass of its own."""
    ids, found = list(model.encode(text).ids), []
    for position, places in zip(positions, masked, strict=True):
        row = torch.tensor([[model.tokenizer.mask_id if n in places else number for n, number in enumerate(ids)]])
        logits = model.network(row)[0, position]
        found.append(float(logits.log_softmax(-1)[ids[position]]))
    return found


def test_the_pseudo_log_likelihood_is_a_loop_of_fill_mask(model: Model) -> None:  # noqa: F811
    """Words of one piece: blank each out, and look up what it was."""
    text = "The cat sat on the mat, and the cat is on a mat."
    vocab = model.tokenizer.vocab_size
    whole = [w for w in surprise(model, text).words if len(w.pieces) == 1 and w.word.start]
    assert len(whole) >= 3
    for one in whole:
        blanks = model.fill_mask(blank_out(text, one.word), top_k=vocab).blanks
        logs = {candidate.token: candidate.log_probability for candidate in blanks[0].candidates}
        assert one.log_probability == pytest.approx(logs[one.pieces[0]], rel=1e-9)


def test_words_of_several_pieces_are_scored_as_predict_scores_them(model: Model) -> None:  # noqa: F811
    for one in surprise(model, TEXT).words:
        if len(one.pieces) > 1 and one.word.text.isalpha() and one.word.start:
            text = blank_out(TEXT, one.word)
            place = TEXT[: one.word.start].count(MASK)
            (score,) = score_words(model, text, [one.word.text], blank=place)
            if score.pieces == one.pieces:
                assert one.log_probability == pytest.approx(score.log_probability, rel=1e-5)


@pytest.mark.parametrize("scheme", ["word", "piece"])
@pytest.mark.parametrize(("pieces", "logits"), [(1, 1), (40, 10**6), (10**6, 700), (10**6, 10**6)])
def test_every_piece_is_masked_once_whatever_the_batches(
    model: Model,  # noqa: F811
    scheme: analysis.Scheme,
    pieces: int,
    logits: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(analysis, "PIECES", pieces)
    monkeypatch.setattr(analysis, "LOGITS", logits)
    found = surprise(model, TEXT, scheme=scheme)
    encoding = found.encoding
    own = [p for p in range(len(encoding)) if not encoding.special[p] and p not in encoding.mask_positions]
    assert found.n_pieces == len(own)
    word = {p: next(w for w in encoding.words[p:] if w is not None) for p in own}  # a lone space is the next word's
    with_it = [[q for q in own if q >= p and word[q] == word[p]] if scheme == "word" else [p] for p in own]
    logs = by_hand(model, TEXT, own, with_it)
    assert found.log_likelihood == pytest.approx(sum(logs), rel=1e-9)
    for one in found.words:
        mine = [log for log, p in zip(logs, own, strict=True) if word[p] == one.number]
        assert one.log_probability == pytest.approx(sum(mine), rel=1e-9)
        assert one.word == words_of(TEXT)[one.number] and one.bits == pytest.approx(-sum(mine) / math.log(2))
    assert found.characters == len(TEXT) - len(MASK) and found.left_out == 0
    assert found.pseudo_perplexity == pytest.approx(math.exp(-sum(logs) / len(own)))
    assert found.bits_per_character * found.characters == pytest.approx(found.bits_per_word * len(found.words))


def test_most_words_are_scored_from_the_first_and_the_others_are_read(model: Model) -> None:  # noqa: F811
    whole, some = surprise(model, TEXT), surprise(model, TEXT, most=3)
    assert [w.word.text for w in some.words] == ["The", "cat", "sat"] and some.characters == len("The cat sat")
    for a, b in zip(some.words, whole.words, strict=False):
        assert a.log_probability == pytest.approx(b.log_probability, rel=1e-12)
    assert some.left_out == len(whole.words) - 3
    long = surprise(model, "the cat " * 60, most=2)
    assert long.encoding.truncated and long.left_out == 118


@settings(max_examples=60)
@given(
    text=st.text(st.sampled_from("ab é, .[MASK]'\n漢😀ש\u0301\u200b\ud800"), max_size=30),
    name=st.sampled_from([*FAMILIES]),
)
def test_any_text_surprises(text: str, name: str, tokenizers: dict[str, Tokenizer]) -> None:  # noqa: F811
    found = surprise(make(name, tokenizers[name]), text)
    encoding = found.encoding
    own = sum(not s for s in encoding.special) - len(encoding.mask_positions)
    assert found.n_pieces in (own, 0) and all(w.log_probability <= 0 for w in found.words)
    assert not any(w.word.is_mask for w in found.words)
    assert 0 <= found.characters <= len(encoding.text)
    if found.words:
        assert found.bits_per_word >= 0 and found.pseudo_perplexity >= 1 and found.characters
    else:
        assert math.isnan(found.bits_per_character) and math.isnan(found.pseudo_perplexity)
    assert len(analysis.frame({"a": found})) == len(found.words) and len(analysis.summary({"a": found})) == 1


def test_what_the_vocabulary_cannot_write_is_said(tokenizers: dict[str, Tokenizer]) -> None:  # noqa: F811
    words = surprise(make("bert", tokenizers["bert"]), "The 漢 sat.").words
    assert [w.word.text for w in words if not w.known] == ["漢"]
    assert all(w.known for w in surprise(make("bort", tokenizers["bort"]), "The 漢 sat.").words)


def made(model: Model, bits: dict[str, float | None]) -> Surprise:  # noqa: F811
    """A surprise of words "a b c" with these bits; None: unknown."""
    words = tuple(
        WordSurprise(Word(text, 2 * n, 2 * n + 1), n, (text,), -(b or 0.0) * math.log(2), b is not None)
        for n, (text, b) in enumerate(bits.items())
    )
    return Surprise(model.encode("a b c"), words, 5, 0)


def test_models_disagree_most_where_their_bits_differ_most(tokenizers: dict[str, Tokenizer]) -> None:  # noqa: F811
    model = make("bort", tokenizers["bort"])  # noqa: F811
    one, other = made(model, {"a": 1, "b": 9, "c": 2}), made(model, {"a": 4, "b": 8, "c": None})
    found = disagreements({"x": one, "y": other})
    assert [d.word.text for d in found] == ["a", "b"]
    assert dict(found[0].bits) == pytest.approx({"x": 1, "y": 4}) and found[0].spread == pytest.approx(3)
    assert disagreements({"x": one}) == () == disagreements({})


def test_wrong_questions_say_why(tokenizers: dict[str, Tokenizer]) -> None:  # noqa: F811
    with pytest.raises(NoHeadError, match='task="masked-lm"'):
        surprise(make("bert", tokenizers["bert"], task="encoder"), TEXT)
    with pytest.raises(ValueError, match="word, piece"):
        surprise(make("bert", tokenizers["bert"]), TEXT, scheme="letter")  # type: ignore[arg-type]
