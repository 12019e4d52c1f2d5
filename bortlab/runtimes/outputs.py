"""What a network is given and what it gives, by the names that exported files and other libraries use for it.

Inside bortlab an output is called as in `TaskOutput`: "masked-lm", "sentence-order", "start" and so on, "hidden" and
"pooled" of an encoder alone. Outside it has the name that transformers' classes made known, which `published` gives.
"""

from __future__ import annotations

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
