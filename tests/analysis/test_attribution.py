"""Attributions: toys with known answers, targets against the models' own answers, layers against brute force."""

from __future__ import annotations

import copy
import json
import math
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy
import pytest
import torch
from captum.attr import LayerIntegratedGradients
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from bortlab import registry
from bortlab.analysis import attribution as analysis
from bortlab.analysis.attention import of_pieces
from bortlab.analysis.attribution import METHODS, Problem, Question, Target, WholeText, trust, work
from bortlab.analysis.attribution.problem import PASS_MB, likelihood, rows_of
from bortlab.analysis.flow import rollout
from bortlab.model import Model, NoMaskError, assemble
from bortlab.models import FAMILIES, Network
from bortlab.text import Tokenizer
from bortlab.training.vocabulary import train_tokenizer
from bortlab.work.jobs import Job, Running

TEXTS = ["Paris is the capital of France, unbelievably kind people walk there."] * 20
TEXT = "Paris is unkindly the [MASK] of France."
EXACT = ("shapley", "kernel-shap", "integrated-gradients")
"""Methods whose numbers add up whatever they are asked."""
STATES = [name for name, method in METHODS.items() if method.kind != "attention"]


@pytest.fixture(scope="module")
def tokenizers() -> dict[str, Tokenizer]:
    return {name: train_tokenizer(family.tokenizer, TEXTS, vocab_size=290) for name, family in FAMILIES.items()}


def make(
    name: str, tokenizer: Tokenizer, task: str = "masked-lm", dtype: torch.dtype = torch.float64, **more: Any
) -> Model:
    """A tiny network of random numbers."""
    family = FAMILIES[name]
    sizes = {"hidden_size": 24, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 32} | more
    config = replace(
        family.mini,
        vocab_size=tokenizer.vocab_size,
        max_position_embeddings=48,
        initializer_range=0.25,
        labels=("good", "bad", "so so"),
        **sizes,
    )
    network = family.network(config, task).initialise(torch.Generator().manual_seed(1)).to(dtype)
    return assemble(f"{name}-tiny", family, network, tokenizer, heads={"masked-lm": "random"}, source="random weights")


@pytest.fixture(params=FAMILIES)
def model(request: pytest.FixtureRequest, tokenizers: dict[str, Tokenizer]) -> Model:
    return make(request.param, tokenizers[request.param])


@pytest.fixture
def bert(tokenizers: dict[str, Tokenizer]) -> Model:
    return make("bert", tokenizers["bert"])


# -- toys --------------------------------------------------------------------------------------------------------------


def toy(value: Callable[[Tensor], Tensor], x: list[float], baseline: list[float] | None = None) -> Problem:
    """A function of some numbers, each a unit of its own."""
    point = torch.tensor(x, dtype=torch.float64)[None, :, None]
    base = torch.zeros_like(point) if baseline is None else torch.tensor(baseline, dtype=torch.float64)[None, :, None]
    return Problem(lambda v: value(v[..., 0]), point, base, torch.arange(len(x)))


@pytest.mark.parametrize("method", [name for name in STATES if name not in ("saliency", "smooth-grad", "occlusion")])
def test_of_a_linear_function_each_number_is_its_share(method: str) -> None:
    weights = torch.tensor([2.0, -3.0, 0.5, 0.0], dtype=torch.float64)
    found = analysis.solve(toy(lambda v: v @ weights + 7, [1.0, 2.0, -4.0, 3.0]), method)
    tolerance = {"gradient-shap": 1.0, "lime": 0.1}.get(method, 1e-6)  # noise, and a fit that shrinks
    assert found.tolist() == pytest.approx([2.0, -6.0, -2.0, 0.0], abs=tolerance)


def test_of_a_linear_function_the_gradients_have_its_weights_size() -> None:
    problem = toy(lambda v: v @ torch.tensor([2.0, -3.0], dtype=torch.float64), [1.0, 1.5])
    for method in ("saliency", "smooth-grad"):
        assert analysis.solve(problem, method).tolist() == pytest.approx([2, 3])


def test_occlusion_takes_neighbours_away_together() -> None:
    problem = toy(lambda v: v.sum(-1), [1.0, 10.0, 100.0])
    assert analysis.solve(problem, "occlusion", steps=2).tolist() == pytest.approx([11, (11 + 110) / 2, 110])
    assert analysis.solve(problem, "occlusion", steps=1).tolist() == pytest.approx([1, 10, 100])
    assert analysis.solve(problem, "occlusion", steps=9).tolist() == pytest.approx([111, 111, 111])


@pytest.mark.parametrize("method", EXACT)
def test_two_that_count_together_share(method: str) -> None:
    found = analysis.solve(toy(lambda v: v[:, 0] * v[:, 1] + v[:, 2], [2.0, 3.0, 1.0]), method, steps=400)
    assert found.tolist() == pytest.approx([3, 3, 1], abs=1e-5 if method == "integrated-gradients" else 0.3)


