"""What a network is given and what it gives, by the names that exported files and other libraries use for it.

Inside bortlab an output is called as in `TaskOutput`: "masked-lm", "sentence-order", "start" and so on, "hidden" and
"pooled" of an encoder alone. Outside it has the name that transformers' classes made known, which `published` gives.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from bortlab.models import SPANS, Network

INPUTS = ("input_ids", "attention_mask", "token_type_ids")
"""Whole numbers (batch, seq), for multiple choice (batch, choices, seq). attention_mask: 0 where a piece is padding."""


def published(network: Network) -> dict[str, str]:
    """Our name -> the published name, for each output of a network, in order."""
    task = network.task
    if task == "encoder":
        return {"hidden": "last_hidden_state"} | ({"pooled": "pooler_output"} if network.pooler is not None else {})
    if task == "pre-training":
        return {"masked-lm": "prediction_logits", "sentence-order": network.order_output}
    if task == "question-answering":
        return {name: f"{name}_logits" for name in SPANS}
    return {task: "logits"}


def outputs(network: Network, ids: Tensor, mask: Tensor | None, type_ids: Tensor | None) -> dict[str, Tensor]:
    """All outputs of a network by our names, computed by torch: (batch, seq) in, (batch, choices, seq) for choices."""
    if network.task != "encoder":
        return dict(network.solve(ids, mask, type_ids).logits)
    hidden = network.encode(network.embed(ids), type_ids, mask).hidden
    return {"hidden": hidden} | ({"pooled": network.pooler(hidden)} if network.pooler is not None else {})


def main_output(task: str, values: Mapping[str, Tensor]) -> Tensor:
    """The outputs as one tensor, as the head itself gives it: of spans (batch, seq, 2), else the first of `published`.

    So for masked words what `network(ids, mask, type_ids)` gives: logits (batch, seq, vocab).
    """
    if task == "question-answering":
        return torch.stack([values[name] for name in SPANS], dim=-1)
    return next(iter(values.values()))
