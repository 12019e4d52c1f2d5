"""Attribution by gradients, through captum.

Captum gets a pure function and never a module, so that its hooks have nothing to hold on to. It is imported where it
computes: it brings matplotlib, and pages that only name the methods must not wait for it.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from bortlab.analysis.attribution.problem import Problem
from bortlab.analysis.attribution.seeds import seeded

NOISE = 0.1
"""Noise of SmoothGrad and GradientSHAP, relative to the spread of the numbers in the vectors."""


def _input(problem: Problem) -> Tensor:
    """x as captum needs it: a tensor of its own that requires gradients."""
    return problem.x.detach().clone().requires_grad_()


def _sums(problem: Problem, vectors: Tensor) -> Tensor:
    """What each number of the vectors contributes (1, n, width) -> the sum for each unit (m,)."""
    return problem.sums(vectors.detach()[0].double().sum(-1))


def _lengths(problem: Problem, vectors: Tensor) -> Tensor:
    """Gradients (1, n, width) -> their lengths, the sum for each unit (m,)."""
    return problem.sums(vectors.detach()[0].double().norm(dim=-1))


def integrated_gradients(problem: Problem, steps: int, seed: int) -> Tensor:
    from captum.attr import IntegratedGradients

    products = IntegratedGradients(problem.value).attribute(
        _input(problem), problem.baseline, n_steps=steps, internal_batch_size=problem.rows
    )
    return _sums(problem, products)


def saliency(problem: Problem, steps: int, seed: int) -> Tensor:
    from captum.attr import Saliency

    return _lengths(problem, Saliency(problem.value).attribute(_input(problem), abs=False))


def input_x_gradient(problem: Problem, steps: int, seed: int) -> Tensor:
    from captum.attr import InputXGradient

    return _sums(problem, InputXGradient(problem.value).attribute(_input(problem)))


def _averaged(problem: Problem, method: Any, samples: int, **more: Any) -> Tensor:
    """The mean of a method's answers to noisy copies of the text."""
    from captum.attr import NoiseTunnel

    mean: Tensor = NoiseTunnel(method).attribute(
        _input(problem),
        nt_type="smoothgrad",
        nt_samples=samples,
        nt_samples_batch_size=min(samples, problem.rows),
        stdevs=NOISE * float(problem.x.std()),
        **more,
    )
    return mean


def smooth_grad(problem: Problem, steps: int, seed: int) -> Tensor:
    from captum.attr import Saliency

    with seeded(seed):
        return _lengths(problem, _averaged(problem, Saliency(problem.value), steps, abs=False))


def gradient_shap(problem: Problem, steps: int, seed: int) -> Tensor:
    from captum.attr._core.gradient_shap import InputBaselineXGradient

    # captum's GradientShap is this very pair, but computes all samples at once
    method = InputBaselineXGradient(problem.value)
    with seeded(seed):
        products = _averaged(problem, method, steps, baselines=problem.baseline, draw_baseline_from_distrib=True)
    return _sums(problem, products)
