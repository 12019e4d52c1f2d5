"""A vocabulary cut to its most used pieces: what stays is told apart and computed as before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from bortlab.models import FAMILIES, Config, Network
from bortlab.text import TokenizerError, TokenizerKind
from bortlab.training.cut import cut_network, cut_tokenizer, fresh_head, most_used
from bortlab.training.vocabulary import train_tokenizer

SENTENCES = ["The quick brown fox jumps.", "The fox isn't lazy, é!", "Unbelievable stories of the old river; the end?"]
FULL = train_tokenizer("wordpiece", SENTENCES * 3, vocab_size=300)
COUNTS = Counter(number for sentence in ("The fox jumps.", "The quick fox.") for number in FULL.ids_of([sentence])[0])
SIZE = 110
KEPT = most_used(FULL, COUNTS, SIZE)
BERT = FAMILIES["bert"]


@pytest.fixture(scope="module")
def network(tiny_config: Callable[..., Config], build: Callable[..., Network]) -> Network:
    config = replace(tiny_config(BERT, vocab_size=FULL.vocab_size), max_position_embeddings=24)
    return build(BERT, config)


def test_special_pieces_come_first_and_pad_is_0() -> None:
    assert KEPT[:5] == [FULL.pad_id, FULL.unk_id, FULL.cls_id, FULL.sep_id, FULL.mask_id]
    assert KEPT[5:] == sorted(KEPT[5:])
    assert len(set(KEPT)) == len(KEPT) <= SIZE < FULL.vocab_size


def test_the_most_used_pieces_and_the_characters_stay() -> None:
    spelled = {FULL.token_of(number) for number in KEPT}
    assert {"the", "fox", "t", "##x", "."} <= spelled
    assert "é" not in spelled
    characters = sum(len(token.removeprefix("##")) == 1 for token in spelled)
    tight = most_used(FULL, COUNTS, characters + 5 + 1)
    longer = [FULL.token_of(number) for number in tight if len(FULL.token_of(number).removeprefix("##")) > 1][5:]
    assert longer == ["the"] or longer == ["fox"]  # both stand twice; the lower number wins
    assert FULL.id_of(longer[0]) == min(FULL.id_of("the"), FULL.id_of("fox"))


def test_a_character_that_occurs_stays_though_it_is_not_ascii() -> None:
    tokenizer = train_tokenizer("wordpiece", ["fox œœ fœœ"] * 3, vocab_size=100)
    assert tokenizer.id_of("œ") not in most_used(tokenizer, {}, 60)
    assert tokenizer.id_of("œ") in most_used(tokenizer, {tokenizer.id_of("œ"): 1}, 60)


def test_no_room_for_the_characters_is_refused() -> None:
    with pytest.raises(TokenizerError, match="no room"):
        most_used(FULL, COUNTS, 12)


@pytest.mark.parametrize("kind", ["unigram", "byte-bpe"])
def test_other_kinds_are_refused_with_a_sentence(kind: TokenizerKind) -> None:
    tokenizer = train_tokenizer(kind, SENTENCES * 3, vocab_size=300)
    with pytest.raises(TokenizerError, match=f"Only a WordPiece vocabulary can be cut, this one is {kind}"):
        most_used(tokenizer, {}, 100)


def test_the_cut_tokenizer_renumbers_and_cuts_kept_words_alike() -> None:
    cut = cut_tokenizer(FULL, KEPT)
    assert cut.kind == "wordpiece"
    assert [cut.token_of(number) for number in range(cut.vocab_size)] == [FULL.token_of(number) for number in KEPT]
    assert (cut.pad_id, cut.unk_id, cut.cls_id, cut.sep_id, cut.mask_id) == (0, 1, 2, 3, 4)
    text = "The quick [MASK] FOX jumps."
    assert cut.encode(text).tokens == FULL.encode(text).tokens
    assert cut.encode(text).ids == tuple(KEPT.index(number) for number in FULL.encode(text).ids)


def test_a_word_whose_piece_goes_is_cut_smaller() -> None:
    cut = cut_tokenizer(FULL, most_used(FULL, COUNTS, 70))
    assert "river" in FULL.vocabulary or len(FULL.encode_word("river")) < 5
    assert len(cut.encode_word("river")) > len(FULL.encode_word("river"))
    assert cut.unk_id not in cut.encode_word("river")
    assert cut.decode(cut.encode_word("river")) == "river"


@pytest.mark.parametrize("positions", [12, 24, 500])
def test_the_cut_network_computes_the_same(network: Network, positions: int) -> None:
    cut = cut_network(BERT, network, KEPT, positions=positions).eval()
    assert cut.config.vocab_size == len(KEPT)
    assert cut.config.max_position_embeddings == min(positions, 24)
    assert cut.config.pad_token_id == 0
    ids = FULL.encode("The quick [MASK] jumps.").ids
    with torch.no_grad():
        full_states = network.encode(network.embed(torch.tensor([ids])), keep_layers=True)
        states = cut.encode(cut.embed(torch.tensor([[KEPT.index(number) for number in ids]])), keep_layers=True)
        assert torch.equal(states.hidden, full_states.hidden)
        assert all(torch.equal(a.hidden, b.hidden) for a, b in zip(states.layers, full_states.layers, strict=True))
        logits, full_logits = cut.predict(states.hidden), network.predict(full_states.hidden)
    assert torch.allclose(logits, full_logits[..., KEPT], atol=1e-6)


def test_cutting_leaves_the_full_network_as_it_was(network: Network) -> None:
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    cut = cut_network(BERT, network, KEPT, positions=8)
    with torch.no_grad():
        for parameter in cut.parameters():
            parameter.add_(1.0)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_the_kept_ids_may_come_as_an_iterator(network: Network) -> None:
    assert cut_network(BERT, network, iter(KEPT), positions=8).config.vocab_size == len(KEPT)
    assert cut_tokenizer(FULL, iter(KEPT)).definition == cut_tokenizer(FULL, KEPT).definition


def test_a_network_without_a_head_is_cut_too(tiny_config: Callable[..., Config], build: Callable[..., Network]) -> None:
    bare = build(BERT, tiny_config(BERT, vocab_size=FULL.vocab_size), "encoder")
    cut = cut_network(BERT, bare, KEPT, positions=8)
    assert cut.masked_lm is None
    assert torch.equal(cut.embeddings.words.weight, bare.embeddings.words.weight[KEPT])


def test_a_fresh_head_starts_from_frequencies_and_nearly_the_identity(network: Network) -> None:
    cut = cut_network(BERT, network, KEPT, positions=8)
    logs = torch.randn(len(KEPT)).log_softmax(-1)
    fresh_head(cut, logs, torch.Generator().manual_seed(3))
    head = cut.masked_lm
    assert head is not None
    assert torch.equal(head.bias, logs)
    assert (head.dense.weight - torch.eye(16)).abs().max() < 0.1
    assert not head.dense.bias.any()
    assert (head.norm.weight == 1).all()
    assert not head.norm.bias.any()
    assert torch.equal(cut.embeddings.words.weight, network.embeddings.words.weight[KEPT])
