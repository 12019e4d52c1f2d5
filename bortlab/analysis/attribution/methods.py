"""The methods, through captum, all of one signature: a problem in, a number for each of its units out.

Captum gets a pure function and never a module, so its hooks have nothing to hold on to. Where it draws random numbers
it takes torch's and numpy's global ones: `seeded` lends them to one method at a time and puts them back.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy
import torch
from captum._utils.models.model import Model as Surrogate
from captum.attr import (
    FeatureAblation,
    InputXGradient,
    IntegratedGradients,
    KernelShap,
    Lime,
    NoiseTunnel,
    Occlusion,
    Saliency,
    ShapleyValueSampling,
)
from captum.attr._core.gradient_shap import InputBaselineXGradient
from captum.attr._core.lime import get_exp_kernel_similarity_function
from torch import Tensor

from bortlab.analysis.attention import Attention
from bortlab.analysis.attribution.problem import Problem
from bortlab.analysis.flow import rollout

SPAN = 2
"""Units that occlusion takes away together."""
NOISE = 0.1
"""Noise of SmoothGrad and GradientSHAP, by the spread of the vectors' numbers."""
KERNEL_WIDTH = 0.25
"""How fast a sample counts less for LIME, the more it lacks (cosine distance), as in its authors' code for text."""

PENALTY = 0.01
"""Of LIME's fit, on the squares of its numbers."""

Kind = Literal["gradients", "taking away", "attention"]
_globals = threading.Lock()


@dataclass(frozen=True, slots=True)
class Method:
    """One way to say how much each unit counts. run(problem, steps, seed) -> (units,), float64.

    says: one sentence for the page. steps: how many points, samples or permutations unless told; 0: it takes none.
    signed: can a unit count against the answer? complete: do the numbers promise to add up to the difference between
    text and baseline? random: does the result depend on a seed? cost: passes for so many units and steps, roughly; a
    pass there and back counts as three.
    """

    name: str
    title: str
    kind: Kind
    says: str
    paper: str
    run: Callable[[Problem, int, int], Tensor]
    cost: Callable[[int, int], int]
    steps: int = 0
    signed: bool = True
    complete: bool = False
    random: bool = False

    def supports(self, problem: Problem) -> bool:
        """Can it be asked this?"""
        return self.kind != "attention" or problem.attention is not None


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """torch's and numpy's global random numbers from a seed, for one thread at a time; put back afterwards."""
    with _globals:
        before, numpys = torch.get_rng_state(), numpy.random.get_state()
        try:
            torch.default_generator.manual_seed(seed)
            numpy.random.seed(seed)
            yield
        finally:
            torch.set_rng_state(before)
            numpy.random.set_state(numpys)


# -- gradients ---------------------------------------------------------------------------------------------------------


def _input(problem: Problem) -> Tensor:
    """x as captum wants it: a tensor of its own that asks for gradients."""
    return problem.x.detach().clone().requires_grad_()


def _sums(problem: Problem, vectors: Tensor) -> Tensor:
    """What each number of the vectors counts (1, n, width) -> by unit."""
    return problem.sums(vectors.detach()[0].double().sum(-1))


def _lengths(problem: Problem, vectors: Tensor) -> Tensor:
    """Gradients (1, n, width) -> their lengths, by unit."""
    return problem.sums(vectors.detach()[0].double().norm(dim=-1))


def integrated_gradients(problem: Problem, steps: int, seed: int) -> Tensor:
    found = IntegratedGradients(problem.value).attribute(
        _input(problem), problem.baseline, n_steps=steps, internal_batch_size=problem.rows
    )
    return _sums(problem, found)


def saliency(problem: Problem, steps: int, seed: int) -> Tensor:
    return _lengths(problem, Saliency(problem.value).attribute(_input(problem), abs=False))


def input_x_gradient(problem: Problem, steps: int, seed: int) -> Tensor:
    return _sums(problem, InputXGradient(problem.value).attribute(_input(problem)))


def _tunnel(problem: Problem, method: Any, steps: int, **more: Any) -> Tensor:
    spread = NOISE * float(problem.x.std())
    found: Tensor = NoiseTunnel(method).attribute(
        _input(problem), nt_type="smoothgrad", nt_samples=steps, nt_samples_batch_size=min(steps, problem.rows),
        stdevs=spread, **more,
    )  # fmt: skip
    return found


