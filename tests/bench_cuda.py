"""A GPU beside the processor, and beside transformers on the same GPU: `python -m tests.bench_cuda [--device cpu]`.

Networks of the published sizes with random weights, whole masked-LM forward: the largest difference of a logit to the
processor's in float32, and milliseconds by turns. `--device cpu` tries the program where there is no GPU.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from functools import partial
from statistics import median
from typing import Any

import torch

from bortlab.models import Family, Network
from bortlab.registry import find
from tests.bench import take_turns
from tests.bench_networks import random_ids, theirs

MODELS = ("albert-base-v2", "conv-bert-base", "bort", "bert-base-uncased")
SHAPES = ((1, 16), (1, 128), (8, 128), (1, 512), (32, 128))
DTYPES = (torch.float32, torch.float16, torch.bfloat16)
WARM_UP = 4


def peer(family: Family, network: Network) -> Any:
    """transformers' model with fused attention where it has that."""
    try:
        return theirs(family, network, "sdpa")
    except ValueError:  # ConvBERT has none
        return theirs(family, network, "eager")


def by_turns(calls: Mapping[str, Callable[[], Any]], turns: int) -> dict[str, list[float]]:
    """Milliseconds of each call with all that it makes the GPU do, once the GPU is warm."""

    def awaited(call: Callable[[], Any]) -> None:
        call()
        if torch.cuda.is_available():
            torch.cuda.synchronize()

    waiting = {name: partial(awaited, call) for name, call in calls.items()}
    take_turns(waiting, seconds=0, turns=WARM_UP, rest=0)
    return take_turns(waiting, seconds=0, turns=turns, rest=0)


def measure(key: str, device: str, turns: int) -> None:
    """Print a line for each precision and shape of one model."""
    family, checkpoint = find(key)
    assert checkpoint.config is not None
    network = family.network(checkpoint.config).eval().requires_grad_(False)
    network.initialise(torch.Generator().manual_seed(0))
    ids = random_ids(network, 2, 64)
    expected, other = network(ids), peer(family, network)
    for dtype in DTYPES:
        network.to(device, dtype)
        other.to(device, dtype)
        difference = (network(ids.to(device)).cpu().float() - expected).abs().max().item()
        print(f"{key} {str(dtype).removeprefix('torch.')}: logits within {difference:.1e} of the processor's")
        for batch, seq in SHAPES:
            x = random_ids(network, batch, seq).to(device)
            times = by_turns({"ours": lambda x=x: network(x), "theirs": lambda x=x: other(x).logits}, turns)
            (low, middle), (their_low, their_middle) = ((min(ms), median(ms)) for ms in times.values())
            print(
                f"  ({batch}, {seq}): {low:.2f} ms by {their_low:.2f} ms, {low / their_low:.2f}; "
                f"medians {middle / their_middle:.2f}",
                flush=True,
            )


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=MODELS)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--turns", type=int, default=15)
    options = parser.parse_args()
    torch.backends.cuda.matmul.allow_tf32 = False
    with torch.inference_mode():
        for key in options.models:
            measure(key, options.device, options.turns)


if __name__ == "__main__":
    main()
