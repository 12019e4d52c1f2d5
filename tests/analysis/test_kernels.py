"""Kernels: a 3-token case from the weights by hand, the block rebuilt from the trace, statistics, halves, ablations."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from bortlab.analysis import kernels as analysis
from bortlab.analysis.attention import Unit
from bortlab.analysis.kernels import Kernels, NoConvolutionError
from bortlab.model import Model
from bortlab.nn import MixedAttention
from bortlab.nn.convolution import dynamic_convolution
from bortlab.training.vocabulary import train_tokenizer
from tests.analysis.test_attention import TEXT, TEXTS, make


@pytest.fixture(scope="module")
def model() -> Model:
    return make("convbert", train_tokenizer("wordpiece", TEXTS, vocab_size=290))


def of(weights: Tensor, template: tuple[int, ...] = ()) -> Kernels:
    n = weights.shape[2]
    return Kernels(weights, tuple(Unit(f"t{i}", ("piece", i), None if i in template else 0) for i in range(n)))


def softmax(values: list[float]) -> list[float]:
    total = sum(math.exp(v) for v in values)
    return [math.exp(v) / total for v in values]


# -- kernels -----------------------------------------------------------------------------------------------------------


def test_a_kernel_of_three_tokens_by_hand() -> None:
    """hidden 4, half 2, one head, 3 taps: every weight written out."""
    mixed = MixedAttention(hidden=4, heads=1, width=3, dropout=0.0).double()
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in mixed.parameters():
            parameter.normal_(0, 0.7, generator=generator)
    x = torch.randn(1, 3, 4, generator=generator, dtype=torch.float64)
    found = mixed(x, None, explicit=True).kernels[0, 0].tolist()
    rows = x[0].tolist()
    deep, point, bias = mixed.span.depthwise.weight.tolist(), mixed.span.pointwise.weight.tolist(), mixed.span.bias
    for i in range(3):
        spans = [
            sum(deep[c][0][tap] * rows[i + tap - 1][c] for tap in range(3) if 0 <= i + tap - 1 < 3) for c in range(4)
        ]
        span = [sum(point[o][c][0] * spans[c] for c in range(4)) + float(bias[o, 0]) for o in range(2)]
        query = [
            sum(float(mixed.query.weight[o, c]) * rows[i][c] for c in range(4)) + float(mixed.query.bias[o])
            for o in range(2)
        ]
        scores = [
            sum(float(mixed.kernel.weight[tap, o]) * query[o] * span[o] for o in range(2))
            + float(mixed.kernel.bias[tap])
            for tap in range(3)
        ]
        assert found[i] == pytest.approx(softmax(scores), abs=1e-12)


def test_the_block_rebuilt_from_the_trace_gives_its_real_output(model: Model) -> None:
    trace = model.trace(TEXT)
    assert trace.kernels is not None
    for layer in range(len(trace.layers)):
        block, hidden = model.network.block(layer), trace.hidden[layer : layer + 1]
        mixed = block.attention
        values = mixed.value(hidden).unflatten(-1, (mixed.heads, -1)).transpose(1, 2)
        attended = trace.attention[layer][None] @ values  # (1, heads, seq, size)
        convolved = dynamic_convolution(
            mixed.convolved(hidden).unflatten(-1, (mixed.heads, -1)), trace.kernels[layer].transpose(0, 1)[None]
        )
        both = torch.cat([attended.transpose(1, 2), convolved], 2).flatten(2)
        middle = block.attention_norm(hidden + mixed.output(both))
        output = block.feedforward_norm(middle + block.feedforward(middle))
        torch.testing.assert_close(output[0], trace.hidden[layer + 1], atol=1e-10, rtol=0)


def test_kernels_as_a_matrix_and_what_falls_beyond(model: Model) -> None:
    found = analysis.of(model.trace(TEXT))
    torch.testing.assert_close(found.weights.sum(-1), torch.ones_like(found.weights[..., 0]))
    half = len(found.taps) // 2
    assert found.taps[0] == -half and found.taps[half] == 0
    for layer, head in ((0, 0), (2, 1)):
        matrix = found.banded(layer, head)
        torch.testing.assert_close(matrix.sum(-1) + found.beyond[layer, head], torch.ones(len(found.units)).double())
        for query in range(len(found.units)):
            for key in range(len(found.units)):
                tap = key - query + half
                expected = found.weights[layer, head, query, tap] if 0 <= tap < len(found.taps) else 0.0
                assert float(matrix[query, key]) == float(expected)


def test_a_short_text_and_wide_kernels() -> None:
    found = of(torch.full((1, 1, 2, 9), 1 / 9, dtype=torch.float64))
    assert found.banded(0, 0).flatten().tolist() == pytest.approx([1 / 9] * 4)
    assert found.beyond[0, 0].tolist() == pytest.approx([7 / 9] * 2)


def test_statistics_with_known_answers() -> None:
    kernels = torch.tensor([[0.0, 0, 1], [1 / 3, 1 / 3, 1 / 3], [0.5, 0, 0.5], [0, 1, 0]], dtype=torch.float64)
    found = analysis.statistics(kernels)
    assert found.entropy.tolist() == pytest.approx([0, math.log2(3), 1, 0])
    assert found.centre.tolist() == pytest.approx([1, 0, 0, 0])
    assert found.width.tolist() == pytest.approx([0, math.sqrt(2 / 3), 1, 0])
    assert found.own.tolist() == pytest.approx([0, 1 / 3, 0, 1])
    assert analysis.distance(kernels[0], kernels[3]).item() == 1
    assert analysis.distance(kernels[1], kernels[3]).item() == pytest.approx(2 / 3)


@given(st.integers(1, 12), st.sampled_from([3, 5, 9]), st.integers(0, 99))
@settings(max_examples=30)
def test_statistics_stay_in_their_ranges(n: int, width: int, seed: int) -> None:
    scores = torch.randn(2, 2, n, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    kernels = of((3 * scores).softmax(-1))
    found = analysis.statistics(kernels.weights)
    assert bool((found.entropy <= math.log2(width) + 1e-9).all()) and bool((found.entropy >= 0).all())
    assert bool((found.centre.abs() <= width // 2).all()) and bool((found.width <= width // 2 + 1e-9).all())
    assert bool((kernels.beyond >= 0).all()) and bool((kernels.beyond <= 1 + 1e-9).all())
    assert len(analysis.frame(kernels, 0, None)) == n


# -- what makes a kernel -----------------------------------------------------------------------------------------------


def test_the_span_alone_sees_the_neighbours(model: Model) -> None:
    """Swap the word before: in layer 1 the kernel from the token alone stays, the span's moves."""
    found = analysis.change(model, "Paris is the capital", "France is the capital")
    span, alone = found.distances()
    places = [n for n, (a, _) in enumerate(found.pairs) if found.first.units[a].text == "is"]
    assert places and float(span[0][:, places].max()) > 1e-9  # little, where a trained head looks at one place alone
    assert float(alone[0].max()) < 1e-12
    assert float(alone[1:].max()) > 1e-6  # later layers have mixed the neighbours in
    same = analysis.change(model, TEXT, TEXT)
    assert len(same.pairs) == len(same.first.units) and float(same.distances()[0].max()) == 0


