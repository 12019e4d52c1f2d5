"""What can be timed: a network of a real size on some device, in some precision, run by some program.

`RUNTIMES` is the registry of programs. Each is a function that takes a network and one batch and gives back what to
call; another (JAX, TensorFlow) is a function and a line. Whatever it computes is compared with torch in float32 before
anything is timed.
"""

from __future__ import annotations

import copy
import functools
import importlib.util
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn

from bortlab import registry
from bortlab.analysis.flops import activations, work
from bortlab.checkpoint import meta_network
from bortlab.models import Config, ConfigError, Family, Network
from bortlab.nn import convolution
from bortlab.nn.linear import Linear

OUTPUTS: Mapping[str, str] = {
    "encoder": "Encoder: vectors of all pieces",
    "masked-lm": "With masked-LM head: scores of the vocabulary at every position",
}
DTYPES: Mapping[str, torch.dtype] = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
    "int8": torch.float32,
}
"""Precisions, and the type of the tensors. int8: weights of linear maps in 8 bits, what flows between in float32."""
TOLERANCES: Mapping[str, float] = {"float32": 1e-3, "bfloat16": 0.3, "float16": 0.1, "int8": 0.5}
"""Largest difference to torch in float32, as a share of the largest output, before a runtime counts as wrong."""
MATMUL = "matmul"
"""A "model" that is one matrix product: the most arithmetic that the machine gives a network, the roof."""
MATMUL_SIZE: Mapping[str, int] = {"cpu": 1024, "cuda": 8192, "mps": 4096}
VARIANTS: Mapping[str, tuple[str, str]] = {
    "bort:hidden_size=768,intermediate_size=1024": ("Bort, 768 wide", "the sizes that the published 56 M fit"),
}
"""Architectures nobody released that are worth timing: title, and why."""
PROCESS_BYTES = 250_000_000
"""Memory of a process that has imported torch."""


class UnsupportedError(ValueError):
    """A combination that cannot be run; the message says why, and what can."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contestant:
    """One network, ready to be timed at several shapes.

    model: a key of the catalogue, where one likes with other sizes: "bort:hidden_size=768,intermediate_size=1024".
    Bundled minis have their own weights, everything else random ones: values do not change the time. threads: of the
    CPU, also where an accelerator computes.
    """

    model: str
    output: str = "encoder"
    threads: int = 1
    device: str = "cpu"
    dtype: str = "float32"
    runtime: str = "fused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case(Contestant):
    """A contestant at one shape: batch sequences of seq pieces, none of them padding."""

    batch: int = 1
    seq: int = 128

    @property
    def contestant(self) -> Contestant:
        """Without the shape."""
        return Contestant(**{entry.name: getattr(self, entry.name) for entry in fields(Contestant)})

    @property
    def scenario(self) -> str:
        """As MLPerf names it: one at a time, how long does each take; or all there at once, how many a second."""
        return "single stream" if self.batch == 1 else "offline"

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


# -- architectures -----------------------------------------------------------------------------------------------------


def architecture(model: str) -> tuple[Family, Config]:
    """The family and sizes that a model's name stands for; ValueError says what is wrong with it."""
    key, _, changes = model.partition(":")
    family, config = registry.architecture(key)
    if not changes:
        return family, config
    types = {entry.name: str(entry.type) for entry in fields(config)}
    values: dict[str, Any] = {}
    for change in changes.split(","):
        name, _, value = change.partition("=")
        if types.get(name) != "int" or not value.isdecimal() or len(value) > 9:
            raise ConfigError(f"{model[:200]!r}: expected sizes as hidden_size=768, got {change[:80]!r}.")
        values[name] = int(value)
    return family, replace(config, **values)


def title(model: str) -> str:
    """What people call it."""
    if model == MATMUL:
        return "One matrix product"
    if model in VARIANTS:
        return VARIANTS[model][0]
    key, _, changes = model.partition(":")
    said = registry.find(key)[1].title
    return f"{said} ({changes})" if changes else said


def shape(case: Case) -> str:
    """Batch and sequence, as "8 × 128"."""
    return f"{case.batch} × {case.seq}"


def family_name(model: str) -> str:
    """The name of its family."""
    return registry.find(model.partition(":")[0])[0].name


@functools.lru_cache(maxsize=256)
def n_parameters(model: str, output: str) -> int:
    """Weights, each counted once."""
    if model == MATMUL:
        return 0
    return sum(parameter.numel() for parameter in _meta(model, output).parameters())


@functools.lru_cache(maxsize=1024)
def flops(model: str, output: str, batch: int, seq: int) -> int:
    """Floating-point operations of the matrix products and convolutions of one forward."""
    if model == MATMUL:
        return 2 * batch * seq * seq
    _, config = architecture(model)
    return work(config, () if output == "encoder" else (output,), batch=batch, seq=seq).flops


def _meta(model: str, output: str) -> Network:
    family, config = architecture(model)
    return meta_network(family, config, _task(output))


def _task(output: str) -> str:
    return "masked-lm" if output == "masked-lm" else "encoder"


