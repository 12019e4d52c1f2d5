"""The methods, all of one signature: a problem in, a number for each of its units out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from bortlab.analysis.attribution import following, gradients, perturbation
from bortlab.analysis.attribution.problem import Problem

SPAN = 2
"""Units that occlusion takes away together."""

Kind = Literal["gradients", "perturbation", "attention"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """One way to say how much each unit contributes. run(problem, steps, seed) -> (units,), float64.

    summary: one sentence for the page. steps: points, samples or permutations unless told otherwise, 0 where it takes
    none. signed: can a unit count against the answer? complete: do the values promise to add up to the difference
    between text and baseline? random: does the result depend on a seed? cost: passes for so many units and steps,
    roughly; a pass there and back counts as three.
    """

    name: str
    title: str
    kind: Kind
    summary: str
    paper: str
    run: Callable[[Problem, int, int], Tensor]
    cost: Callable[[int, int], int]
    steps: int = 0
    signed: bool = True
    complete: bool = False
    random: bool = False

    def supports(self, problem: Problem) -> bool:
        """Can it be put to this problem?"""
        return self.kind != "attention" or problem.attention is not None


METHODS: Mapping[str, Method] = {
    method.name: method
    for method in (
        Method(
            name="integrated-gradients",
            title="Integrated Gradients",
            kind="gradients",
            summary="The gradient, averaged on the way from the baseline to the text, times their difference.",
            paper="Sundararajan et al. 2017, arXiv 1703.01365",
            run=gradients.integrated_gradients,
            cost=lambda m, steps: 3 * steps,
            steps=50,
            complete=True,
        ),
        Method(
            name="saliency",
            title="Saliency",
            kind="gradients",
            summary="The length of the gradient: how much a small change of the word would change the answer.",
            paper="Simonyan et al. 2013, arXiv 1312.6034",
            run=gradients.saliency,
            cost=lambda m, steps: 3,
            signed=False,
        ),
        Method(
            name="input-x-gradient",
            title="Input x Gradient",
            kind="gradients",
            summary="The gradient times the word's vector: a linear estimate of what removing the vector would change.",
            paper="Shrikumar et al. 2016, arXiv 1605.01713",
            run=gradients.input_x_gradient,
            cost=lambda m, steps: 3,
        ),
        Method(
            name="gradient-shap",
            title="GradientSHAP",
            kind="gradients",
            summary="Gradients at random points between baseline and text with a little noise, times the difference.",
            paper="Erion et al. 2019, arXiv 1906.10670",
            run=gradients.gradient_shap,
            cost=lambda m, steps: 3 * steps,
            steps=50,
            complete=True,
            random=True,
        ),
        Method(
            name="smooth-grad",
            title="SmoothGrad",
            kind="gradients",
            summary="Saliency, averaged over noisy copies of the text.",
            paper="Smilkov et al. 2017, arXiv 1706.03825",
            run=gradients.smooth_grad,
            cost=lambda m, steps: 3 * steps,
            steps=25,
            signed=False,
            random=True,
        ),
        Method(
            name="feature-ablation",
            title="Feature Ablation",
            kind="perturbation",
            summary="How much the answer falls when this word alone is taken away.",
            paper="Zeiler and Fergus 2013, arXiv 1311.2901",
            run=perturbation.feature_ablation,
            cost=lambda m, steps: m + 1,
        ),
        Method(
            name="occlusion",
            title="Occlusion over spans",
            kind="perturbation",
            summary="How much the answer falls when the word goes with its neighbours, averaged over all spans.",
            paper="Zeiler and Fergus 2013, arXiv 1311.2901",
            run=perturbation.occlusion,
            cost=lambda m, steps: m + steps,
            steps=SPAN,
        ),
        Method(
            name="shapley",
            title="Shapley value sampling",
            kind="perturbation",
            summary="What the word adds on average when words are put back one by one, in random orders.",
            paper="Castro et al. 2009; Strumbelj and Kononenko 2010",
            run=perturbation.shapley,
            cost=lambda m, steps: m * steps,
            steps=25,
            complete=True,
            random=True,
        ),
        Method(
            name="kernel-shap",
            title="KernelSHAP",
            kind="perturbation",
            summary="Shapley values, by a weighted linear fit to texts with random words taken away.",
            paper="Lundberg and Lee 2017, arXiv 1705.07874",
            run=perturbation.kernel_shap,
            cost=lambda m, steps: steps,
            steps=200,
            complete=True,
            random=True,
        ),
        Method(
            name="lime",
            title="LIME",
            kind="perturbation",
            summary="A linear fit to texts with random words taken away, in which those near the text weigh more.",
            paper="Ribeiro et al. 2016, arXiv 1602.04938",
            run=perturbation.lime,
            cost=lambda m, steps: steps,
            steps=200,
            random=True,
        ),
        Method(
            name="attention-rollout",
            title="Attention rollout",
            kind="attention",
            summary="How much of the word reaches the answer's position if attention is multiplied layer by layer.",
            paper="Abnar and Zuidema 2020, arXiv 2005.00928",
            run=following.attention_rollout,
            cost=lambda m, steps: 1,
            signed=False,
        ),
        Method(
            name="attention-x-gradient",
            title="Attention x gradient",
            kind="attention",
            summary="Rollout of attention times its gradient, where that is positive: only what raises the answer.",
            paper="Chefer et al. 2021, arXiv 2103.15679",
            run=following.attention_x_gradient,
            cost=lambda m, steps: 3,
            signed=False,
        ),
    )
}
"""Every method by name, in the order of the page."""


def import_captum() -> None:
    """Import what the methods compute with, which takes some tenths of a second, before the first of them is asked."""
    import captum.attr  # noqa: F401
