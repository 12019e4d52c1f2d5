"""Speed, measured: `make bench`, or `python -m tests.bench`; --help lists its options.

Networks of real sizes with random weights against transformers and ONNX Runtime with the same weights
(`bench_networks`): float32, whole masked-LM forward, two threads. All contestants take turns in one process, and a
ratio is the median over turns of one contestant's time by another's in the same turn, so that what else the machine
does falls on all of them; the ratio of the shortest times stands beside it. Where other programs take the processor all
the time, two threads that wait for each other say little: --busy counts the processor time of a single one.

Other benchmarks: the time to import bortlab (beside torch's), to fill a blank, to attribute by Integrated
Gradients (beside captum on transformers), dynamic convolution by itself, and what
bortlab.analysis.latency says of a forward beside an independent timing of it, and what it adds to one.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import itertools
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

import torch
import torch.nn.functional as F
from torch import Tensor

import bortlab
from bortlab.nn import convolution
from bortlab.system import settings
from bortlab.system.machine import processor

ROOT = Path(__file__).parent.parent
THREADS = 2
SHAPES = ((1, 16), (1, 128), (8, 128), (1, 512))
NETWORKS = ("albert-base-v2", "conv-bert-base", "conv-bert-medium-small", "bort", "bert-base-uncased")
LOADED = ("albert-base-v2", "conv-bert-base", "bort")
MINIS = ("albert-mini", "convbert-mini", "bort-mini")
TEXTS = (
    "Paris is the [MASK] of France.",
    "The doctor told her to [MASK] more water and to [MASK] every day.",
    "In 1969 the first [MASK] walked on the moon.",
)
REST_S = 0.02
"""Pause before each turn: a pool of threads that waits actively goes to sleep and leaves its core to the next one."""

Forward = Callable[[], Any]


@dataclass(frozen=True)
class How:
    """quick: fewer shapes and turns. busy: one thread, its processor time in place of wall time. seconds: for a row."""

    quick: bool = False
    busy: bool = False
    seconds: float = 6.0

    @property
    def clock(self) -> Callable[[], float]:
        """Seconds."""
        return time.thread_time if self.busy else time.perf_counter


# -- numbers -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """One comparison. ms: contestant -> times by turn; ratio: ours by `against`; met: None where there is no bar.

    ours: which contestant that is, where both are contestants.
    """

    group: str
    name: str
    ms: Mapping[str, Sequence[float]]
    against: str
    ratio: float
    bar: float | None = None
    notes: tuple[str, ...] = ()
    load: float = field(default_factory=lambda: os.getloadavg()[0])
    ours: str = "ours"

    @property
    def met(self) -> bool | None:
        """Whether the ratio is within the bar."""
        return None if self.bar is None else self.ratio <= self.bar

    @property
    def of_minima(self) -> float | None:
        """Our shortest time by that of `against`; None where one of them is no contestant."""
        if not {self.ours, self.against} <= self.ms.keys():
            return None
        return min(self.ms[self.ours]) / min(self.ms[self.against])


def ratio(ms: Mapping[str, Sequence[float]], one: str, other: str) -> float:
    """Median over turns of one contestant's time by another's in the same turn."""
    return median(a / b for a, b in zip(ms[one], ms[other], strict=True))


def best(ms: Mapping[str, Sequence[float]], among: Sequence[str]) -> str:
    """The contestant with the least median."""
    return min((name for name in among if name in ms), key=lambda name: median(ms[name]))


def take_turns(
    contestants: Mapping[str, Forward],
    *,
    seconds: float,
    turns: int,
    rest: float = REST_S,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Milliseconds of each contestant by turn: at least `turns` turns, and as many as `seconds` hold.

    Each runs once unmeasured, and every turn starts with another one, so that nobody always follows the same.
    """
    names = list(contestants)
    for run in contestants.values():
        run()
    ms: dict[str, list[float]] = {name: [] for name in names}
    end = time.perf_counter() + seconds
    for turn in itertools.count():
        if turn >= turns and time.perf_counter() > end:
            return ms
        shift = turn % len(names)
        for name in names[shift:] + names[:shift]:
            time.sleep(rest)
            start = clock()
            contestants[name]()
            ms[name].append(1e3 * (clock() - start))
    raise AssertionError


