"""Where a network starts that is trained from nothing.

With BERT's own start a small model sits long where it knows only how frequent words are.
"""

from __future__ import annotations

import torch

from bortlab.models import Network
from bortlab.nn import MixedAttention, SelfAttention


@torch.no_grad()
def starting_point(network: Network, generator: torch.Generator) -> Network:
    """BERT's random start, sinusoidal positions, and mimetic attention (Trockman and Kolter 2023, section 4).

    Query and key start near 0.7 I, value near 0.5 I and the output near -0.5 I, as trained attention looks like. Mixed
    attention, whose maps are narrower than the layer, keeps random ones; there a span starts as the word itself.
    """
    network.initialise(generator)
    positions = network.embeddings.positions.weight
    count, width = positions.shape
    angles = torch.arange(count)[:, None] / 10_000 ** (torch.arange(0, width, 2)[None] / width)
    positions[:, 0::2] = angles.sin() * network.config.initializer_range
    positions[:, 1::2] = angles.cos()[:, : width // 2] * network.config.initializer_range
    for module in network.modules():
        if isinstance(module, SelfAttention):
            hidden = torch.eye(module.query.in_features)
            for linear, share in ((module.query, 0.7), (module.key, 0.7), (module.value, 0.5), (module.output, -0.5)):
                linear.weight += share * hidden
        elif isinstance(module, MixedAttention):
            module.span.depthwise.weight[:, 0, module.width // 2] += 1.0
    return network
