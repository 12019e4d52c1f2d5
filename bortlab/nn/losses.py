"""How far a task's scores are from its labels. What is left out, and what is averaged, is as in transformers."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

PROBLEM_TYPES = ("regression", "single_label_classification", "multi_label_classification")
"""What the labels of a whole text are: numbers, one of several classes, or any number of them."""


def choice_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy: logits (..., classes), labels (...) whole numbers. A label of -100 is left out."""
    return F.cross_entropy(logits.flatten(0, -2), labels.flatten())


def label_loss(logits: Tensor, labels: Tensor, problem_type: str | None) -> Tensor:
    """logits (batch, classes), labels: (batch) classes, (batch, classes) of 0 and 1, or numbers, by the problem's type.

    Without a type, one output is a regression, whole numbers are single labels, and others are multiple ones.
    """
    if problem_type is None:
        whole = labels.dtype in (torch.int64, torch.int32)
        problem_type = PROBLEM_TYPES[0 if logits.shape[-1] == 1 else 1 if whole else 2]
    if problem_type == "single_label_classification":
        return choice_loss(logits, labels)
    targets = labels.to(logits.dtype).view_as(logits)
    if problem_type == "regression":
        return F.mse_loss(logits, targets)
    return F.binary_cross_entropy_with_logits(logits, targets)


def span_loss(logits: Tensor, positions: Tensor) -> Tensor:
    """Mean cross-entropy of where a span starts, or ends: logits (batch, seq), positions (batch).

    Positions are clamped to 0 and seq; seq, where a span lies beyond what was read, is left out.
    """
    beyond = logits.shape[-1]
    return F.cross_entropy(logits, positions.flatten().clamp(0, beyond), ignore_index=beyond)
