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


def weights_fingerprint(network: Network) -> str:
    """16 letters that change when a weight changes, whatever else is recorded about it."""
    return _digest("", network.state_dict().items())


def _digest(about: object, tensors: Iterable[tuple[str, Tensor]]) -> str:
    """16 letters of a hash of hashes of parts of the tensors: every core takes its share."""

    def hashed(part: Tensor) -> bytes:
        numbers: Any = part.cpu().contiguous().view(torch.uint8).numpy()
        return hashlib.sha256(numbers).digest()  # other threads run meanwhile

    named = [(f"{name} {tensor.dtype} {tuple(tensor.shape)}", tensor) for name, tensor in tensors]
    parts = (part for _, tensor in named for part in torch.split(tensor.detach().reshape(-1), HASHED))
    digest = hashlib.sha256(repr((about, [name for name, _ in named])).encode(errors="surrogatepass"))
    with ThreadPoolExecutor(max_workers=min(4, cores())) as pool:
        for content in pool.map(hashed, parts):
            digest.update(content)
    return digest.hexdigest()[:16]
