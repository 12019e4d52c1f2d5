"""The network that a fine-tuning starts from: the encoder of a loaded model, with a fresh head for the task."""

from __future__ import annotations

from dataclasses import replace

import torch

from bortlab.data.labelled import LabelledData
from bortlab.model import Model
from bortlab.models import HEADS, Network
from bortlab.training.finetune.recipe import FinetuneRecipe

ONE_NUMBER = ("value",)
"""The name of a regression's output."""
_HEAD_TENSORS = tuple(f"{attribute}." for attribute in HEADS.values())


def starting_network(base: Model, data: LabelledData, recipe: FinetuneRecipe) -> Network:
    """A new network in float32 for the task: the encoder, its pooler if it was trained, and a head of random weights.

    The model itself stays as it is. Raises ValueError for a task that the family does not have.
    """
    family = base.family
    if data.task not in family.tasks:
        raise ValueError(f"{family.title} has no task {data.task!r}. It has: {', '.join(family.tasks)}.")
    config = replace(
        base.config,
        labels=data.labels or ONE_NUMBER,
        problem_type=data.problem_type,
        hidden_dropout_prob=recipe.dropout,
        attention_probs_dropout_prob=recipe.dropout,
        classifier_dropout=None,
        extra={},
    )
    network = family.network(config, data.task).initialise(torch.Generator().manual_seed(recipe.seed))
    own = network.state_dict()
    kept = {
        name: tensor.float()
        for name, tensor in base.network.state_dict().items()
        if name in own and (not name.startswith(_HEAD_TENSORS) or _is_trained_pooler(name, base))
    }
    network.load_state_dict({**own, **kept})
    return network


def _is_trained_pooler(name: str, base: Model) -> bool:
    return name.startswith("pooler.") and base.heads.get("pooler") == "trained"


def parameter_groups(network: Network, recipe: FinetuneRecipe) -> list[dict[str, object]]:
    """The parameters that learn, as AdamW takes them, each group with its share of the rate ("share").

    The head learns at `head_rate` times the rate, a layer at `layer_decay` of the rate of the one above it, the
    embeddings as one more layer below; a shared block counts as its last use. Biases and norms are not decayed. Raises
    ValueError for layers that cannot be frozen.
    """
    config = network.config
    depth = {config.block_of(layer): layer for layer in range(config.depth)}  # the last use of each stored block
    first = {config.block_of(layer): layer for layer in reversed(range(config.depth))}
    for block, layer in first.items():
        if layer < recipe.frozen_layers <= depth[block]:
            raise ValueError(
                f"frozen_layers={recipe.frozen_layers}: layers {layer + 1} to {depth[block] + 1} share one block, so "
                f"they are frozen together or not at all."
            )
    layer_of = {
        id(parameter): layer for block, layer in depth.items() for parameter in network.block(layer).parameters()
    }
    groups: dict[tuple[int, bool], list[torch.nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        below = 0 if name.startswith(_HEAD_TENSORS) else config.depth - layer_of.get(id(parameter), -1)
        frozen = below > 0 and config.depth - below < recipe.frozen_layers  # the embeddings are layer -1
        if not parameter.requires_grad or frozen:
            parameter.requires_grad_(False)
            continue
        decays = parameter.ndim > 1
        groups.setdefault((below, decays), []).append(parameter)
    return [
        {
            "params": parameters,
            "share": recipe.layer_decay**below if below else recipe.head_rate,
            "weight_decay": recipe.weight_decay if decays else 0.0,
        }
        for (below, decays), parameters in groups.items()
    ]
