"""Attention: words by hand, statistics and rollout of matrices with known answers, flow against networkx, scores."""

from __future__ import annotations

import math
from dataclasses import replace

import networkx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from bortlab.analysis import attention as analysis
from bortlab.analysis import flow
from bortlab.analysis import heads as heads_of
from bortlab.analysis.attention import Attention, Unit
from bortlab.model import Model, assemble
from bortlab.models import FAMILIES
from bortlab.text import Tokenizer
from bortlab.training.vocabulary import train_tokenizer

TEXTS = ["Paris is the capital of France, unbelievably kind people walk there."] * 20
TEXT = "Paris is unkindly the [MASK]."


@pytest.fixture(scope="module")
def tokenizers() -> dict[str, Tokenizer]:
    return {name: train_tokenizer(family.tokenizer, TEXTS, vocab_size=290) for name, family in FAMILIES.items()}


def make(name: str, tokenizer: Tokenizer) -> Model:
    """A tiny network of random numbers in float64."""
    family = FAMILIES[name]
    sizes = {"hidden_size": 24, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 32}
    config = replace(
        family.mini, vocab_size=tokenizer.vocab_size, max_position_embeddings=48, initializer_range=0.4, **sizes
    )
    network = family.network(config, "masked-lm").initialise(torch.Generator().manual_seed(1)).double()
    return assemble(f"{name}-tiny", family, network, tokenizer, heads={"masked-lm": "random"}, source="random weights")


@pytest.fixture(params=FAMILIES)
def model(request: pytest.FixtureRequest, tokenizers: dict[str, Tokenizer]) -> Model:
    return make(request.param, tokenizers[request.param])


def units(n: int, template: tuple[int, ...] = ()) -> tuple[Unit, ...]:
    return tuple(Unit(f"w{i}", ("word", i), None if i in template else 0) for i in range(n))


def one(matrix: object, template: tuple[int, ...] = ()) -> Attention:
    """A single head."""
    weights = torch.tensor(matrix, dtype=torch.float64)
    return Attention(weights[None, None], units(len(weights), template))


