"""Muon for the matrices of an encoder, AdamW for everything else, on any device.

Muon: Jordan et al. 2024 (kellerjordan.github.io/posts/muon), with the update scaled to the size of AdamW's as Liu et
al. 2025 (arXiv 2502.16982, section 2.2). torch.optim.Muon computes in bfloat16 on every processor, and most only
emulate it: there it is ten times slower than float32. Here matrices of one shape take their step together, in a type
that the device is fast at.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
NS_STEPS = 5
TABLES = ("embeddings.words.weight", "embeddings.positions.weight", "embeddings.types.weight")


@torch.no_grad()
def orthogonalised(matrices: Tensor) -> Tensor:
    """The nearest semi-orthogonal matrices, nearly: (n, rows, columns), by Newton-Schulz iteration of fifth order."""
    a, b, c = COEFFICIENTS
    dtype = torch.bfloat16 if matrices.is_cuda else torch.float32
    x = matrices.to(dtype)
    tall = x.shape[-2] > x.shape[-1]
    x = x.mT if tall else x
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(NS_STEPS):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    result: Tensor = (x.mT if tall else x).to(matrices.dtype)
    return result


class Muon(torch.optim.Optimizer):
    """Momentum, made orthogonal. params: matrices, that is tensors of two dimensions."""

    def __init__(
        self, params: Iterable[Tensor], *, lr: float, momentum: float = 0.95, weight_decay: float = 0.0
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One step for all matrices that have a gradient."""
        for group in self.param_groups:
            by_shape: dict[tuple[int, ...], list[Tensor]] = {}
            for parameter in group["params"]:
                if parameter.grad is not None:
                    by_shape.setdefault(tuple(parameter.shape), []).append(parameter)
            for shape, parameters in by_shape.items():
                gradients = torch.stack([parameter.grad for parameter in parameters])  # type: ignore[misc]
                averages = [self._momentum(parameter) for parameter in parameters]
                torch._foreach_lerp_(averages, list(gradients.unbind()), 1 - group["momentum"])
                nesterov = torch.lerp(gradients, torch.stack(averages), group["momentum"])
                updates = orthogonalised(nesterov)
                torch._foreach_mul_(parameters, 1 - group["lr"] * group["weight_decay"])
                scale = -group["lr"] * 0.2 * max(shape) ** 0.5
                torch._foreach_add_(parameters, list(updates.unbind()), alpha=scale)

    def _momentum(self, parameter: Tensor) -> Tensor:
        state = self.state[parameter]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(parameter)
        return state["momentum"]  # type: ignore[no-any-return]


class Optimizers:
    """AdamW alone, or Muon for the encoder's matrices and AdamW for the rest.

    rates: the rate of each, as given to `step`. Tables, biases and norms are not decayed: rows of rare words would
    shrink faster than they are taught.
    """

    def __init__(self, network: nn.Module, *, muon: bool, weight_decay: float) -> None:
        matrices: list[nn.Parameter] = []
        decayed: list[nn.Parameter] = []
        plain: list[nn.Parameter] = []
        for name, parameter in network.named_parameters():
            if not parameter.requires_grad:
                continue
            if parameter.ndim == 1 or name.endswith("bias") or name in TABLES:
                plain.append(parameter)
            elif muon and parameter.ndim == 2 and not name.startswith("masked_lm."):
                matrices.append(parameter)
            else:
                decayed.append(parameter)
        groups = [{"params": decayed, "weight_decay": weight_decay}, {"params": plain, "weight_decay": 0.0}]
        groups = [group for group in groups if group["params"]]
        self.all: list[torch.optim.Optimizer] = [
            torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.98), eps=1e-6, fused=True)
        ]
        if matrices:
            self.all.append(Muon(matrices, lr=1e-3, weight_decay=weight_decay))

    def step(self, rate: float) -> None:
        """Take a step at this learning rate, and forget the gradients."""
        for optimizer in self.all:
            for group in optimizer.param_groups:
                group["lr"] = rate
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

    def state_dict(self) -> list[dict[str, Any]]:
        """The state of each optimiser."""
        return [optimizer.state_dict() for optimizer in self.all]

    def load_state_dict(self, states: Sequence[dict[str, Any]]) -> None:
        """Take up saved states."""
        for optimizer, state in zip(self.all, states, strict=True):
            optimizer.load_state_dict(state)