def test_a_text_of_one_token_has_only_itself_in_its_span(model: Model) -> None:
    """With the neighbours' filters at zero, the span is the token alone."""
    trace = model.trace(TEXT)
    mixed = model.network.block(0).attention
    kept = torch.zeros_like(mixed.span.depthwise.weight)
    kept[..., mixed.width // 2] = mixed.span.depthwise.weight[..., mixed.width // 2]
    spans = torch.nn.functional.conv1d(trace.hidden[:1].transpose(1, 2), kept, padding=mixed.width // 2, groups=24)
    span = torch.einsum("bcs,oc->bso", spans, mixed.span.pointwise.weight[:, :, 0]) + mixed.span.bias[:, 0]
    expected = mixed.kernels(mixed.query(trace.hidden[:1]), span)[0].transpose(0, 1)
    torch.testing.assert_close(analysis.token_only(model, trace)[0], expected, atol=1e-12, rtol=0)


def test_filters_are_those_of_the_weights(model: Model) -> None:
    filters = analysis.depthwise(model)
    assert filters.shape == (3, 24, 9)
    assert torch.equal(filters[1], model.network.block(1).attention.span.depthwise.weight[:, 0])


def test_models_without_convolution_say_so() -> None:
    tokenizer = train_tokenizer("unigram", TEXTS, vocab_size=290)
    albert = make("albert", tokenizer)
    assert not analysis.has_kernels(albert)
    trace = albert.trace(TEXT)
    for question in (
        lambda: analysis.of(trace),
        lambda: analysis.token_only(albert, trace),
        lambda: analysis.depthwise(albert),
        lambda: analysis.ablate(albert, TEXT),
        lambda: analysis.contributions(albert, trace),
    ):
        with pytest.raises(NoConvolutionError, match=r"no (dynamic convolution|kernels)"):
            question()


def test_a_survey_is_the_mean_over_inner_tokens(model: Model) -> None:
    texts = ["Paris is the capital of France, unbelievably kind", "people walk there and the capital of Paris is kind"]
    found = analysis.survey(model, texts)
    inner = []
    for text in texts:
        kernels = analysis.of(model.trace(text))
        inner.append(kernels.weights[:, :, 4:-4])
    every = torch.cat(inner, 2)
    torch.testing.assert_close(found.mean, every.mean(2))
    assert found.n_positions == every.shape[2] and found.n_texts == 2
    with pytest.raises(ValueError, match="shorter than a kernel"):
        analysis.survey(model, ["a"])


def test_the_sample_is_of_the_corpus_and_always_the_same() -> None:
    sample = analysis.sample(12)
    assert len(sample) == 12 == len(set(sample)) and sample == analysis.sample(12)


# -- halves ------------------------------------------------------------------------------------------------------------


def test_halves_and_bias_are_the_whole(model: Model) -> None:
    trace = model.trace(TEXT)
    found = analysis.contributions(model, trace)
    for layer in range(3):
        mixed, hidden = model.network.block(layer).attention, trace.hidden[layer : layer + 1]
        context = mixed(hidden, None).context[0]
        torch.testing.assert_close(found.total[layer], context.norm(dim=-1))
        bias = (mixed.output.bias * context).sum(-1) / (context * context).sum(-1)
        shares = found.attention_share[layer] + found.convolution_share[layer] + bias
        torch.testing.assert_close(shares, torch.ones_like(shares))
        weight = mixed.output.weight
        heads = trace.attention[layer] @ mixed.value(hidden)[0].unflatten(-1, (mixed.heads, -1)).transpose(0, 1)
        first = heads.transpose(0, 1).flatten(1) @ weight[:, :12].T
        torch.testing.assert_close(found.attention[layer], first.norm(dim=-1))


def test_nothing_changed_is_the_models_own_prediction(model: Model) -> None:
    results = {one.ablation: one for one in analysis.ablate(model, TEXT, top_k=4)}
    assert list(results) == list(analysis.ABLATIONS)
    usual = model.fill_mask(TEXT, top_k=4)
    said = [candidate.token for candidate in usual.blanks[0].candidates]
    assert [candidate.token for candidate in results["nothing"].blanks[0]] == said
    assert results["nothing"].moved == 0
    assert all(0 < one.moved <= 1 for name, one in results.items() if name != "nothing")


def test_ablations_in_no_layer_change_nothing(model: Model) -> None:
    assert all(one.moved == 0 for one in analysis.ablate(model, TEXT, layers=()))


def test_a_text_without_a_blank_is_measured_on_all_its_pieces(model: Model) -> None:
    results = analysis.ablate(model, "Paris is kind", ablations=("nothing", "even"))
    assert [one.blanks for one in results] == [(), ()]
    assert results[0].moved == 0 < results[1].moved


def test_left_out_halves_are_zeros(model: Model) -> None:
    """One layer without convolution heads, by hand."""
    network = model.network
    encoding = model.encode(TEXT)
    hidden = network.embeddings(network.embed(torch.tensor([encoding.ids])), None)
    with torch.no_grad():
        for layer in range(3):
            block = network.block(layer)
            mixed = block.attention
            q = mixed.query(hidden)
            attended = mixed.attend(q, hidden, None).values.transpose(1, 2).flatten(2)
            context = attended @ mixed.output.weight[:, :12].T + mixed.output.bias
            hidden = block.finish(hidden, context)
        logits = network.predict(hidden[0, list(encoding.mask_positions)])
    found = analysis.ablate(model, TEXT, ablations=("convolution",), top_k=3)[0]
    expected = logits.float().softmax(-1)[0]
    for candidate in found.blanks[0]:
        assert candidate.probability == pytest.approx(float(expected[candidate.id]), rel=1e-4)