# -- what cannot be run ------------------------------------------------------------------------------------------------


def devices() -> list[str]:
    """Devices that are here."""
    found = ["cpu", *(f"cuda:{number}" if number else "cuda" for number in range(torch.cuda.device_count()))]
    return [*found, *(["mps"] if torch.backends.mps.is_available() else [])]


def check(case: Case) -> None:
    """UnsupportedError (or another ValueError) for what cannot be run, before anything is built."""
    check_contestant(case.contestant)
    for name, most in (("batch", 65_536), ("seq", 65_536)):
        value = getattr(case, name)
        if not 1 <= value <= most:
            raise UnsupportedError(f"{name}: expected a whole number from 1 to {most:,}, got {value!r}.")
    if case.model != MATMUL:
        longest = architecture(case.model)[1].max_position_embeddings
        if case.seq > longest:
            raise UnsupportedError(
                f"{title(case.model)} has {longest} positions, so {case.seq:,} pieces in a row cannot be read: take at "
                f"most {longest}, in batches."
            )


def check_contestant(who: Contestant) -> None:
    """The part of `check` that holds for every shape."""
    if who.model != MATMUL:
        architecture(who.model)
        _meta(who.model, who.output)
    for name, value, known in (
        ("output", who.output, OUTPUTS),
        ("dtype", who.dtype, DTYPES),
        ("runtime", who.runtime, RUNTIMES),
    ):
        if value not in known:
            raise UnsupportedError(f"Unknown {name} {str(value)[:80]!r}. Known: {', '.join(known)}.")
    if not 1 <= who.threads <= 1024:
        raise UnsupportedError(f"threads: expected 1 to 1024, got {who.threads!r}.")
    if who.device not in devices():
        raise UnsupportedError(f"There is no {who.device[:40]} here. Devices: {', '.join(devices())}.")
    kind = who.device.partition(":")[0]
    runtime = RUNTIMES[who.runtime]
    if kind not in runtime.devices:
        raise UnsupportedError(f"{runtime.title} runs on {' and '.join(runtime.devices)} here, not on {kind}.")
    if who.dtype not in runtime.dtypes:
        raise UnsupportedError(f"{runtime.title} is timed in {' and '.join(runtime.dtypes)} here, not in {who.dtype}.")
    if who.dtype == "float16" and kind == "cpu":
        raise UnsupportedError("float16 is for GPUs: processors compute it in float32. Take bfloat16 or int8 on a CPU.")
    if who.dtype == "int8" and kind != "cpu":
        raise UnsupportedError("Dynamic int8 runs on CPUs only. Take float16 or bfloat16 on a GPU.")
    if said := runtime.missing():
        raise UnsupportedError(said)


@functools.lru_cache(maxsize=1024)
def needed_bytes(who: Contestant, shapes: tuple[tuple[int, int], ...]) -> tuple[int, int]:
    """Memory in bytes: what stays (a process and the weights), and what the largest forward takes beside it."""
    if who.model == MATMUL:
        return PROCESS_BYTES + max(4 * seq * seq for _, seq in shapes), max(8 * b * seq for b, seq in shapes)
    family, config = architecture(who.model)
    dtype, runtime = DTYPES[who.dtype], RUNTIMES[who.runtime]
    weights = n_parameters(who.model, who.output) * (4 + (0 if who.dtype == "float32" else dtype.itemsize))
    if who.runtime == "onnx":
        weights *= 1 + 2 * len(shapes)  # exported, and packed, for each shape
    task = _task(who.output)
    forwards = [
        activations(family, config, task, batch=batch, seq=seq, dtype=dtype, explicit=runtime.explicit).peak
        for batch, seq in shapes
    ]
    return PROCESS_BYTES + weights, max(forwards)


# -- networks ----------------------------------------------------------------------------------------------------------


class Timed(nn.Module):
    """What is timed: ids (batch, seq) -> vectors of all pieces, or their scores over the vocabulary.

    explicit: attention probabilities are formed, layer by layer, as to be looked at; otherwise torch's fused kernel.
    """

    def __init__(self, network: Network, output: str, *, explicit: bool = False) -> None:
        super().__init__()
        self.network, self.output, self.explicit = network, output, explicit

    def forward(self, ids: Tensor) -> Tensor:
        """One forward."""
        network = self.network
        words = network.embed(ids)
        if self.explicit:
            hidden = network.embeddings(words, None)
            for layer in network.steps(hidden, explicit=True):
                hidden = layer.hidden
        else:
            hidden = network.encode(words).hidden
        return network.predict(hidden) if self.output == "masked-lm" else hidden