def smooth_grad(problem: Problem, steps: int, seed: int) -> Tensor:
    with seeded(seed):
        return _lengths(problem, _tunnel(problem, Saliency(problem.value), steps, abs=False))


def gradient_shap(problem: Problem, steps: int, seed: int) -> Tensor:
    # captum's GradientShap is this very pair, but asks for all samples at once
    with seeded(seed):
        found = _tunnel(
            problem, InputBaselineXGradient(problem.value), steps,
            baselines=problem.baseline, draw_baseline_from_distrib=True,
        )  # fmt: skip
    return _sums(problem, found)


# -- taking away -------------------------------------------------------------------------------------------------------


def _all(problem: Problem) -> Tensor:
    """(1, m): every unit is there. What captum varies here is which are."""
    return problem.x.new_ones(1, problem.n_units)


def _numbers(found: Tensor) -> Tensor:
    return found.detach().double().cpu().flatten()


@torch.no_grad()
def feature_ablation(problem: Problem, steps: int, seed: int) -> Tensor:
    return _numbers(FeatureAblation(problem.present).attribute(_all(problem), 0.0, perturbations_per_eval=problem.rows))


@torch.no_grad()
def occlusion(problem: Problem, steps: int, seed: int) -> Tensor:
    window = (min(steps, problem.n_units),)
    return _numbers(
        Occlusion(problem.present).attribute(
            _all(problem), window, baselines=0.0, perturbations_per_eval=problem.rows
        )
    )  # fmt: skip


@torch.no_grad()
def shapley(problem: Problem, steps: int, seed: int) -> Tensor:
    with seeded(seed):
        return _numbers(
            ShapleyValueSampling(problem.present).attribute(
                _all(problem), 0.0, n_samples=steps, perturbations_per_eval=problem.rows
            )
        )


class _Linear(Surrogate):  # type: ignore[misc]  # captum has no types
    """A weighted linear fit with an intercept, in float64; penalty: on the squares of the coefficients."""

    def __init__(self, penalty: float) -> None:
        self.penalty = penalty

    def fit(self, train_data: Any, **kwargs: object) -> None:
        """train_data: one batch of (presence, value, weight)."""
        ((x, y, weight),) = [[part.double() for part in batch] for batch in train_data]
        design = torch.cat([x, torch.ones(len(x), 1, dtype=torch.float64)], 1) * weight.sqrt()[:, None]
        wanted = y * weight.sqrt()
        if self.penalty:
            pull = self.penalty**0.5 * torch.eye(design.shape[1], dtype=torch.float64)[:-1]
            design, wanted = torch.cat([design, pull]), torch.cat([wanted, wanted.new_zeros(len(pull))])
        self.solution = torch.linalg.lstsq(design, wanted[:, None], driver="gelsd").solution[:, 0]

    def representation(self) -> Tensor:
        """The coefficients, without the intercept."""
        coefficients: Tensor = self.solution[None, :-1]
        return coefficients

    def __call__(self, x: Any) -> Any:
        return x.double() @ self.solution[:-1] + self.solution[-1]


@torch.no_grad()
def kernel_shap(problem: Problem, steps: int, seed: int) -> Tensor:
    if problem.n_units == 1:  # the only Shapley value there is; captum's draw of coalitions has none to draw from
        low, high = problem.ends
        return torch.tensor([high - low], dtype=torch.float64)
    explainer = KernelShap(problem.present)
    explainer.interpretable_model, explainer.inf_weight = _Linear(0.0), 1e12
    with seeded(seed):
        return _numbers(explainer.attribute(_all(problem), 0.0, n_samples=steps, perturbations_per_eval=problem.rows))


@torch.no_grad()
def lime(problem: Problem, steps: int, seed: int) -> Tensor:
    kernel = get_exp_kernel_similarity_function("cosine", KERNEL_WIDTH)
    explainer = Lime(problem.present, _Linear(PENALTY), kernel)
    with seeded(seed):
        return _numbers(explainer.attribute(_all(problem), 0.0, n_samples=steps, perturbations_per_eval=problem.rows))


# -- attention ---------------------------------------------------------------------------------------------------------


def _weights(problem: Problem) -> tuple[list[Tensor], Tensor]:
    if problem.attention is None:
        raise ValueError("Attention can only be followed to one position of a text, from its words on.")
    layers, value = problem.attention()
    return [layer.attention for layer in layers if layer.attention is not None], value


