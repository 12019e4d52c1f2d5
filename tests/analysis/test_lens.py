"""The lens against the model's own prediction, a loop by hand, and an unrolled copy of a shared block."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bortlab.analysis import lens
from bortlab.analysis.lens import TunedLens
from bortlab.model import Model, NoHeadError, assemble
from bortlab.models import FAMILIES
from bortlab.models.albert import Albert
from bortlab.text import Tokenizer
from bortlab.training.vocabulary import train_tokenizer

TEXTS = [
    "Paris is the capital of France, and Rome is the capital of Italy.",
    "The cat sat on the mat (the red one); a dog barked at the unbelievable unkindness.",
] * 8
TEXT = "The [MASK] sat on the mat."


@pytest.fixture(scope="module")
def tokenizers() -> dict[str, Tokenizer]:
    return {family.name: train_tokenizer(family.tokenizer, TEXTS, vocab_size=300) for family in FAMILIES.values()}


def make(name: str, tokenizer: Tokenizer, *, task: str = "masked-lm", padded: int = 0, **sizes: Any) -> Model:
    """A tiny network of random numbers in float64; padded: rows of the word table that no piece stands for."""
    family = FAMILIES[name]
    own = {"hidden_size": 24, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 32, **sizes}
    config = replace(
        family.mini, vocab_size=tokenizer.vocab_size + padded, max_position_embeddings=48, initializer_range=0.3, **own
    )
    network = family.network(config, task).initialise(torch.Generator().manual_seed(1)).double()
    heads = {} if task == "encoder" else {"masked-lm": "random"}
    return assemble(f"{name}-tiny", family, network, tokenizer, heads=heads, source="random weights")


@pytest.fixture(params=FAMILIES)
def model(request: pytest.FixtureRequest, tokenizers: dict[str, Tokenizer]) -> Model:
    return make(request.param, tokenizers[request.param], padded=20)


def test_the_last_layer_is_the_models_own_prediction_exactly(model: Model) -> None:
    for tuned in (None, still(model)):
        found = lens.lens(model, TEXT, top_k=7, tuned=tuned)
        logs = model.trace(TEXT).logits[0].log_softmax(-1)
        named = logs.index_fill(-1, model.nameless, -math.inf)
        assert np.array_equal(found.ids[-1], named.topk(7).indices)
        assert np.array_equal(found.log_probabilities[-1], named.topk(7).values)
        assert np.array_equal(found.answer, found.ids[-1, :, 0])
        assert (found.rank[-1] == 1).all() and (found.divergence[-1] == 0).all()
        (position,) = found.encoding.mask_positions
        candidates = model.fill_mask(TEXT, top_k=7).blanks[0].candidates
        assert [c.id for c in candidates] == found.ids[-1, position].tolist()
        assert [c.text for c in candidates] == [found.guess(3, position, rank)[0] for rank in range(1, 8)]
        for rank, candidate in enumerate(candidates, 1):
            assert found.guess(3, position, rank)[1] == pytest.approx(candidate.probability, rel=1e-9)


@pytest.mark.parametrize("logits", [1, 700, 2**22])
def test_every_number_is_what_a_loop_by_hand_gives(model: Model, logits: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many positions are taken at once."""
    monkeypatch.setattr(lens, "LOGITS", logits)
    found = lens.lens(model, TEXT)
    trace = model.trace(TEXT)
    for row, states in enumerate(trace.hidden):
        for position, state in enumerate(states):
            chances = model.network.predict(state[None])[0].softmax(-1)
            last = trace.logits[0, position].softmax(-1)
            answer = int(found.answer[position])
            named = [number for number in range(len(chances)) if number < model.tokenizer.vocab_size]
            assert found.probability[row, position] == pytest.approx(float(chances[answer]), rel=1e-9)
            assert found.rank[row, position] == 1 + sum(float(chances[n] > chances[answer]) for n in named)
            assert found.entropy[row, position] == pytest.approx(float(-(chances * chances.log2()).sum()), rel=1e-9)
            kl = float((last * (last / chances).log2()).sum())
            assert found.divergence[row, position] == pytest.approx(kl, rel=1e-7, abs=1e-12)
            assert found.norm[row, position] == pytest.approx(float(state.norm()), rel=1e-12)
            if row:
                before = trace.hidden[row - 1, position]
                cosine = float(state @ before / state.norm() / before.norm())
                assert found.similarity[row, position] == pytest.approx(cosine, rel=1e-9)
            else:
                assert math.isnan(found.similarity[row, position])
    for position in range(len(found.encoding)):
        agrees = [found.ids[row, position, 0] == found.answer[position] for row in range(found.depth + 1)]
        first = next(row for row in range(found.depth + 1) if all(agrees[row:]))
        assert found.settled[position] == first
    assert set(found.texts) >= set(found.ids.flatten().tolist())
    assert all(number < model.tokenizer.vocab_size for number in found.texts)


