"""Short hashes of models: the same for the same weights, sizes and vocabulary."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from torch import Tensor

from bortlab.models import Family, Network
from bortlab.system.machine import cores
from bortlab.text import Tokenizer

HASHED = 2**22
"""Numbers that are hashed at a time."""


def fingerprint_of(family: Family, network: Network, tokenizer: Tokenizer, heads: Mapping[str, str]) -> str:
    """16 letters that change when a weight, the configuration, the vocabulary or a provenance changes."""
    config = json.dumps(network.config.to_dict(), sort_keys=True, default=str)
    about = (family.name, network.task, config, tokenizer.pair_format, tokenizer.definition, sorted(heads.items()))
    return _digest(about, network.state_dict().items())


def encoder_fingerprint(family: Family, network: Network, tokenizer: Tokenizer) -> str:
    """16 letters that change when the encoder, its sizes or the vocabulary change, whatever stands on the encoder.

    The same in float32 and float64.
    """
    config = network.config
    sizes = {key: value for key, value in config.to_dict().items() if key not in config.extra}
    blocks = dict(zip(config.blocks, map(network.block, range(config.depth)), strict=True))
    modules = [network.embeddings, *(blocks[number] for number in range(config.n_blocks))]
    order = [1 + number for number in config.blocks]
    about = (family.name, json.dumps(sizes, sort_keys=True), tokenizer.definition, order)
    tensors = (
        (f"{number} {name}", tensor)
        for number, module in enumerate(modules)
        for name, tensor in module.state_dict().items()
    )
    return _digest(about, tensors, torch.float32)


def _digest(about: object, tensors: Iterable[tuple[str, Tensor]], dtype: torch.dtype | None = None) -> str:
    """16 letters of a hash of hashes of parts of the tensors, as `dtype`: every core takes its share."""

    def hashed(part: Tensor) -> bytes:
        numbers: Any = part.to("cpu", dtype).contiguous().view(torch.uint8).numpy()
        return hashlib.sha256(numbers).digest()  # other threads run meanwhile

    named = [(f"{name} {dtype or tensor.dtype} {tuple(tensor.shape)}", tensor) for name, tensor in tensors]
    parts = (part for _, tensor in named for part in torch.split(tensor.detach().reshape(-1), HASHED))
    digest = hashlib.sha256(repr((about, [name for name, _ in named])).encode(errors="surrogatepass"))
    with ThreadPoolExecutor(max_workers=min(4, cores())) as pool:
        for content in pool.map(hashed, parts):
            digest.update(content)
    return digest.hexdigest()[:16]
