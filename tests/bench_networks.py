"""Whole masked-LM forward passes beside transformers and ONNX Runtime, with the same weights, float32.

Ours are torch as the lab computes, torch with packed weights, and ONNX Runtime on the lab's own graph; theirs are
transformers' models with eager and sdpa attention, and ONNX Runtime on what torch's exporter makes. All take turns in
one process, and their outputs are compared before anything is timed.
"""

from __future__ import annotations

import gc
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from torch import Tensor

from bortlab.checkpoint import published_names
from bortlab.models import Family, Network
from bortlab.nn import convolution
from bortlab.registry import find
from bortlab.runtimes.engines import ENGINES
from bortlab.runtimes.engines.program import Program
from tests.bench import SHAPES, Forward, How, Row, best, ratio, take_turns

EXACT = ("torch", "torch-packed", "onnx")
"""Engines of the lab that compute in float32, by their names in ENGINES."""
TORCH = EXACT[:2]
TRANSFORMERS = ("eager", "sdpa")
RUNTIME = ("onnx", "onnxruntime")
"""ONNX Runtime with the lab's graph, and with that of torch's exporter: the faster is the peer."""
TOLERANCE = 1e-4
"""Largest difference of a logit (of size about 1) to torch's. Rounding alone makes about 1e-6."""
SHORT = 16


def bars(family: str, pieces: int) -> tuple[float, float]:
    """The time of our faster torch by transformers' best, and by ONNX Runtime's, at most."""
    by_transformers = 0.7 if family == "convbert" else 0.8 if pieces <= SHORT else 0.95
    return by_transformers, 1.6 if pieces <= SHORT else 1.15


def bench_networks(key: str, how: How) -> Iterator[Row]:
    """One published architecture with random weights."""
    family, checkpoint = find(key)
    assert checkpoint.config is not None
    network = family.network(checkpoint.config).eval().requires_grad_(False)
    network.initialise(torch.Generator().manual_seed(0))
    yield from network_rows(key, family, network, SHAPES[: 2 if how.quick else None], how)


def random_ids(network: Network, batch: int, seq: int) -> Tensor:
    """Pieces of chance."""
    return torch.randint(0, network.config.vocab_size, (batch, seq), generator=torch.Generator().manual_seed(seq))


def network_rows(
    key: str, family: Family, network: Network, shapes: Sequence[tuple[int, int]], how: How
) -> Iterator[Row]:
    """A network against its peers, for each (batch, sequence): torch by both peers, and the fastest engine."""
    models, missing = {}, []
    for attention in TRANSFORMERS:
        try:
            models[attention] = theirs(family, network, attention)
        except ValueError as error:  # transformers: this architecture has no such attention
            missing.append(f"no {attention}: {str(error).splitlines()[0][:100]}")
    engines = opened(network)
    for batch, seq in shapes:
        ids = random_ids(network, batch, seq)
        with torch.inference_mode(False), torch.no_grad():
            runs, notes = contestants(network, engines, models, ids)
        with torch.inference_mode():
            ms = take_turns(runs, seconds=how.seconds, turns=3, clock=how.clock)
        name, (by_transformers, by_runtime) = f"{key} ({batch}, {seq})", bars(family.name, seq)
        peer = best(ms, TRANSFORMERS)
        yield compared("networks: torch by transformers", name, ms, TORCH, peer, by_transformers, (*missing, *notes))
        yield compared("networks: fastest exact engine by transformers", name, ms, EXACT, peer)
        if ms.keys() & set(RUNTIME):
            yield compared("networks: torch by ONNX Runtime", name, ms, TORCH, best(ms, RUNTIME), by_runtime)
        del runs
        gc.collect()


def compared(
    group: str,
    name: str,
    ms: Mapping[str, Sequence[float]],
    ours: Sequence[str],
    peer: str,
    bar: float | None = None,
    notes: tuple[str, ...] = (),
) -> Row:
    """The fastest of ours by a peer, with the times of everybody where there are notes on them, else of these two."""
    fastest = best(ms, ours)
    shown = ms if bar is not None and peer in TRANSFORMERS else {fastest: ms[fastest], peer: ms[peer]}
    return Row(group, name, shown, peer, ratio(ms, fastest, peer), bar, notes, ours=fastest)


# -- who takes part ----------------------------------------------------------------------------------------------------


def opened(network: Network) -> dict[str, Program]:
    """The lab's exact engines that are installed."""
    with torch.inference_mode(False), torch.no_grad():
        return {
            name: ENGINES[name].open(network, torch.get_num_threads()) for name in EXACT if not ENGINES[name].missing()
        }


def theirs(family: Family, network: Network, attention: str) -> Any:
    """transformers' model with our network's very tensors."""
    import transformers

    settings = network.config.to_dict()
    config = transformers.CONFIG_MAPPING[settings.pop("model_type")](**settings)
    architecture = getattr(transformers, family.architecture)
    model = architecture._from_config(config, attn_implementation=attention, dtype=torch.float32)
    names = published_names(family, network)
    state = {names[ours]: tensor for ours, tensor in network.state_dict().items()}
    missing, unexpected = model.load_state_dict(state, strict=False, assign=True)
    model.tie_weights()
    if unexpected or not set(missing) <= set(family.tied):
        raise ValueError(f"{family.title}: weights do not fit transformers' model: {missing}, {unexpected}")
    return model.eval()


def onnx_session(network: Network, ids: Tensor) -> Any:
    """Our network in ONNX Runtime by torch's exporter, for one shape of ids. The file is gone when this returns."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    # Its threads would wait actively for a tenth of a second after a run, and who comes next would take 10 ms longer.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    options.intra_op_num_threads, options.inter_op_num_threads = torch.get_num_threads(), 1
    # ONNX knows neither oneDNN's product nor torch's strided windows: both have a path beside them that it knows.
    plain = torch.backends.mkldnn.flags(enabled=False), mock.patch.object(convolution, "WINDOW_LIMIT", 0)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder, "network.onnx")
        with torch.no_grad(), plain[0], plain[1]:
            names = {"input_names": ["ids"], "output_names": ["logits"]}
            torch.onnx.export(network, (ids,), str(path), dynamo=False, opset_version=17, **names)
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def contestants(
    network: Network, engines: Mapping[str, Program], models: Mapping[str, Any], ids: Tensor
) -> tuple[dict[str, Forward], list[str]]:
    """Everyone who can run, and notes on who cannot, or gives other numbers."""
    mask, types = torch.ones_like(ids), torch.zeros_like(ids)
    runs: dict[str, Forward] = {}
    for name, program in engines.items():
        runs[name] = lambda program=program: program.score(program.encode(ids, mask, types))["masked-lm"]  # type: ignore[misc]
    for name, model in models.items():
        runs[name] = lambda model=model: model(ids).logits  # type: ignore[misc]
    notes = []
    try:
        session, feed = onnx_session(network, ids), {"ids": ids.numpy()}
        runs["onnxruntime"] = lambda: session.run(None, feed)[0]
    except Exception as error:  # a peer may fail in any way it likes; the bench goes on without it
        notes.append(f"no onnxruntime: {type(error).__name__}: {str(error).splitlines()[0][:100]}")
    expected = network(ids)
    for name in list(runs):
        difference = (torch.as_tensor(runs[name]()) - expected).abs().max().item()
        if not difference <= TOLERANCE:
            notes.append(f"{name} left out: its logits differ by {difference:.1e}")
            del runs[name]
    return runs, notes