def test_ablation_finds_neither_of_two_that_stand_in_for_each_other() -> None:
    problem = toy(lambda v: v.amax(-1), [1.0, 1.0])
    assert analysis.solve(problem, "feature-ablation").tolist() == [0, 0]
    assert analysis.solve(problem, "shapley", steps=200).tolist() == pytest.approx([0.5, 0.5], abs=0.1)


@settings(max_examples=25)
@given(st.integers(0, 1000), st.integers(1, 6))
def test_numbers_add_up_to_the_difference(seed: int, n: int) -> None:
    """Completeness below 1e-6 for a smooth function of any shape."""
    generator = torch.Generator().manual_seed(seed)
    weights, x, base = (torch.randn(n, generator=generator, dtype=torch.float64) for _ in range(3))
    problem = toy(lambda v: torch.tanh(v @ weights) + (v * v).sum(-1), x.tolist(), base.tolist())
    low, high = problem.ends
    for method in EXACT:
        off = float(analysis.solve(problem, method, steps=50, seed=seed).sum()) - (high - low)
        assert abs(off) < 1e-6 * max(1, abs(high - low)), method


def test_units_of_several_vectors_get_their_sum() -> None:
    weights = torch.tensor([1.0, 2.0, 4.0], dtype=torch.float64)
    problem = replace(toy(lambda v: v @ weights, [1.0, 1.0, 1.0]), owners=torch.tensor([0, 1, 0]))
    for method in ("integrated-gradients", "input-x-gradient", "feature-ablation", *EXACT):
        assert analysis.solve(problem, method).tolist() == pytest.approx([5, 2], abs=1e-6)


@pytest.mark.parametrize("method", STATES)
def test_no_more_rows_at_once_than_a_problem_allows(method: str) -> None:
    seen: list[int] = []

    def value(v: Tensor) -> Tensor:
        seen.append(len(v))
        return (v * v).sum(-1)

    analysis.solve(replace(toy(value, [1.0] * 9), rows=4), method, steps=None)
    assert max(seen) <= 4


def test_rows_fall_with_the_length_and_never_below_one() -> None:
    config = FAMILIES["albert"].checkpoints[4].config
    assert config is not None
    rows = [rows_of(config, seq) for seq in (8, 64, 512)]
    assert rows == sorted(rows, reverse=True) and rows[-1] >= 1 and PASS_MB > 0