def random(layers: int, heads: int, n: int, seed: int, sharpness: float = 2.0) -> Attention:
    scores = torch.randn(layers, heads, n, n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return Attention((sharpness * scores).softmax(-1), units(n))


# -- words -------------------------------------------------------------------------------------------------------------


def test_a_word_is_the_sum_of_its_pieces_looked_at_and_the_mean_of_those_that_look(model: Model) -> None:
    trace = model.trace(TEXT)
    found, words = analysis.of_words(trace), trace.encoding.words
    torch.testing.assert_close(found.weights.sum(-1), torch.ones_like(found.weights[..., 0]))
    assert [unit.text for unit in found.units if not unit.template] == ["Paris", "is", "unkindly", "the", "[MASK]", "."]
    rows = zip(words, [*words[1:], None], trace.encoding.special, strict=True)
    words = [after if word is None and not special else word for word, after, special in rows]
    pieces = {unit.key: [n for n, w in enumerate(words) if unit.key == ("word", w)] for unit in found.units}
    place = [unit.text for unit in found.units].index("unkindly")
    inside = pieces["word", 2]
    assert len(inside) > 1
    for other, unit in enumerate(found.units):
        if not unit.template:
            block = trace.attention[:, :, inside][..., pieces[unit.key]]
            torch.testing.assert_close(found.weights[:, :, place, other], block.sum(-1).mean(-1))


def test_words_are_the_same_for_every_model_and_pieces_spell_them(tokenizers: dict[str, Tokenizer]) -> None:
    found = {}
    for name, tokenizer in tokenizers.items():
        trace = make(name, tokenizer).trace(TEXT, "It is.")
        found[name] = [unit.key for unit in analysis.of_words(trace).units if unit.key[0] == "word"]
        pieces = analysis.of_pieces(trace)
        assert torch.equal(pieces.weights, trace.attention)
        own = "".join(unit.text.removeprefix("-") for unit in pieces.units if unit.part == 0).replace("␣", "")
        assert own.casefold() == TEXT.replace(" ", "").casefold()
    assert len({tuple(keys) for keys in found.values()}) == 1


def test_a_pair_has_two_parts_and_the_template_none(model: Model) -> None:
    parts = [unit.part for unit in analysis.of_words(model.trace("Paris is", "the capital")).units]
    assert [part for part in parts if part is not None] == [0, 0, 1, 1]
    assert parts[0] is None and parts[-1] is None


def test_a_shared_block_is_counted_once(model: Model) -> None:
    used = model.config.blocks
    assert len(used) == model.config.depth
    same = [model.network.block(a) is model.network.block(b) for a in range(len(used)) for b in range(len(used))]
    assert same == [a == b for a in used for b in used]


# -- statistics --------------------------------------------------------------------------------------------------------


def test_a_head_that_looks_at_the_one_before() -> None:
    found = heads_of.statistics(one([[1, 0, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]], template=(0,)))
    assert (found.previous.item(), found.following.item(), found.itself.item()) == (1, 0, 0)
    assert found.template.item() == pytest.approx(1 / 3)  # of the three own words, the first looks at the template
    assert found.entropy.item() == 0 and found.distance.item() == 1


def test_a_head_that_looks_everywhere() -> None:
    found = heads_of.statistics(one([[0.25] * 4] * 4))
    assert found.entropy.item() == pytest.approx(2)
    assert found.distance.item() == pytest.approx(1.25)  # mean |i - j| over 4 x 4
    assert found.previous.item() == found.following.item() == found.itself.item() == 0.25
    assert heads_of.kind(found, [0]) == "look everywhere"


def test_the_next_and_itself() -> None:
    following = heads_of.statistics(one([[0, 1, 0], [0, 0, 1], [0, 0, 1]]))
    assert following.following.item() == 1 and following.previous.item() == 0
    itself = heads_of.statistics(one([[1, 0], [0, 1]]))
    assert itself.itself.item() == 1 and itself.distance.item() == 0
    assert heads_of.kind(itself, [0]) == "look at the token itself"


@given(st.integers(1, 3), st.integers(1, 3), st.integers(1, 6), st.integers(0, 99), st.booleans())
@settings(max_examples=40)
def test_statistics_stay_in_their_ranges(layers: int, heads: int, n: int, seed: int, template: bool) -> None:
    attention = replace(random(layers, heads, n, seed), units=units(n, (0, n - 1) if template else ()))
    found = heads_of.statistics(attention)
    shares = found.shares()
    assert shares.shape == (4, layers, heads)
    assert bool((shares >= 0).all()) and bool((shares <= 1 + 1e-9).all())
    assert bool((found.entropy >= 0).all()) and bool((found.entropy <= math.log2(n) + 1e-9).all())
    assert bool((found.distance >= 0).all()) and bool((found.distance <= n).all())


# -- likeness ----------------------------------------------------------------------------------------------------------


def test_distances_by_hand() -> None:
    weights = torch.tensor([[[1.0, 0], [1, 0]], [[0, 1], [0, 1]], [[0.5, 0.5], [0.5, 0.5]]], dtype=torch.float64)
    found = heads_of.head_distances(Attention(weights[None], units(2)))
    half = -(0.75 * math.log2(0.75) + 0.25 * math.log2(0.25)) - 0.5  # H(3/4, 1/4) - (H(1, 0) + H(1/2, 1/2)) / 2
    torch.testing.assert_close(found, torch.tensor([[0, 1, half], [1, 0, half], [half, half, 0]], dtype=torch.float64))


@given(st.integers(1, 3), st.integers(1, 4), st.integers(0, 99))
@settings(max_examples=30)
def test_distances_are_symmetric_and_bounded_and_groups_are_a_partition(layers: int, heads: int, seed: int) -> None:
    found = heads_of.of(random(layers, heads, 5, seed), groups=3)
    assert torch.equal(found.distances, found.distances.T)
    assert bool((found.distances >= 0).all()) and bool((found.distances <= 1 + 1e-9).all())
    assert set(found.groups) == set(range(len(found.kinds))) and len(found.kinds) == min(3, layers * heads)
    assert found.points.shape == (layers * heads, 2) and bool(found.points.isfinite().all())
    assert len(heads_of.frame(found)) == layers * heads


def test_groups_of_two_kinds_of_heads() -> None:
    eye, back = torch.eye(5, dtype=torch.float64), torch.eye(5, dtype=torch.float64).flip(0)
    weights = torch.stack([eye, back, 0.99 * eye + 0.01 * back, back])[None]
    found = heads_of.of(Attention(weights, units(5)), groups=2)
    assert found.groups == (0, 1, 0, 1)
    assert found.nearest[3].item() == 0
    between = heads_of.layer_distances(found.distances, 2)  # heads 0 and 1 against 2 and 3: each has a twin
    assert between[0, 1].item() < 0.05


# -- rollout and flow --------------------------------------------------------------------------------------------------


def test_rollout_by_hand() -> None:
    swap = torch.tensor([[0.0, 1], [1, 0]], dtype=torch.float64)
    steps = flow.rollout(Attention(torch.stack([swap[None], swap[None]]), units(2)))
    half = torch.full((2, 2), 0.5, dtype=torch.float64)
    torch.testing.assert_close(steps, torch.stack([half, half]))
    same = torch.eye(3, dtype=torch.float64)
    assert torch.equal(flow.rollout(Attention(same[None, None], units(3)))[-1], same)


@given(st.integers(1, 4), st.integers(1, 6), st.integers(0, 999))
@settings(max_examples=40)
def test_rollout_rows_sum_to_one(layers: int, n: int, seed: int) -> None:
    steps = flow.rollout(random(layers, 2, n, seed))
    torch.testing.assert_close(steps.sum(-1), torch.ones(layers, n, dtype=torch.float64))


@given(st.integers(1, 3), st.integers(1, 5), st.integers(0, 999), st.floats(0.1, 6))
@settings(max_examples=30)
def test_flow_is_the_maximum_flow(layers: int, n: int, seed: int, sharpness: float) -> None:
    attention = random(layers, 2, n, seed, sharpness)
    capacities = flow.with_residual(attention)
    graph = networkx.DiGraph()
    for layer in range(layers):
        for query in range(n):
            for key in range(n):
                graph.add_edge((layer, key), (layer + 1, query), capacity=float(capacities[layer, query, key]))
    query = seed % n
    expected = [networkx.maximum_flow_value(graph, (0, key), (layers, query)) for key in range(n)]
    torch.testing.assert_close(
        flow.flow(attention, query), torch.tensor(expected, dtype=torch.float64), atol=1e-7, rtol=0
    )


def test_flow_through_too_large_a_graph_is_refused() -> None:
    with pytest.raises(ValueError, match="at most 122 words"):
        flow.flow(random(2, 1, 130, 0), 0)


# -- queries and keys, comparison --------------------------------------------------------------------------------------


def test_queries_and_keys_give_the_models_own_attention(model: Model) -> None:
    trace = model.trace(TEXT)
    for layer, head, position in ((0, 0, 1), (2, 1, 4)):
        found = analysis.query_key(model, trace, layer, head, position)
        torch.testing.assert_close(found.weights, trace.attention[layer, head, position], atol=1e-12, rtol=0)
        torch.testing.assert_close(found.products.sum(-1) / math.sqrt(len(found.query)), found.scores)


def test_two_matrices_meet_on_the_units_that_both_have() -> None:
    a, b = one([[1, 0, 0], [0, 1, 0], [0, 0, 1]]), one([[0.5, 0.5], [0.25, 0.75]])
    found = analysis.compare((a, a.mean(0)), (b, b.mean(0)))
    assert [unit.text for unit in found.first_units] == ["w0", "w1"]
    assert found.difference.tolist() == [[-0.5, 0.5], [0.25, -0.25]]
    b = replace(b, units=(units(3)[2], units(3)[1]))  # in another order, as far as words go
    found = analysis.compare((a, a.mean(0)), (b, b.mean(0)))
    assert [unit.text for unit in found.second_units] == ["w1", "w2"]
    assert found.second.tolist() == [[0.75, 0.25], [0.5, 0.5]]


def test_means_over_heads_and_the_table() -> None:
    found = random(2, 3, 4, 0)
    torch.testing.assert_close(found.mean(1, [0, 2]), (found.weights[1, 0] + found.weights[1, 2]) / 2)
    torch.testing.assert_close(found.mean(1), found.weights[1].mean(0))
    table = analysis.matrix_frame(found.mean(0), found.units, layer=1)
    assert list(table.columns) == ["layer", "from", "from position", "to", "to position", "weight"]
    row = table[(table["from position"] == 2) & (table["to position"] == 3)]
    assert row["weight"].item() == float(found.mean(0)[2, 3]) and row["from"].item() == "w2"


def test_weights_are_never_changed(model: Model) -> None:
    trace = model.trace(TEXT)
    before: Tensor = trace.attention.clone()
    heads_of.of(analysis.of_pieces(trace))
    flow.rollout(analysis.of_words(trace))
    assert torch.equal(trace.attention, before)