class Product(nn.Module):
    """One matrix product, through the linear map that the networks use."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.linear = Linear(size, size)

    def forward(self, x: Tensor) -> Tensor:
        """(rows, size) -> (rows, size)."""
        return self.linear(x)  # type: ignore[no-any-return]


def build(who: Contestant, shapes: tuple[tuple[int, int], ...]) -> nn.Module:
    """The network in float32 on the CPU: the reference that every runtime starts from and is compared with."""
    if who.model == MATMUL:
        return Product(shapes[0][1]).eval().requires_grad_(False)
    family, config = architecture(who.model)
    if registry.find(who.model.partition(":")[0])[1].source == "bundled" and ":" not in who.model:
        network = registry.load(who.model, head="published").network
    else:
        network = family.network(config, _task(who.output)).initialise(torch.Generator().manual_seed(0))
    return Timed(network, who.output, explicit=RUNTIMES[who.runtime].explicit).eval().requires_grad_(False)


def example(who: Contestant, shape: tuple[int, int]) -> Tensor:
    """A batch of that shape: random pieces, the same every time; rows of random numbers for the matrix product."""
    batch, seq = shape
    generator = torch.Generator().manual_seed(batch * 65_537 + seq)
    if who.model == MATMUL:
        return torch.randn(batch, seq, generator=generator)
    return torch.randint(0, architecture(who.model)[1].vocab_size, shape, generator=generator)


def converted(module: nn.Module, who: Contestant) -> nn.Module:
    """The network on its device, in its precision."""
    if who.dtype == "int8":
        return _int8(module)
    if who.dtype != "float32" or who.device != "cpu":
        module = copy.deepcopy(module).to(device=who.device, dtype=DTYPES[who.dtype])
    return module


def _int8(module: nn.Module) -> nn.Module:
    """A copy whose linear maps keep their weights in 8 bits, and round what comes in for each product."""
    module = copy.deepcopy(module)
    for part in module.modules():
        if isinstance(part, Linear):
            part.__class__ = nn.Linear  # type: ignore[assignment]  # torch converts its own class and no heir of it
    try:
        from torch.ao.quantization import quantize_dynamic
    except ImportError:
        raise UnsupportedError(f"torch {torch.__version__} has no dynamic int8. Take bfloat16.") from None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch moves it to a package of its own
        return quantize_dynamic(module, {nn.Linear}, dtype=torch.qint8)  # type: ignore[no-any-return, no-untyped-call]


# -- runtimes ----------------------------------------------------------------------------------------------------------

Forward = Callable[[], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """A program that runs networks. prepare(module, input): what to call. missing(): why it cannot be used, or ""."""

    title: str
    about: str
    prepare: Callable[[nn.Module, Tensor], Forward]
    explicit: bool = False
    devices: tuple[str, ...] = ("cpu", "cuda", "mps")
    dtypes: tuple[str, ...] = tuple(DTYPES)
    missing: Callable[[], str] = lambda: ""


def _torch(module: nn.Module, x: Tensor) -> Forward:
    def forward() -> Tensor:
        with torch.inference_mode():
            return module(x)  # type: ignore[no-any-return]

    return forward


def _compiled(module: nn.Module, x: Tensor) -> Forward:
    compiled = torch.compile(module, dynamic=False)

    def forward() -> Tensor:
        with torch.no_grad():
            return compiled(x)  # type: ignore[no-any-return]

    return forward


def _no_compiler() -> str:
    if sys.platform != "win32" and not any(map(shutil.which, ("c++", "g++", "clang++"))):
        return "torch.compile needs a C++ compiler, and there is none here: install g++ or clang."
    return ""


def _onnx(module: nn.Module, x: Tensor) -> Forward:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = torch.get_num_threads(), 1
    # As torch's threads do here: those that wait leave their core to the next contestant.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # ONNX knows neither oneDNN's product nor torch's strided windows: both have a path beside them that it knows.
    plain = torch.backends.mkldnn.flags(enabled=False), mock.patch.object(convolution, "WINDOW_LIMIT", 0)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder, "network.onnx")
        with torch.no_grad(), plain[0], plain[1]:
            names = {"input_names": ["x"], "output_names": ["y"]}
            torch.onnx.export(module, (x,), str(path), dynamo=False, opset_version=17, **names)  # type: ignore[arg-type]
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    feed = {"x": x.numpy()}
    return lambda: session.run(None, feed)[0]


def _no_onnx() -> str:
    lacking = [name for name in ("onnx", "onnxruntime") if importlib.util.find_spec(name) is None]
    return f"ONNX Runtime is not installed here: pip install {' '.join(lacking)}, then try again." if lacking else ""


RUNTIMES: Mapping[str, Runtime] = {
    "fused": Runtime(
        title="torch, fused attention", about="scaled_dot_product_attention: no probabilities in memory", prepare=_torch
    ),
    "eager": Runtime(
        title="torch, eager attention",
        about="probabilities written out, as when they are looked at",
        prepare=_torch,
        explicit=True,
    ),
    "compile": Runtime(
        title="torch.compile",
        about="compiled for each shape beforehand; compiling is not timed",
        prepare=_compiled,
        devices=("cpu", "cuda"),
        dtypes=("float32", "bfloat16", "float16"),
        missing=_no_compiler,
    ),
    "onnx": Runtime(
        title="ONNX Runtime",
        about="exported for each shape beforehand, with packed weights",
        prepare=_onnx,
        devices=("cpu",),
        dtypes=("float32",),
        missing=_no_onnx,
    ),
}
"""The programs that run networks, by name."""