@pytest.mark.parametrize("method", [name for name, method in METHODS.items() if method.random])
def test_random_methods_repeat_by_their_seed_and_leave_the_global_numbers_alone(method: str) -> None:
    problem = toy(lambda v: torch.sin(v).prod(-1) + v.sum(-1), [0.3, 1.2, 2.0, -1.0, 0.7])
    torch.manual_seed(5)
    numpy.random.seed(5)
    before = torch.get_rng_state(), json.dumps(numpy.random.get_state()[1].tolist())  # type: ignore[index, union-attr]
    one, same, other = (analysis.solve(problem, method, steps=10, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(one, same) and not torch.equal(one, other)
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1] == json.dumps(numpy.random.get_state()[1].tolist())  # type: ignore[index, union-attr]


def test_refuses_what_makes_no_sense(bert: Model) -> None:
    problem = toy(lambda v: v.sum(-1), [1.0])
    for call, message in (
        (lambda: analysis.solve(problem, "magic"), "method"),
        (lambda: analysis.solve(problem, "integrated-gradients", steps=0), "steps"),
        (lambda: analysis.solve(problem, "attention-rollout"), "attention"),
        (lambda: Target("masked-lm", 3, 1, scale="odds"), "scale"),  # type: ignore[arg-type]
        (lambda: analysis.token(bert, bert.encode(TEXT), "the", against="the"), "different"),
        (lambda: analysis.token(bert, bert.encode(TEXT), "unkindly"), "pieces"),
        (lambda: analysis.label(bert, encoding=bert.encode(TEXT)), "no labels"),
        (lambda: attribute(bert, "[MASK]"), "no word"),
        (lambda: attribute(bert, TEXT, baseline="noise"), "baseline"),
        (lambda: attribute(bert, TEXT, layer=4), "layer"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
    with pytest.raises(NoMaskError):
        analysis.token(bert, bert.encode("Paris"))


# -- targets -----------------------------------------------------------------------------------------------------------


def attribute(model: Model, text: str, pair: str | None = None, **more: Any) -> analysis.Attribution:
    encoding = model.encode(text, pair)
    return analysis.attribute(model, encoding, analysis.token(model, encoding), **more)


def test_targets_are_what_the_model_says(model: Model) -> None:
    encoding = model.encode(TEXT)
    best, second = model.fill_mask(TEXT, top_k=2).blanks[0].candidates
    target = analysis.token(model, encoding, scale="log-probability")
    assert target.option == best.id
    found = analysis.attribute(model, encoding, target, method="feature-ablation")
    assert found.value == pytest.approx(best.log_probability, abs=1e-6)
    as_probability = analysis.attribute(model, encoding, replace(target, scale="probability"), method="saliency")
    assert as_probability.value == pytest.approx(best.probability, abs=1e-6)
    contrast = replace(target, against=second.id)
    values = [
        analysis.attribute(model, encoding, replace(contrast, scale=scale), method="saliency").value
        for scale in ("logit", "log-probability")
    ]
    assert values[0] == pytest.approx(values[1], abs=1e-9)  # of a contrast the softmax's sum cancels out
    assert values[0] == pytest.approx(best.log_probability - second.log_probability, abs=1e-6)
    with torch.no_grad():
        masked = [*encoding.ids]
        for n in analysis.varied(encoding):
            masked[n] = model.tokenizer.mask_id
        types = torch.tensor([encoding.type_ids])
        logits = model.network(torch.tensor([masked]), None, types)[0, encoding.mask_positions[0]]
    assert found.without == pytest.approx(float(logits.log_softmax(-1)[best.id]), abs=1e-6)


@pytest.mark.parametrize("task", ["sequence-classification", "token-classification", "question-answering"])
@pytest.mark.parametrize("name", FAMILIES)
def test_targets_of_other_heads(name: str, task: str, tokenizers: dict[str, Tokenizer]) -> None:
    model = make(name, tokenizers[name], task)
    encoding = model.encode("Paris is kind.")
    scores = model.scores(encoding)
    if task == "question-answering":
        cases = [(analysis.span(model, edge, encoding=encoding), scores[edge][0]) for edge in ("start", "end")]
    elif task == "token-classification":
        cases = [(analysis.label(model, encoding=encoding, position=2), scores[task][0, 2])]
    else:
        cases = [(analysis.label(model, encoding=encoding), scores[task][0])]
    for target, row in cases:
        assert target.option == int(row.argmax()) and target.describe(model)
        found = analysis.attribute(model, encoding, target, steps=200)
        assert found.value == pytest.approx(float(row.max()), abs=1e-9)
        assert abs(found.error) < 1e-3 * max(1, abs(found.value - found.without))


def test_labels_have_names_and_targets_name_words(tokenizers: dict[str, Tokenizer]) -> None:
    model = make("bert", tokenizers["bert"], "token-classification")
    encoding = model.encode("Paris is unkindly kind.")
    place = encoding.words.index(2)
    target = analysis.label(model, "bad", encoding=encoding, position=place, against="so so", scale="probability")
    assert (target.option, target.against) == (1, 2)
    assert target.describe(model, encoding) == 'probability of "bad" against "so so" at "unkindly"'
    with pytest.raises(ValueError, match=r"no label 'awful'\. Expected one of good, bad, so so"):
        analysis.label(model, "awful", encoding=encoding, position=place)
    with pytest.raises(ValueError, match="different"):
        analysis.label(model, "bad", encoding=encoding, position=place, against=1)


@pytest.mark.parametrize("name", FAMILIES)
def test_an_edge_is_looked_for_in_the_passage(name: str, tokenizers: dict[str, Tokenizer]) -> None:
    model = make(name, tokenizers[name], "question-answering")
    encoding = model.encode("Paris is the capital of what?", "Paris is kind.")
    passage = [n for n, part in enumerate(encoding.parts) if part == 1]
    for edge in ("start", "end"):
        row = model.scores(encoding)[edge][0]
        target = analysis.span(model, edge, encoding=encoding)
        assert target.option == max(passage, key=lambda n, row=row: float(row[n]))  # type: ignore[misc]
        assert f'{edge} at "' in target.describe(model, encoding)
        assert analysis.span(model, edge, 1, encoding=encoding).option == 1  # told, anything can be asked


def test_a_predicted_number_has_no_probability(tokenizers: dict[str, Tokenizer]) -> None:
    model = make("bert", tokenizers["bert"], "sequence-classification", problem_type="regression")
    encoding = model.encode("Paris is kind.")
    assert analysis.label(model, encoding=encoding).scale == "logit"
    with pytest.raises(ValueError, match="predicts numbers"):
        analysis.label(model, encoding=encoding, scale="probability")


def test_several_labels_have_probabilities_of_their_own(tokenizers: dict[str, Tokenizer]) -> None:
    model = make("bert", tokenizers["bert"], "sequence-classification", problem_type="multi_label_classification")
    encoding = model.encode("Paris is kind.")
    target = analysis.label(model, 1, encoding=encoding, scale="probability")
    logit = model.scores(encoding)["sequence-classification"][0, 1]
    found = analysis.attribute(model, encoding, target, method="saliency")
    assert found.value == pytest.approx(float(logit.sigmoid()), abs=1e-9)


def test_the_likelihood_of_a_text_is_each_piece_masked_in_turn(model: Model) -> None:
    encoding = model.encode("Paris is kind.")
    total = 0.0
    for n in analysis.varied(encoding):
        masked = replace(encoding, ids=(*encoding.ids[:n], model.tokenizer.mask_id, *encoding.ids[n + 1 :]))
        total += float(model.logits(masked)[0, n].log_softmax(-1)[encoding.ids[n]])
    found = analysis.attribute(model, encoding, WholeText(), steps=60)
    assert found.value == pytest.approx(total, abs=1e-8)
    assert abs(found.error) < 1e-2 * max(1, abs(found.value - found.without))
    with pytest.raises(ValueError, match="layer"):
        analysis.attribute(model, encoding, WholeText(), layer=0)
    assert likelihood.__doc__


# -- texts -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_every_method_answers_for_every_family(model: Model, method: str) -> None:
    found = attribute(model, TEXT, "It is kind.", method=method, steps=None, by="words")
    assert found.values.isfinite().all() and found.values.abs().sum() > 0
    assert [unit.template for unit in found.units].count(True) == found.kept.count(True) - 1  # and the blank
    assert all(found.values[n] == 0 for n, kept in enumerate(found.kept) if kept)
    if not METHODS[method].signed:
        assert (found.values >= 0).all()
    pieces = attribute(model, TEXT, "It is kind.", method=method, by="pieces")
    assert len(pieces.units) == len(model.encode(TEXT, "It is kind."))
    if METHODS[method].kind != "perturbation" and method != "gradient-shap":
        assert float(pieces.values.sum()) == pytest.approx(float(found.values.sum()), rel=1e-6)


@pytest.mark.parametrize("baseline", analysis.BASELINES)
def test_integrated_gradients_are_complete_for_every_baseline(model: Model, baseline: analysis.Baseline) -> None:
    found = attribute(model, TEXT, baseline=baseline, steps=500)
    assert abs(found.error) < 1e-3 * max(1.0, abs(found.value - found.without))
    assert "Paris" in str(found)


def test_more_steps_make_the_error_smaller(model: Model) -> None:
    errors = [abs(attribute(model, TEXT, steps=steps).error) for steps in (3, 300)]
    assert errors[1] < errors[0]


def test_rollout_is_that_of_the_attention_page(model: Model) -> None:
    encoding = model.encode(TEXT)
    found = attribute(model, TEXT, method="attention-rollout", by="pieces")
    expected = rollout(of_pieces(model.trace(TEXT)))[-1, encoding.mask_positions[0]]
    own = analysis.varied(encoding)
    torch.testing.assert_close(found.values[own], expected[own].double())


# -- layers ------------------------------------------------------------------------------------------------------------

DEEP = [
    ("bert", {}),
    ("bort", {}),
    ("convbert", {}),
    *[("albert", {"num_hidden_layers": 12, "num_hidden_groups": groups}) for groups in (1, 2, 12)],
]


def by_brute_force(model: Model, target: Target, layer: int, steps: int) -> Tensor:
    """Integrated Gradients of the states that enter a layer, written out: Gauss-Legendre points, partial forwards."""
    network, encoding = model.network, model.encode(TEXT)
    lacking = [
        model.tokenizer.mask_id if n in analysis.varied(encoding) else piece for n, piece in enumerate(encoding.ids)
    ]
    types = torch.tensor([encoding.type_ids])

    def states(ids: list[int]) -> Tensor:
        with torch.no_grad():
            hidden = network.embeddings(network.embeddings.words.weight[torch.tensor([ids])], types)
            for n in range(layer):
                hidden = network.block(n)(hidden, None, explicit=True).hidden
            return hidden

    end, start = states(list(encoding.ids)), states(lacking)
    total = torch.zeros_like(end)
    points, weights = numpy.polynomial.legendre.leggauss(steps)
    for point, weight in zip((points + 1) / 2, weights / 2, strict=True):
        hidden = at = (start + point * (end - start)).requires_grad_()
        for n in range(layer, model.config.depth):
            hidden = network.block(n)(hidden, None, explicit=True).hidden
        logits = network.predict(hidden)[0, target.position]
        total += weight * torch.autograd.grad(logits[target.option], at)[0]
    return ((end - start) * total)[0].sum(-1)


@pytest.mark.parametrize(("name", "sizes"), DEEP, ids=str)
def test_layers_equal_brute_force(name: str, sizes: dict[str, int], tokenizers: dict[str, Tokenizer]) -> None:
    model = make(name, tokenizers[name], **sizes)
    target = analysis.token(model, model.encode(TEXT), scale="logit")
    rows = []
    for layer in range(model.config.depth + 1):
        found = analysis.attribute(model, model.encode(TEXT), target, layer=layer, by="pieces", steps=20)
        torch.testing.assert_close(found.values, by_brute_force(model, target, layer, 20), rtol=0, atol=1e-5)
        rows.append(found.values)
    assert all((one - other).abs().max() > 1e-4 for n, one in enumerate(rows) for other in rows[:n])  # each its own


def unrolled(model: Model) -> Network:
    """ALBERT with as many blocks as layers, each with a copy of the weights of the one that it used."""
    config = replace(model.config, num_hidden_groups=model.config.num_hidden_layers)  # type: ignore[call-arg]
    network = type(model.network)(config, model.task).double().eval()
    network.embeddings, network.masked_lm = model.network.embeddings, model.network.masked_lm
    for layer in range(config.depth):
        network.block(layer).load_state_dict(model.network.block(layer).state_dict())
    return network.requires_grad_(False)


def captums(network: Network, model: Model, target: Target, layer: int) -> Tensor:
    """Captum's own LayerIntegratedGradients of what leaves a layer, by a hook on its last norm."""
    encoding = model.encode(TEXT)
    own = analysis.varied(encoding)
    ids = torch.tensor([encoding.ids])
    lacking = ids.clone()
    lacking[0, own] = model.tokenizer.mask_id

    def answer(ids: Tensor) -> Tensor:
        return network(ids)[:, target.position, target.option]

    explain = LayerIntegratedGradients(answer, network.block(layer).feedforward_norm)
    return explain.attribute(ids, lacking, n_steps=20)[0].sum(-1)  # type: ignore[union-attr, no-any-return]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("groups", [1, 2, 12])
def test_layers_of_albert_equal_captums_on_an_unrolled_copy(groups: int, tokenizers: dict[str, Tokenizer]) -> None:
    """On the shared block itself captum answers in silence, and for one use at most: the reason for all of this."""
    model = make("albert", tokenizers["albert"], num_hidden_layers=12, num_hidden_groups=groups)
    target = analysis.token(model, model.encode(TEXT), scale="logit")
    copy_, shared = unrolled(model), copy.deepcopy(model.network)
    wrong = 0
    for layer in range(model.config.depth):
        ours = analysis.attribute(model, model.encode(TEXT), target, layer=layer + 1, by="pieces", steps=20).values
        torch.testing.assert_close(ours, captums(copy_, model, target, layer).double(), rtol=0, atol=1e-5)
        wrong += bool((captums(shared, model, target, layer).double() - ours).abs().max() > 1e-3)
    assert wrong == 0 if groups == 12 else wrong >= 12 - groups


def test_attention_times_gradient_is_what_heads_give_on(model: Model) -> None:
    """A head is linear in its weights, so both ways to the same number must meet."""
    encoding = model.encode(TEXT)
    target = analysis.token(model, encoding)
    slopes = analysis.slopes(model, encoding, target)
    problem, heads = analysis.of_heads(model, encoding, target)
    found = analysis.solve(problem, "input-x-gradient").view(model.config.depth, -1)
    torch.testing.assert_close(slopes.heads, found)
    assert len(heads) == found.numel() and heads[-1].name.startswith(f"layer {model.config.depth}")
    assert (slopes.kernels is not None) == (slopes.taps is not None) == heads[-1].convolves
    torch.testing.assert_close(slopes.received.sum(1), slopes.attention.sum((1, 2, 3)))
    assert problem.ends[1] == pytest.approx(
        analysis.attribute(model, encoding, target, method="saliency").value, abs=1e-9
    )
    complete = analysis.solve(problem, "integrated-gradients", steps=300)
    assert float(complete.sum()) == pytest.approx(problem.ends[1] - problem.ends[0], rel=1e-3, abs=1e-3)


@pytest.mark.parametrize("name", ["bert", "convbert"])
def test_a_head_taken_away_is_one_whose_output_is_nothing(name: str, tokenizers: dict[str, Tokenizer]) -> None:
    model = make(name, tokenizers[name])
    encoding = model.encode(TEXT)
    target = analysis.token(model, encoding)
    problem, heads = analysis.of_heads(model, encoding, target)
    found = analysis.solve(problem, "feature-ablation")
    per_layer = len(heads) // model.config.depth
    size = model.config.hidden_size // per_layer
    for number in (0, per_layer - 1, len(heads) - 1):
        network = copy.deepcopy(model.network)
        place = number % per_layer * size  # attention heads first, convolution heads second
        network.block(heads[number].layer).attention.output.weight[:, place : place + size] = 0
        with torch.no_grad():
            logits = network(torch.tensor([encoding.ids]), None, torch.tensor([encoding.type_ids]))
        without = float(target.scaled(logits[:, target.position])[0, target.option])
        assert float(found[number]) == pytest.approx(problem.ends[1] - without, abs=1e-9)


# -- trust -------------------------------------------------------------------------------------------------------------


def test_curves_of_a_sum_are_its_partial_sums() -> None:
    problem = toy(lambda v: v.sum(-1), [1.0, 10.0, 100.0, 1000.0])
    found = analysis.curves(problem, torch.tensor([1.0, 10.0, 100.0, 1000.0], dtype=torch.float64), orders=30)
    assert found.deletion.tolist() == [1111, 111, 11, 1, 0]
    assert found.insertion.tolist() == [0, 1000, 1100, 1110, 1111]
    assert found.comprehensiveness() == pytest.approx((1000 + 1000 + 1100) / 3)
    assert found.sufficiency() == pytest.approx((111 + 111 + 11) / 3)
    assert found.comprehensiveness() > found.random_comprehensiveness
    assert found.sufficiency() < found.random_sufficiency
    assert min(found.better_than) > 0.8
    worst = analysis.curves(problem, -torch.tensor([1.0, 10.0, 100.0, 1000.0], dtype=torch.float64))
    assert max(worst.better_than) < 0.2 and worst.deletion.tolist() == [1111, 1110, 1100, 1000, 0]


def test_rank_correlation_knows_ties() -> None:
    def of(one: list[float], other: list[float]) -> float:
        return analysis.rank_correlation(torch.tensor(one), torch.tensor(other))

    assert of([1, 2, 3], [10, 20, 21]) == pytest.approx(1)
    assert of([1, 2, 3], [3, 2, 1]) == pytest.approx(-1)
    assert of([1, 1, 2, 3], [1, 2, 3, 4]) == pytest.approx(0.9486833)  # scipy.stats.spearmanr
    assert math.isnan(of([1, 1, 1], [1, 2, 3]))
    found = analysis.agreement([torch.tensor([-3.0, 1, 2]), torch.tensor([3.0, 1, 2])], [True, False])
    assert found[0, 1] == pytest.approx(1)  # sizes alone


def test_random_weights_are_others_and_the_model_keeps_its_own(bert: Model) -> None:
    before = {name: tensor.clone() for name, tensor in bert.network.state_dict().items()}
    one, same, other = (analysis.with_random_weights(bert, seed) for seed in (0, 0, 1))
    weight = "embeddings.words.weight"
    assert torch.equal(one.state_dict()[weight], same.state_dict()[weight])
    assert not torch.equal(one.state_dict()[weight], other.state_dict()[weight])
    usual, random = (attribute(bert, TEXT, network=network) for network in (None, one))
    assert (usual.values - random.values).abs().max() > 1e-3
    assert all(torch.equal(tensor, before[name]) for name, tensor in bert.network.state_dict().items())


def test_repeats_differ_for_random_methods_alone() -> None:
    problem = toy(lambda v: torch.sin(v).prod(-1) + v.sum(-1), [0.3, 1.2, 2.0, -1.0])
    steady = trust.repeated(problem, "integrated-gradients", steps=20, seeds=(0, 1))
    assert steady.spread.max() == 0 and steady.correlations == [pytest.approx(1)]
    assert trust.repeated(problem, "lime", steps=10, seeds=(0, 1, 2)).spread.max() > 0


# -- jobs --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def jobs_here(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs in a folder of this test's own, run in this process as it is: one thread, for tiny tensors."""
    monkeypatch.setattr("bortlab.work.jobs.jobs_folder", lambda: tmp_path / "jobs")
    monkeypatch.setattr(work, "cores", torch.get_num_threads)
    monkeypatch.setattr(work.os, "nice", lambda _: None)


def run(job: Job, running: Running | None = None) -> Any:
    """What the job's function does, in this process."""
    (job.folder / "work").mkdir(parents=True, exist_ok=True)
    return work.run(running or Running(job.folder), **job.arguments)


def test_a_job_finds_what_the_library_finds_and_is_resumed(
    bert: Model, jobs_here: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = replace(bert, source="folder")
    monkeypatch.setattr(registry, "load_from", lambda *_, **__: model)
    encoding = model.encode(TEXT)
    target = analysis.token(model, encoding)
    question = Question(model, encoding, target, steps={"integrated-gradients": 7}, seed=3)
    methods = ["integrated-gradients", "lime"]
    job = work.job(question, methods)
    assert run(job) == {"attributions": 2}
    results = work.result(job, question)
    with monkeypatch.context() as patch:
        patch.setattr(Question, "attribute", lambda *_, **__: pytest.fail("all of it was there"))
        assert run(job) == {"attributions": 2}
    for method in methods:
        steps = 7 if method == "integrated-gradients" else None
        expected = analysis.attribute(model, encoding, target, method=method, steps=steps, seed=3)
        attribution = results[method].attribution
        assert torch.equal(attribution.values, expected.values)
        assert attribution.kept == expected.kept and attribution.units == expected.units
        assert results[method].deletion is not None and -1 <= (results[method].random_weights or 0) <= 1
    assert results["integrated-gradients"].repeatability == 1
    with pytest.raises(ValueError, match="job"):
        work.job(replace(question, model=bert), methods)


def test_a_job_of_layers_finds_each_and_is_resumed_from_the_first_that_is_missing(
    bert: Model, jobs_here: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = replace(bert, source="folder")
    monkeypatch.setattr(registry, "load_from", lambda *_, **__: model)
    encoding = model.encode(TEXT)
    target = analysis.token(model, encoding)
    question = Question(model, encoding, target, seed=2)
    job = work.job(question, ["shapley"], assessed=False, layers=question.layers)
    layers: list[int] = []
    progress: list[float] = []
    attribute = Question.attribute

    def until(stop: int) -> Callable[..., Any]:
        def interrupted(question: Question, method: str, *, layer: int, **more: Any) -> analysis.Attribution:
            if layer == stop:
                raise KeyboardInterrupt
            layers.append(layer)
            return attribute(question, method, layer=layer, **more)

        return interrupted

    class Recorded(Running):
        def report(self, done: float, message: str = "") -> None:
            progress.append(round(done, 9))

    monkeypatch.setattr(work, "REPORT_S", 0.0)
    monkeypatch.setattr(Question, "attribute", until(2))
    (job.folder / "work").mkdir(parents=True)
    with pytest.raises(KeyboardInterrupt):
        run(job, Recorded(job.folder))
    assert layers == [0, 1] and set(work.result(job, question)) == {work.named("shapley", n) for n in (0, 1)}
    assert progress == sorted(progress) and 0 < progress[-1] < 1
    monkeypatch.setattr(Question, "attribute", until(99))
    progress.clear()
    assert run(job, Recorded(job.folder)) == {"attributions": 4} and layers == [*question.layers]
    assert progress == sorted(progress) and max(progress) <= 1
    for layer in question.layers:
        expected = analysis.attribute(model, encoding, target, method="shapley", seed=2, layer=layer)
        kept = work.result(job, question)[work.named("shapley", layer)].attribution
        assert torch.equal(kept.values, expected.values) and kept.kept == expected.kept and kept.method == "shapley"
        assert (kept.value, kept.without, kept.units) == (expected.value, expected.without, expected.units)
    with pytest.raises(ValueError, match="assessed"):
        work.job(question, ["shapley"], layers=question.layers)


def test_an_assignment_goes_through_json_as_it_is(bert: Model) -> None:
    model = replace(bert, source="folder")
    encoding = model.encode(TEXT, "It is kind.")
    for target in (analysis.token(model, encoding, scale="probability"), WholeText()):
        question = Question(model, encoding, target, "zero", "pieces", {"lime": 9}, 5)
        for layers in ((), (0, 2)):
            assignment = work.Assignment.of(question, ["lime"], assessed=not layers, layers=layers)
            assert work.Assignment.from_json(json.loads(json.dumps(assignment.to_json()))) == assignment
            again = assignment.question(model)
            assert (again.encoding, again.target, again.baseline, again.by, again.steps, again.seed) == (
                encoding,
                target,
                "zero",
                "pieces",
                {"lime": 9},
                5,
            )


@pytest.mark.parametrize("task", ["sequence-classification", "token-classification", "question-answering"])
def test_a_job_loads_the_head_that_is_asked_about(
    task: str, tokenizers: dict[str, Tokenizer], tmp_path: Any, jobs_here: None
) -> None:
    made = make("bert", tokenizers["bert"], task, torch.float32)
    replace(made, heads=dict.fromkeys(made.network.tasks[task], "trained")).save(tmp_path / "own")
    assert registry.own_task_from(tmp_path / "own") == task
    model = registry.load_from(tmp_path / "own", task=task)
    pair = "Paris is kind." if task == "question-answering" else None
    encoding = model.encode("Paris is the capital of France.", pair)
    if task == "question-answering":
        target = analysis.span(model, "end", encoding=encoding)
    else:
        target = analysis.label(model, encoding=encoding, position=2 if task == "token-classification" else None)
    methods = ["input-x-gradient", "attention-rollout"]
    question = Question(model, encoding, target)
    job = work.job(question, methods)
    run(job)
    results = work.result(job, question)
    for method in methods:
        expected = analysis.attribute(model, encoding, target, method=method)
        assert torch.allclose(results[method].attribution.values, expected.values, atol=1e-5)
        assert results[method].attribution.target == target and results[method].random_weights is not None


# -- work --------------------------------------------------------------------------------------------------------------


def test_the_work_of_a_method_is_what_it_computes(bert: Model) -> None:
    """The estimate is near the rows that the network is run for; a backward pass is worth two forward ones."""
    encoding = bert.encode(TEXT)
    for target in (analysis.token(bert, encoding), WholeText()):
        question = Question(bert, encoding, target)
        for method in question.methods:
            if METHODS[method].kind == "attention":
                continue
            rows: list[int] = []

            def watch(n: int, rows: list[int] = rows) -> None:
                rows.append(n * (3 if torch.is_grad_enabled() else 1))

            question.attribute(method, watch=watch)
            pieces = question.passes_of_a_row()
            assert 0.6 < question.passes(method) / (sum(rows) * pieces) < 1.7, method


def test_work_grows_with_the_model_the_text_and_the_tests(bert: Model, tokenizers: dict[str, Tokenizer]) -> None:
    encoding = bert.encode(TEXT)
    question = Question(bert, encoding, analysis.token(bert, encoding))
    small = question.multiply_adds("lime")
    assert question.multiply_adds("lime", assessed=True) > 6 * small
    assert small < question.multiply_adds("lime", layers=question.layers) < len(question.layers) * small
    deeper = make("bert", tokenizers["bert"], num_hidden_layers=6)
    assert replace(question, model=deeper).multiply_adds("lime") == 2 * small
    whole = replace(question, target=WholeText())
    assert whole.multiply_adds("lime") == len(analysis.varied(encoding)) * small


# -- threads -----------------------------------------------------------------------------------------------------------

THREADS, ROUNDS = 8, 250


def state_of(network: Network) -> list[Any]:
    """Everything that an analysis might leave behind in a network."""
    hooks = [
        (name, attribute_, len(getattr(module, attribute_)))
        for name, module in network.named_modules()
        for attribute_ in vars(module)
        if attribute_.endswith("_hooks") and isinstance(getattr(module, attribute_), dict)
    ]
    flags = [(name, module.training) for name, module in network.named_modules()]
    weights = [
        (name, p.requires_grad, p.grad is None, p._version, p.data_ptr()) for name, p in network.named_parameters()
    ]
    return [hooks, flags, weights, [name for name, _ in network.named_buffers()]]


def tasks(model: Model, attribution: Callable[[Model, int], Tensor]) -> list[Callable[[], Tensor]]:
    """Predictions, traces and attributions of several texts, mixed."""
    texts = ["Paris is the [MASK].", "[MASK] is kind.", "France is the [MASK] of Paris."]
    asked: list[Callable[[], Tensor]] = []
    for number, text in enumerate(texts):
        asked.append(lambda text=text: model.logits(model.encode(text)))  # type: ignore[misc]
        asked.append(lambda text=text: model.trace(text).hidden)  # type: ignore[misc]
        asked.append(lambda number=number: attribution(model, number))  # type: ignore[misc]
    return asked


def mixed(model: Model, attribution: Callable[[Model, int], Tensor], *, to_the_end: bool = True) -> int:
    """How many of 8 threads' answers differ from those of one alone, or fail; the first of them unless to_the_end."""
    asked = tasks(model, attribution)
    alone = [ask() for ask in asked]
    wrong: list[int] = []

    def run(thread: int) -> None:
        for turn in range(ROUNDS):
            if wrong and not to_the_end:
                return
            place = (thread + turn) % len(asked)
            try:
                same = torch.equal(asked[place](), alone[place])
            except Exception:
                same = False
            if not same:
                wrong.append(place)

    workers = [threading.Thread(target=run, args=(number,)) for number in range(THREADS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return len(wrong)


@pytest.mark.slow
def test_eight_threads_get_what_one_alone_gets(tokenizers: dict[str, Tokenizer]) -> None:
    model = make("albert", tokenizers["albert"], dtype=torch.float32)
    before = state_of(model.network)
    ways = [("integrated-gradients", 6, None), ("gradient-shap", 6, None), ("shapley", 2, 2)]

    def ours(model: Model, number: int) -> Tensor:
        method, steps, layer = ways[number]
        encoding = model.encode("Paris is the [MASK] of France.")
        target = Target("masked-lm", 9, encoding.mask_positions[0])
        return analysis.attribute(model, encoding, target, method=method, steps=steps, layer=layer).values

    assert mixed(model, ours) == 0
    assert state_of(model.network) == before


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_same_with_captums_hooks_goes_wrong(tokenizers: dict[str, Tokenizer]) -> None:
    """The negative control: captum's layer method on the shared network itself spoils everybody's answers."""
    model = make("albert", tokenizers["albert"], dtype=torch.float32)

    def naive(model: Model, number: int) -> Tensor:
        encoding = model.encode("Paris is the [MASK] of France.")
        ids = torch.tensor([encoding.ids])
        explain = LayerIntegratedGradients(
            lambda ids: model.network(ids)[:, encoding.mask_positions[0], 9], model.network.embeddings.words
        )
        lacking = torch.full_like(ids, model.tokenizer.mask_id)
        found: Tensor = explain.attribute(ids, lacking, n_steps=6)[0].sum(-1)
        return found

    assert mixed(model, naive, to_the_end=False) > 0