def attention_rollout(problem: Problem, steps: int, seed: int) -> Tensor:
    weights, _ = _weights(problem)
    stacked = torch.cat([weight.detach() for weight in weights]).double().cpu()
    reached = rollout(Attention(stacked, ()))[-1, problem.reads]
    return problem.sums(reached[list(problem.places)])


def attention_x_gradient(problem: Problem, steps: int, seed: int) -> Tensor:
    weights, value = _weights(problem)
    slopes = torch.autograd.grad(value.sum(), weights)
    seq = weights[0].shape[-1]
    relevance = torch.eye(seq, dtype=torch.float64)
    for weight, slope in zip(weights, slopes, strict=True):
        step = (weight.detach() * slope).double().cpu()[0].clamp_min(0).mean(0)  # (query, key)
        relevance = relevance + step @ relevance
    return problem.sums(relevance[problem.reads, list(problem.places)])


METHODS: Mapping[str, Method] = {
    method.name: method
    for method in (
        Method(
            "integrated-gradients", "Integrated Gradients", "gradients",
            "The gradient, averaged on the way from the baseline to the text, times the way.",
            "Sundararajan et al. 2017, arXiv 1703.01365", integrated_gradients, lambda m, steps: 3 * steps,
            steps=50, complete=True,
        ),
        Method(
            "saliency", "Saliency", "gradients",
            "The length of the gradient: how much a small change of a word would change the answer.",
            "Simonyan et al. 2013, arXiv 1312.6034", saliency, lambda m, steps: 3, signed=False,
        ),
        Method(
            "input-x-gradient", "Input x Gradient", "gradients",
            "The gradient times the word's vector: what it would do to shrink the word a little.",
            "Shrikumar et al. 2016, arXiv 1605.01713", input_x_gradient, lambda m, steps: 3,
        ),
        Method(
            "gradient-shap", "GradientSHAP", "gradients",
            "Gradients at random points between baseline and text with a little noise, times the way.",
            "Erion et al. 2019, arXiv 1906.10670", gradient_shap, lambda m, steps: 3 * steps,
            steps=50, complete=True, random=True,
        ),
        Method(
            "smooth-grad", "SmoothGrad", "gradients",
            "Saliency of the mean gradient of noisy copies of the text.",
            "Smilkov et al. 2017, arXiv 1706.03825", smooth_grad, lambda m, steps: 3 * steps,
            steps=25, signed=False, random=True,
        ),
        Method(
            "feature-ablation", "Feature Ablation", "taking away",
            "By how much the answer falls when the word alone is taken away.",
            "Zeiler and Fergus 2013, arXiv 1311.2901", feature_ablation, lambda m, steps: m + 1,
        ),
        Method(
            "occlusion", "Occlusion over spans", "taking away",
            "By how much the answer falls when the word is taken away with its neighbours, mean over all spans.",
            "Zeiler and Fergus 2013, arXiv 1311.2901", occlusion, lambda m, steps: m + steps, steps=SPAN,
        ),
        Method(
            "shapley", "Shapley value sampling", "taking away",
            "What the word adds on average when words are put back one by one, in random orders.",
            "Castro et al. 2009; Strumbelj and Kononenko 2010", shapley, lambda m, steps: m * steps,
            steps=25, complete=True, random=True,
        ),
        Method(
            "kernel-shap", "KernelSHAP", "taking away",
            "Shapley values, by a weighted linear fit to texts with random words taken away.",
            "Lundberg and Lee 2017, arXiv 1705.07874", kernel_shap, lambda m, steps: steps,
            steps=200, complete=True, random=True,
        ),
        Method(
            "lime", "LIME", "taking away",
            "A linear fit to texts with random words taken away; those near the text count more.",
            "Ribeiro et al. 2016, arXiv 1602.04938", lime, lambda m, steps: steps, steps=200, random=True,
        ),
        Method(
            "attention-rollout", "Attention rollout", "attention",
            "How much of the word reaches the answer's position when attention is multiplied through the layers.",
            "Abnar and Zuidema 2020, arXiv 2005.00928", attention_rollout, lambda m, steps: 1, signed=False,
        ),
        Method(
            "attention-x-gradient", "Attention x gradient", "attention",
            "Rollout of what raises the answer alone: attention times its gradient, where that is positive.",
            "Chefer et al. 2021, arXiv 2103.15679", attention_x_gradient, lambda m, steps: 3, signed=False,
        ),
    )
}  # fmt: skip
"""Every method by name, in the order of the page."""
