"""Attribution by following attention from the words to the position that the answer is read from."""

from __future__ import annotations

import torch
from torch import Tensor

from bortlab.analysis.attention import Attention
from bortlab.analysis.attribution.problem import Problem
from bortlab.analysis.flow import rollout


def _weights(problem: Problem) -> tuple[list[Tensor], Tensor]:
    """The live attention weights of all layers (1, heads, query, key), and the value that came of them."""
    if problem.attention is None:
        raise ValueError("Attention can only be followed to one position of a text, from its words on.")
    layers, value = problem.attention()
    return [layer.attention for layer in layers if layer.attention is not None], value


def attention_rollout(problem: Problem, steps: int, seed: int) -> Tensor:
    weights, _ = _weights(problem)
    stacked = torch.cat([weight.detach() for weight in weights]).double().cpu()
    reach = rollout(Attention(stacked, ()))[-1, problem.reads]
    return problem.sums(reach[list(problem.places)])


def attention_x_gradient(problem: Problem, steps: int, seed: int) -> Tensor:
    weights, value = _weights(problem)
    slopes = torch.autograd.grad(value.sum(), weights)
    seq = weights[0].shape[-1]
    relevance = torch.eye(seq, dtype=torch.float64)
    for weight, slope in zip(weights, slopes, strict=True):
        step = (weight.detach() * slope).double().cpu()[0].clamp_min(0).mean(0)  # (query, key)
        relevance = relevance + step @ relevance
    return problem.sums(relevance[problem.reads, list(problem.places)])