def table(rows: Sequence[Row]) -> str:
    """The rows of one group as text: least and median milliseconds of everyone, the ratios, the bar, the load."""
    names = list(dict.fromkeys(name for row in rows for name in row.ms))
    head = [name if name.endswith("MB") else f"{name}, ms" for name in names]
    lines = [["", *head, "ratio", "of minima", "bar", "", "load"]]
    for row in rows:
        times = [f"{min(row.ms[name]):.2f} / {median(row.ms[name]):.2f}" if name in row.ms else "-" for name in names]
        of_minima = "-" if row.of_minima is None else f"{row.of_minima:.2f}"
        bar = "" if row.bar is None else f"{row.bar:g}"
        met = {None: "", True: "met", False: "MISSED"}[row.met]
        lines.append([row.name, *times, f"{row.ratio:.2f}", of_minima, bar, met, f"{row.load:.1f}"])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text = ["  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    of = {note: [row.name for row in rows if note in row.notes] for row in rows for note in row.notes}
    notes = [f"  {note}" if len(of[note]) == len(rows) else f"  {', '.join(of[note])}: {note}" for note in of]
    return "\n".join([rows[0].group, *text, *notes])


# -- networks ----------------------------------------------------------------------------------------------------------


def bench_network(key: str, how: How) -> Iterator[Row]:
    """One published architecture with random weights beside transformers and ONNX Runtime."""
    from tests import bench_networks  # here: it imports this module

    yield from bench_networks.bench_networks(key, how)


# -- convolution, blanks, imports --------------------------------------------------------------------------------------


def by_unfold(values: Tensor, kernels: Tensor) -> Tensor:
    """Dynamic convolution as published: columns of all windows are written out, then one product a position."""
    batch, seq, heads, size = values.shape
    width = kernels.shape[-1]
    columns = F.unfold(values.flatten(2).transpose(1, 2).unsqueeze(-1), [width, 1], padding=[width // 2, 0])
    spans = columns.transpose(1, 2).reshape(batch * seq * heads, size, width)
    return (spans @ kernels.reshape(-1, width, 1)).view(batch, seq, heads, size)


def bench_convolution(how: How, *, heads: int = 6, size: int = 64, width: int = 9) -> Iterator[Row]:
    """Dynamic convolution of ConvBERT-base: both of our ways, the choice between them, and unfold."""
    edge = (0, 0, 0, 0, width // 2, width // 2)
    for batch, seq in ((1, 4), (1, 8), (1, 32), *SHAPES):
        generator = torch.Generator().manual_seed(seq)
        values = torch.randn(batch, seq, heads, size, generator=generator)
        kernels = torch.randn(batch, seq, heads, width, generator=generator).softmax(-1)

        def repeat(run: Callable[[], Tensor]) -> Forward:
            return lambda: [run() for _ in range(10)]

        runs = {
            "ours": lambda values=values, kernels=kernels: convolution.dynamic_convolution(values, kernels),
            "window": lambda values=values, kernels=kernels: convolution.by_window(F.pad(values, edge), kernels),
            "taps": lambda values=values, kernels=kernels: convolution.by_taps(F.pad(values, edge), kernels),
            "unfold": lambda values=values, kernels=kernels: by_unfold(values, kernels),
        }
        for run in runs.values():
            torch.testing.assert_close(run(), runs["unfold"](), rtol=0, atol=1e-5)
        with torch.inference_mode():
            ms = take_turns(
                {name: repeat(run) for name, run in runs.items()},
                seconds=how.seconds / 10,
                turns=3,
                rest=0.002,
                clock=how.clock,
            )
        ms = {name: [time / 10 for time in times] for name, times in ms.items()}
        yield Row(
            "dynamic convolution, ratio to unfold", f"({batch}, {seq})", ms, "unfold", ratio(ms, "ours", "unfold")
        )


@contextmanager
def threads(number: int) -> Iterator[None]:
    """torch with a number of threads, for a while."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def bench_fill_mask(how: How) -> Iterator[Row]:
    """Milliseconds to fill the blanks of a text, one thread; the ratio is of all minis together to 60 ms."""
    runs: dict[str, Forward] = {}
    notes = []
    for key in MINIS:
        try:
            model = bortlab.load(key)
        except Exception as error:
            notes.append(f"no {key}: {str(error).splitlines()[0][:100]}")
            continue
        runs[key] = lambda model=model: [model.fill_mask(text) for text in TEXTS]  # type: ignore[misc]
    if not runs:
        return
    with threads(1):
        ms = take_turns(runs, seconds=how.seconds, turns=5, clock=how.clock)
    ms = {key: [time / len(TEXTS) for time in times] for key, times in ms.items()}
    together = [sum(turn) for turn in zip(*ms.values(), strict=True)]
    group = "fill_mask of a short text, one thread; together, by 60 ms"
    yield Row(group, "minis", {**ms, "together": together}, "60 ms", median(together) / 60, 1.0, tuple(notes))


def bench_attribution(how: How) -> Iterator[Row]:
    """Integrated Gradients, 50 steps, of a real ALBERT-base's word in a text of 32 pieces, completeness checked.

    The peer is captum's LayerIntegratedGradients on the word table of transformers' model with the same weights, all
    steps at once, as is its usual, or in parts as large as ours; the faster counts. Both explain one logit.
    """
    from captum.attr import LayerIntegratedGradients

    from bortlab.analysis import attribution
    from tests import bench_networks  # here: it imports this module

    key, pieces, steps = "albert-base-v2", 32, 50
    model = bortlab.load(key, weights="random", seed=0)
    encoding = model.encode("river bank " * pieces)
    kept = slice(0, pieces - 2)  # of 30 pieces and two of the template
    text = "[MASK] " + "".join(encoding.source(n) for n in range(len(encoding))[kept])
    while len(encoding := model.encode(text)) > pieces:
        text = text[:-1]
    target = attribution.token(model, encoding, scale="logit")
    ids = torch.tensor([encoding.ids])
    baseline = ids.clone()
    baseline[0, attribution.varied(encoding)] = model.tokenizer.mask_id

    def ours() -> Tensor:
        return attribution.attribute(model, encoding, target, by="pieces", steps=steps).values

    runs: dict[str, Forward] = {"ours": ours}
    peer = bench_networks.theirs(model.family, model.network, "sdpa").requires_grad_(False)

    def answer(ids: Tensor) -> Tensor:
        return peer(ids).logits[:, target.position, target.option]

    explain = LayerIntegratedGradients(answer, peer.get_input_embeddings())
    for size in (None, attribution.of_text(model, encoding, target)[0].rows):

        def captum(size: int | None = size) -> Tensor:
            return explain.attribute(ids, baseline, n_steps=steps, internal_batch_size=size).sum(-1)[0]

        runs[f"captum, {size or 'all'} at once"] = captum
    expected = ours()
    for run in runs.values():
        torch.testing.assert_close(run().double(), expected, rtol=1e-2, atol=1e-3 * float(expected.abs().max()))
    ms = take_turns(runs, seconds=how.seconds, turns=1 if how.quick else 3, clock=how.clock)
    against = best(ms, [name for name in runs if name != "ours"])
    bortlab.registry.unload(model.key)
    group = "Integrated Gradients, 50 steps"
    yield Row(group, f"{key}, {len(encoding)} pieces", ms, against, ratio(ms, "ours", against), 0.8)


def bench_import(how: How) -> Iterator[Row]:
    """Fresh processes that import bortlab and ask it for `load`, which is when it imports torch, or torch alone."""
    code = "import time; t = time.perf_counter(); import {}; print(1e3 * (time.perf_counter() - t))"
    ms: dict[str, list[float]] = {"bortlab": [], "torch": []}
    for turn in range(4 if how.quick else 12):
        for name, times in ms.items():
            command = [sys.executable, "-c", code.format("bortlab; bortlab.load" if name == "bortlab" else name)]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
            if turn:  # the first turn fills the disk's cache
                times.append(float(done.stdout))
    yield Row("import in a fresh process", "import", ms, "torch", ratio(ms, "bortlab", "torch"), 1.3)


def bench_loading(how: How) -> Iterator[Row]:
    """A folder of random weights of real size, read by us and by transformers, with the file in the disk's cache.

    transformers maps the file and reads nothing of it before the first forward, so that a file which is cut later kills
    the process. We read and check all of it: so the honest peer is their first answer, and loading alone has no bar.
    """
    from transformers import AutoModelForMaskedLM, AutoTokenizer  # here: it is slow, and other benches need it less

    for key in LOADED:
        with tempfile.TemporaryDirectory() as folder:
            name = save_random(key, folder)

            def load(folder: str = folder, name: str = name) -> None:
                bortlab.registry.unload(bortlab.load_from(folder, family=name).key)

            def filled(folder: str = folder, name: str = name) -> None:
                model = bortlab.load_from(folder, family=name)
                model.fill_mask(TEXTS[0])
                bortlab.registry.unload(model.key)

            def mapped(folder: str = folder) -> Any:
                return AutoModelForMaskedLM.from_pretrained(folder)

            def answered(folder: str = folder) -> None:
                with torch.inference_mode():
                    words = AutoTokenizer.from_pretrained(folder)(TEXTS[0], return_tensors="pt")
                    mapped(folder)(**words)

            ms = take_turns(
                {"ours": load, "ours, answer": filled, "from_pretrained": mapped, "theirs, answer": answered},
                seconds=how.seconds,
                turns=5,
                clock=time.process_time if how.busy else how.clock,  # the weights are read by threads of their own
            )
        yield Row("loading", key, ms, "from_pretrained", ratio(ms, "ours", "from_pretrained"), None)
        to_answer = ratio(ms, "ours, answer", "theirs, answer")
        yield Row("loading", f"{key}, to an answer", ms, "theirs, answer", to_answer, 1.2, ours="ours, answer")


def bench_loading_memory(how: How) -> Iterator[Row]:
    """By how much a fresh process grows, at most, while it loads a folder, by the size of the weights' file."""
    for key in LOADED:
        with tempfile.TemporaryDirectory() as folder:
            family = save_random(key, folder)
            code = [sys.executable, "-c", PEAK, folder, family]
            peak = int(subprocess.run(code, cwd=ROOT, capture_output=True, text=True, check=True).stdout) / 1e6
            file = (Path(folder) / "model.safetensors").stat().st_size / 1e6
        yield Row("memory of loading", key, {"peak, MB": [peak], "file, MB": [file]}, "the file", peak / file, 1.3)


def save_random(key: str, folder: str) -> str:
    """Random weights of a real size as a folder; their family."""
    model = bortlab.load(key, weights="random", seed=0)
    model.save(folder)
    bortlab.registry.unload(model.key)
    return model.family.name


PEAK = """
import re, sys
import bortlab
bortlab.load("bort-mini")  # what every model needs once is here
def size(what):
    return 1024 * int(re.search(what + r":\\s+(\\d+)", open("/proc/self/status").read())[1])
open("/proc/self/clear_refs", "w").write("5")  # the peak begins anew
before = size("VmRSS")
bortlab.load_from(sys.argv[1], family=sys.argv[2])
print(size("VmHWM") - before)
"""
"""Bytes that a process grows by, at most, while it loads a folder. Linux alone can say that."""


def bench_harness(how: How) -> Iterator[Row]:
    """The lab's own timing of forwards: beside torch.utils.benchmark's of the same, and what it adds to 10 ms.

    Both time the same forward by turns, in this process. The ratio of medians may be off by 5%, either way.
    """
    from torch.utils.benchmark import Timer

    from bortlab.analysis.latency.worker import Worker

    with latency_worker(Worker, "bort", (1, 16)) as held:
        forward = held._forwards[1, 16]
        timer = Timer("forward()", globals={"forward": forward}, num_threads=torch.get_num_threads())
        ms: dict[str, list[float]] = {"bortlab": [], "torch.utils.benchmark": []}
        for _ in range(10 if how.quick else 40):
            ms["bortlab"].append(median(held.run((1, 16), 5)["ms"]))
            ms["torch.utils.benchmark"].append(1e3 * timer.timeit(5).median)
        agreement = ratio(ms, "bortlab", "torch.utils.benchmark")
        group = "the lab's timing, by torch.utils.benchmark's of the same forward, and what it adds to one of 10 ms"
        off = max(agreement, 1 / agreement)
        yield Row(group, "bort (1, 16)", ms, "torch.utils.benchmark", off, 1.05)

        held._forwards[1, 16] = lambda: None
        nothing = [time for _ in range(50) for time in held.run((1, 16), 25)["ms"]]
        overhead = {"overhead": nothing, "10 ms": [10.0] * len(nothing)}
        yield Row(group, "added", overhead, "10 ms", median(nothing) / 10, 0.01)


@contextmanager
def latency_worker(worker: Any, model: str, shape: tuple[int, int]) -> Iterator[Any]:
    """A warm contestant in this process, whose processors are its own again afterwards."""
    from bortlab.analysis.latency.cases import Contestant

    affinity = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    held = worker(Contestant(model=model, threads=torch.get_num_threads()), (shape,))
    held.warm(shape)
    try:
        yield held
    finally:
        if affinity is not None:
            os.sched_setaffinity(0, affinity)


# -- attention ---------------------------------------------------------------------------------------------------------

LONG_TEXT = "the doctor who treats the patient in the town is a man of the people and of the word ; " * 12


def words_for(model: Any, pieces: int) -> str:
    """A text that a model cuts into so many pieces, template included."""
    words = LONG_TEXT.split()
    return next(text for n in range(len(words), 0, -1) if len(model.encode(text := " ".join(words[:n]))) <= pieces)


def bench_trace(how: How) -> Iterator[Row]:
    """A trace with all layers kept and stacked, by the fused forward pass; 128 pieces."""
    for key in NETWORKS:
        model = bortlab.load(key, weights="random")
        text = words_for(model, 128)
        ids = torch.tensor([model.encode(text).ids])
        runs = {
            "trace": lambda model=model, text=text: model.trace(text).attention,
            "fused": lambda model=model, ids=ids: model.network(ids),
        }
        with torch.no_grad():
            ms = take_turns(runs, seconds=how.seconds, turns=5, clock=how.clock)
        yield Row(
            "trace with all layers kept", f"{key} (1, {ids.shape[1]})", ms, "fused", ratio(ms, "trace", "fused"), 1.5
        )
        bortlab.registry.unload(key)


def bench_views(how: How) -> Iterator[Row]:
    """What an update of the Attention page computes and sends, 12 x 12 heads and 64 pieces; the ratio is to 1 s."""
    from bortlab.analysis import attention, heads
    from bortlab.views import attention as draw
    from bortlab.views import bertviz
    from bortlab.views import heads as draw_heads
    from bortlab.views.theme import Look

    look: dict[str, Any] = {"look": Look("light"), "title": "bench"}
    colour = {"colour": "#2456c7", **look}
    model = bortlab.load("bert-base-uncased", weights="random")
    text = words_for(model, 64)

    def update(make: Callable[[attention.Attention], Sequence[Any]]) -> Forward:
        def run() -> int:
            views = make(attention.of_pieces(model.trace(text)))
            return sum(len(v.picture if isinstance(v.picture, str) else v.picture.to_json()) for v in views)

        return run

    def what_heads_do(weights: attention.Attention) -> Sequence[Any]:
        compared = heads.of(weights)
        return (
            draw_heads.measures(compared, **colour),
            draw_heads.likeness(compared, **colour),
            draw_heads.head_map(compared, **look),
        )

    runs = {
        "one head": update(lambda a: [draw.heat(a.mean(0), a.units, **colour)]),
        "all heads": update(lambda a: [draw_heads.thumbnails(a, heads.of(a), **colour)]),
        "what heads do": update(what_heads_do),
        "through": update(lambda a: [draw.through(a, 1, None, **colour)]),
        "bertviz": update(lambda a: [bertviz.model_view(a, **look)]),
    }
    with torch.no_grad():
        ms = take_turns(runs, seconds=how.seconds, turns=3, clock=how.clock)
    slowest = max(ms, key=lambda name: median(ms[name]))
    yield Row("update of the Attention page", "bert-base", ms, "1 s", median(ms[slowest]) / 1000, 1.0)


def bench_bertviz(how: How) -> Iterator[Row]:
    """Milliseconds until BertViz of 12 x 12 heads and 128 pieces is drawn in Chromium; the ratio is to 3 s."""
    from playwright.sync_api import sync_playwright

    from bortlab.analysis.attention import Attention, Unit
    from bortlab.views import bertviz
    from bortlab.views.theme import Look
    from tests import chromium

    weights = torch.randn(12, 12, 128, 128, generator=torch.Generator().manual_seed(0)).mul(2).softmax(-1)
    found = Attention(weights, tuple(Unit(f"piece{n}", ("piece", n), 0) for n in range(128)))
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path=chromium.find(), args=list(chromium.FLAGS))

        def drawn(name: str, document: str) -> Forward:
            path = Path(folder, f"{name}.html")
            path.write_text(document, encoding="utf-8")

            def run() -> None:
                page = browser.new_page()
                page.goto(path.as_uri())
                page.wait_for_selector("html[data-drawn=yes]", state="attached")
                page.close()

            return run

        views = {"head view": bertviz.head_view, "model view": bertviz.model_view}
        runs = {
            name: drawn(name, str(make(found, look=Look("light"), title="t").picture)) for name, make in views.items()
        }
        ms = take_turns(runs, seconds=how.seconds / 2, turns=3)  # another process draws: wall time
        browser.close()
    worst = max(median(times) for times in ms.values())
    yield Row("BertViz drawn in Chromium", "12 x 12 x 128", ms, "3 s", worst / 3000, 1.0)


def bench_start(how: How) -> Iterator[Row]:
    """From the server's start to a first prediction on a screen, step by step."""
    from tests import bench_start  # here: it imports this module

    yield from bench_start.bench_start(how)


def bench_finetune(how: How) -> Iterator[Row]:
    """An epoch of fine-tuning beside transformers' Trainer."""
    from tests import bench_finetune  # here: it imports this module

    yield from bench_finetune.bench_finetune(how)


# -- the run -----------------------------------------------------------------------------------------------------------

BENCHES: dict[str, Callable[..., Iterator[Row]]] = {
    **{key: lambda how, key=key: bench_network(key, how) for key in NETWORKS},
    "convolution": bench_convolution,
    "fill_mask": bench_fill_mask,
    "attribution": bench_attribution,
    "trace": bench_trace,
    "views": bench_views,
    "bertviz": bench_bertviz,
    "start": bench_start,
    "import": bench_import,
    "loading": bench_loading,
    "loading-memory": bench_loading_memory,
    "harness": bench_harness,
    "finetune": bench_finetune,
}


def machine() -> dict[str, Any]:
    """What the numbers depend on."""
    packages = ("torch", "transformers", "onnxruntime", "onnx")
    installed = {dist.metadata["Name"] for dist in importlib.metadata.distributions()}
    return {
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "versions": {name: importlib.metadata.version(name) for name in packages if name in installed},
        "load_average": os.getloadavg(),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benches, print their tables, write the JSON; 1 if a bar is missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer shapes and turns: an impression, not a result")
    parser.add_argument("--busy", action="store_true", help="one thread and its processor time: for a busy machine")
    parser.add_argument("--threads", type=int, help=f"of torch and ONNX Runtime ({THREADS}; with --busy one)")
    parser.add_argument("--only", nargs="+", choices=list(BENCHES), default=list(BENCHES), metavar="NAME")
    parser.add_argument("--json", type=Path, help="write all times here")
    options = parser.parse_args(arguments)
    if options.busy and (options.threads or 1) > 1:
        parser.error("--busy counts the processor time of one thread: leave --threads out.")
    how = How(options.quick, options.busy, seconds=1.0 if options.quick else 6.0)
    settings.take_huge_pages()  # as the lab does, and for all contestants alike
    with threads(options.threads or (1 if how.busy else THREADS)):
        about = machine() | {"clock": how.clock.__name__}
        print(json.dumps(about, indent=1), flush=True)
        rows: list[Row] = []
        for name in options.only:
            found = []
            for row in BENCHES[name](how):
                found.append(row)
                print(f"{row.name}: {row.ours} {row.ratio:.2f} of {row.against}", file=sys.stderr, flush=True)
            rows += found
            for group in dict.fromkeys(row.group for row in found):
                print(f"\n{table([row for row in found if row.group == group])}", flush=True)
    if options.json:
        about["load_average_after"] = os.getloadavg()
        records = [{**asdict(row), "met": row.met, "of_minima": row.of_minima} for row in rows]
        options.json.write_text(json.dumps({"machine": about, "rows": records}, indent=1) + "\n", encoding="utf-8")
    missed = [row.name for row in rows if row.met is False]
    print(f"\nMissed: {', '.join(missed)}." if missed else "\nAll bars met.")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