@pytest.mark.parametrize(("layers", "groups", "inner"), [(3, 1, 1), (4, 2, 1), (3, 3, 1), (2, 1, 2), (12, 2, 1)])
def test_the_uses_of_alberts_blocks_are_unrolled(
    layers: int, groups: int, inner: int, tokenizers: dict[str, Tokenizer]
) -> None:
    """A shared block used again and again gives what copies of it, one after another, give."""
    sizes = {"num_hidden_layers": layers, "num_hidden_groups": groups, "inner_group_num": inner}
    shared = make("albert", tokenizers["albert"], **sizes)
    depth = layers * inner
    unrolled = make("albert", tokenizers["albert"], num_hidden_layers=depth, num_hidden_groups=depth)
    assert isinstance(shared.network, Albert) and isinstance(unrolled.network, Albert)
    tensors = {name: t for name, t in shared.network.state_dict().items() if not name.startswith("groups.")}
    for index in range(depth):
        block = shared.network.block(index).state_dict()
        tensors |= {f"groups.{index}.0.{name}": tensor for name, tensor in block.items()}
    unrolled.network.load_state_dict(tensors)
    one, other = lens.lens(shared, TEXT), lens.lens(unrolled, TEXT)
    for name in ("ids", "log_probabilities", "probability", "entropy", "divergence", "norm", "settled"):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name
    states = shared.trace(TEXT).hidden
    assert all(not torch.equal(a, b) for a, b in pairwise(states))
    assert [use.layer for use in one.uses] == list(range(1, depth + 1))
    assert len({use.block for use in one.uses}) == groups * inner
    assert {(use.block, use.use) for use in one.uses} == {
        (block, use) for block in range(1, groups * inner + 1) for use in range(1, depth // groups // inner + 1)
    }
    assert [use.name for use in other.uses] == [f"layer {n}" for n in range(1, depth + 1)]
    if groups == 1 and inner == 1:
        assert one.rows[1:] == tuple(f"layer {n} (block 1, use {n})" for n in range(1, depth + 1))


def still(model: Model) -> TunedLens:
    """A tuned lens that moves nothing."""
    hidden, depth = model.config.hidden_size, model.config.depth
    return TunedLens(torch.zeros(depth, hidden, hidden).double(), torch.zeros(depth, hidden).double())


def test_a_tuned_lens_moves_the_states_before_the_head_reads_them(model: Model) -> None:
    plain, unmoved = lens.lens(model, TEXT), lens.lens(model, TEXT, tuned=still(model))
    assert unmoved.tuned and not plain.tuned
    assert np.allclose(unmoved.log_probabilities, plain.log_probabilities, rtol=0, atol=1e-12)
    generator = torch.Generator().manual_seed(3)
    tuned = still(model)
    tuned.weight.normal_(0, 0.1, generator=generator)
    tuned.bias.normal_(0, 0.1, generator=generator)
    found, states = lens.lens(model, TEXT, tuned=tuned), model.trace(TEXT).hidden
    for row in range(found.depth):
        moved = states[row] + states[row] @ tuned.weight[row].T + tuned.bias[row]
        best = model.network.predict(moved).log_softmax(-1).index_fill(-1, model.nameless, -math.inf).topk(5)
        assert np.allclose(found.log_probabilities[row], best.values, rtol=1e-9)
    assert np.array_equal(found.ids[-1], plain.ids[-1])
    assert np.array_equal(found.norm, plain.norm)  # of the states as they are


@settings(max_examples=60)
@given(
    text=st.text(st.sampled_from("ab é, .[MASK]'\n漢😀ש\u0301\ud800"), max_size=60), name=st.sampled_from([*FAMILIES])
)
def test_any_text_has_a_lens(text: str, name: str, tokenizers: dict[str, Tokenizer]) -> None:
    model = make(name, tokenizers[name])
    found = lens.lens(model, text)
    assert found.ids.shape[:2] == found.rank.shape == (found.depth + 1, len(found.encoding))
    for array in (found.log_probabilities, found.entropy, found.divergence, found.norm, found.similarity[1:]):
        assert np.isfinite(array).all()
    assert (found.divergence >= 0).all() and (found.entropy <= math.log2(model.config.vocab_size) + 1e-9).all()
    assert ((found.rank >= 1) & (found.rank <= model.tokenizer.vocab_size)).all()
    assert ((found.settled >= 0) & (found.settled <= found.depth)).all()
    assert len(lens.frame([("a", found)])) == found.rank.size
    for word in {word for word in found.encoding.words if word is not None}:
        position = found.position_of(word)
        assert position is not None and found.encoding.words[position] == word and position in found.own
    assert found.position_of(10_000) is None


def test_a_model_without_head_says_so(tokenizers: dict[str, Tokenizer]) -> None:
    with pytest.raises(NoHeadError, match='task="masked-lm"'):
        lens.lens(make("bert", tokenizers["bert"], task="encoder"), TEXT)
    with pytest.raises(ValueError, match="top_k"):
        lens.lens(make("bert", tokenizers["bert"]), TEXT, top_k=0)
