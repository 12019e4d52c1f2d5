"""Work and memory of a pass: equal to what torch counts itself, and to what is allocated when a network really runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from bortlab import registry
from bortlab.analysis import flops
from bortlab.checkpoint import meta_network
from bortlab.models import FAMILIES, Config, Family, Network
from bortlab.nn.convolution import WINDOW_LIMIT

each_family = pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
TinyConfig = Callable[..., Config]
Make = Callable[..., Network]


def counted(network: Network, batch: int, seq: int) -> int:
    """Multiply-adds by torch's own counter, which sees no dynamic convolution by taps, and none of oneDNN's products.

    Neither is used for what is so small, or on the meta device.
    """
    device = network.embeddings.words.weight.device
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        ids = torch.zeros(batch, seq, dtype=torch.long, device=device)
        network.score(network.encode(network.embed(ids), keep_layers=True).hidden)
    total: int = counter.get_total_flops()
    assert total % 2 == 0
    return total // 2


@pytest.mark.parametrize(("batch", "seq"), [(1, 1), (1, 9), (3, 4)])
@each_family
def test_work_is_what_torch_counts(family: Family, batch: int, seq: int, tiny_config: TinyConfig, build: Make) -> None:
    assert batch * seq <= WINDOW_LIMIT  # where the dynamic convolution is a product that torch counts
    for task in family.tasks:
        config = tiny_config(family)
        network = build(family, config, task)
        if task == "encoder" and network.pooler is not None:
            continue  # an encoder alone scores nothing, so its pooler does not run
        work = flops.work(config, family.network.tasks[task], batch=batch, seq=seq)
        assert work.macs == counted(network, batch, seq), task
        assert work.flops == 2 * work.macs and work.macs_per_piece == work.macs / (batch * seq)


@pytest.mark.parametrize("key", ["albert-base-v2", "conv-bert-medium-small", "conv-bert-base", "bort"])
def test_work_of_real_sizes(key: str) -> None:
    family, config = registry.architecture(key)
    work = flops.work(config, family.network.tasks["masked-lm"], batch=2, seq=6)
    assert work.macs == counted(meta_network(family, config), 2, 6)


def test_a_shape_that_does_not_fit_is_explained() -> None:
    family, config = registry.architecture("bort")
    for seq in (0, 513):
        with pytest.raises(ValueError, match=r"positions for 1 to 512"):
            flops.work(config, seq=seq)
        with pytest.raises(ValueError, match=r"positions for 1 to 512"):
            flops.activations(family, config, seq=seq)
    with pytest.raises(ValueError, match="batch: expected 1 to 65,536 texts, got 0"):
        flops.work(config, batch=0)


# -- memory ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("explicit", [False, True], ids=["fused", "explicit"])
@each_family
def test_memory_is_what_a_real_run_allocates(
    family: Family, explicit: bool, tiny_config: TinyConfig, build: Make
) -> None:
    """Of any depth, though only two layers are run; the meta device gives what the CPU gives, to the byte."""
    config = tiny_config(family, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, num_hidden_layers=5)
    network = build(family, config)
    ids = torch.zeros(2, 12, dtype=torch.long)
    expected = flops.activations(family, config, batch=2, seq=12, explicit=explicit)
    with torch.no_grad(), flops.Memory() as memory:
        flops._run(network, ids, explicit)
    if explicit:
        assert expected.peak == memory.peak
    else:  # torch's fused kernel gives a number a row too
        assert expected.peak <= memory.peak <= expected.peak + 4 * ids.numel() * config.num_attention_heads
        with torch.no_grad(), flops.Memory() as whole:
            network(ids)
        assert whole.peak == memory.peak
    assert expected.kept == flops._kept(network.train(), ids, explicit)[-1]


def test_memory_agrees_with_torchs_profiler(tiny_config: TinyConfig, build: Make) -> None:
    family = FAMILIES["bert"]
    config = tiny_config(family, hidden_size=64, intermediate_size=256, num_hidden_layers=2)
    network, ids = build(family, config), torch.zeros(4, 12, dtype=torch.long)
    with torch.no_grad(), profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        flops._run(network, ids, False)
    now = peak = 0
    for event in profiler.profiler.kineto_results.events():
        if event.name() == "[memory]":
            now += event.nbytes()
            peak = max(peak, now)
    assert flops.activations(family, config, batch=4, seq=12).peak == pytest.approx(peak, rel=0.05)


def test_attentions_square_is_seen_where_it_is_formed() -> None:
    family, config = registry.architecture("bert-base-uncased")
    fused, explicit = (
        flops.activations(family, config, "encoder", seq=512, explicit=explicit) for explicit in (False, True)
    )
    square = 12 * 512 * 512 * 4
    assert explicit.peak - fused.peak > square
    assert explicit.kept - fused.kept > 11 * square
    half = flops.activations(family, config, "encoder", seq=512, dtype=torch.bfloat16)
    assert half.peak == fused.peak // 2


def test_a_depth_of_one_is_its_own() -> None:
    family, config = registry.architecture("bort")
    one, two, three = (flops.activations(family, replace(config, num_hidden_layers=n)).kept for n in (1, 2, 3))
    assert two - one == three - two > 0
