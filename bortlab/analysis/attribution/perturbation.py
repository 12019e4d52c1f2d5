"""Attribution by taking words away, through captum.

Captum gets a pure function of which words are there, and never a module. It is imported where it computes: it brings
matplotlib, and pages that only name the methods must not wait for it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from bortlab.analysis.attribution.problem import Problem
from bortlab.analysis.attribution.seeds import seeded

KERNEL_WIDTH = 0.25
"""How fast LIME's weight of a sample falls with what it lacks (cosine distance), as in its authors' code for text."""
PENALTY = 0.01
"""Of LIME's fit, on the squares of its coefficients."""


def _all(problem: Problem) -> Tensor:
    """(1, m): every unit is there. What captum varies is which of them are."""
    return problem.x.new_ones(1, problem.n_units)


def _flat(values: Tensor) -> Tensor:
    """captum's (1, m) -> (m,), float64."""
    return values.detach().double().cpu().flatten()


@torch.no_grad()
def feature_ablation(problem: Problem, steps: int, seed: int) -> Tensor:
    from captum.attr import FeatureAblation

    return _flat(FeatureAblation(problem.present).attribute(_all(problem), 0.0, perturbations_per_eval=problem.rows))


@torch.no_grad()
def occlusion(problem: Problem, steps: int, seed: int) -> Tensor:
    from captum.attr import Occlusion

    span = (min(steps, problem.n_units),)
    occlusion = Occlusion(problem.present)
    return _flat(occlusion.attribute(_all(problem), span, baselines=0.0, perturbations_per_eval=problem.rows))


@torch.no_grad()
def shapley(problem: Problem, steps: int, seed: int) -> Tensor:
    from captum.attr import ShapleyValueSampling

    sampling = ShapleyValueSampling(problem.present)
    with seeded(seed):
        return _flat(sampling.attribute(_all(problem), 0.0, n_samples=steps, perturbations_per_eval=problem.rows))


class _Linear:
    """A weighted linear fit with an intercept, in float64; penalty: on the squares of the coefficients."""

    def __init__(self, penalty: float) -> None:
        self.penalty = penalty

    def fit(self, train_data: Any, **kwargs: object) -> None:
        """train_data: one batch of (presence, value, weight)."""
        ((x, y, weight),) = [[part.double() for part in batch] for batch in train_data]
        design = torch.cat([x, torch.ones(len(x), 1, dtype=torch.float64)], 1) * weight.sqrt()[:, None]
        targets = y * weight.sqrt()
        if self.penalty:
            pull = self.penalty**0.5 * torch.eye(design.shape[1], dtype=torch.float64)[:-1]
            design, targets = torch.cat([design, pull]), torch.cat([targets, targets.new_zeros(len(pull))])
        self.solution = torch.linalg.lstsq(design, targets[:, None], driver="gelsd").solution[:, 0]

    def representation(self) -> Tensor:
        """The coefficients, without the intercept."""
        coefficients: Tensor = self.solution[None, :-1]
        return coefficients

    def __call__(self, x: Any) -> Any:
        return x.double() @ self.solution[:-1] + self.solution[-1]


@torch.no_grad()
def kernel_shap(problem: Problem, steps: int, seed: int) -> Tensor:
    from captum.attr import KernelShap

    if problem.n_units == 1:  # the only Shapley value there is; captum's draw of coalitions has none to draw from
        low, high = problem.ends
        return torch.tensor([high - low], dtype=torch.float64)
    explainer = KernelShap(problem.present)
    explainer.interpretable_model, explainer.inf_weight = _Linear(0.0), 1e12
    with seeded(seed):
        return _flat(explainer.attribute(_all(problem), 0.0, n_samples=steps, perturbations_per_eval=problem.rows))


@torch.no_grad()
def lime(problem: Problem, steps: int, seed: int) -> Tensor:
    from captum.attr import Lime
    from captum.attr._core.lime import get_exp_kernel_similarity_function

    kernel = get_exp_kernel_similarity_function("cosine", KERNEL_WIDTH)
    explainer = Lime(problem.present, _Linear(PENALTY), kernel)
    with seeded(seed):
        return _flat(explainer.attribute(_all(problem), 0.0, n_samples=steps, perturbations_per_eval=problem.rows))
