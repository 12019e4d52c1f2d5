"""Checkpoint folders in Hugging Face layout: read with suspicion, load strictly, save.

A folder may come from anywhere, so nothing in it is trusted: only regular files inside it are opened, sizes are checked
before anything is built or read, no key of config.json and no pickle can run code, and whatever is wrong ends in a
`CheckpointError` that says what. Weights are read into memory of our own: a file that changes later changes nothing.
"""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import stat
import uuid
import zipfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from bortlab.models import FAMILIES, Config, ConfigError, Family, Network

if TYPE_CHECKING:
    from bortlab.tokenization import Tokenizer

MAX_PARAMETERS = 1_500_000_000
"""A network with more parameters than this is refused before it is built; the largest published one here has 0.34e9."""
MAX_CONFIG_BYTES = 100_000
MAX_HEADER_BYTES = 10_000_000
MAX_CONFIG_DEPTH = 20
SEED = 0
"""Seed of the weights that a head gets where a file has none for it."""

HEADS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "masked-lm": ("masked_lm", ("dense.weight", "dense.bias", "norm.weight", "norm.bias", "bias")),
    "pooler": ("pooler", ("dense.weight", "dense.bias")),
    "sentence-order": ("order", ("weight", "bias")),
}
"""Heads by name: the network's attribute and its tensors. A file may lack one, or have one too many."""

_DROPPED_KEYS = re.compile(
    r"auto_map|custom_pipelines|quantization_config|transformers_weights|.*implementation.*"  # may choose or run code
    r"|torch_dtype|dtype|tie_word_embeddings"  # say what one file was like, not what the model is
)
_FIXED_KEYS = {"is_decoder": False, "add_cross_attention": False, "position_embedding_type": "absolute"}
_FAMILY_KEY = "bortlab_family"
_BUFFERS = ("embeddings.position_ids", "embeddings.token_type_ids")
_LEGACY_SUFFIXES = {".gamma": ".weight", ".beta": ".bias"}


class CheckpointError(ValueError):
    """A folder that cannot be read as a checkpoint, or not be written. The message says what is wrong and where."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A network with its weights, and what the file said about them.

    network: in eval mode, on the CPU, no parameter wants a gradient.
    heads: for each head the network has ("masked-lm", "pooler", "sentence-order"), "trained" (it was in the file) or
        "random" (it was not, so it got random weights).
    missing: published names of the tensors that were given random weights for that reason.
    extra: names in the file that were not used: heads of other tasks, tied copies, buffers.
    """

    network: Network
    heads: dict[str, str]
    missing: tuple[str, ...]
    extra: tuple[str, ...]


# -- files and config.json ---------------------------------------------------------------------------------------------


def _file(folder: Path, name: str, limit: int | None = None) -> Path:
    """The real path of a regular file that lies in `folder`, links resolved; CheckpointError if it is anything else."""
    path = folder / name
    try:
        root, real = folder.resolve(strict=True), path.resolve(strict=True)
        about = real.stat()
    except (OSError, RuntimeError, ValueError) as error:  # RuntimeError: a loop of links; ValueError: a NUL in the name
        raise CheckpointError(f"Cannot open {path}: {error}.") from error
    roots = [root]
    if (
        root.parent.name == "snapshots"
    ):  # the Hugging Face cache keeps the files in "blobs": the repository's or its own
        roots += [root.parents[1] / "blobs", root.parents[2] / "blobs"]
    if not any(real.is_relative_to(allowed) for allowed in roots):
        raise CheckpointError(f"{path} is a link that leaves the folder, to {real}. Put the file itself there.")
    if not stat.S_ISREG(about.st_mode):
        raise CheckpointError(f"{path} is not a regular file.")
    if limit is not None and about.st_size > limit:
        raise CheckpointError(f"{path} has {about.st_size:,} bytes, expected at most {limit:,}.")
    return real


def _depth(value: object) -> int:
    """How deep objects and lists are nested."""
    if isinstance(value, dict | list):
        return 1 + max(map(_depth, value.values() if isinstance(value, dict) else value), default=0)
    return 0


def _finite_float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is not a finite number")
    return number


def _read_json(folder: Path, name: str, limit: int) -> dict[str, Any]:
    """The object in a JSON file, with bounded size and nesting and finite numbers."""
    path = _file(folder, name, limit)
    try:
        data = json.loads(path.read_bytes(), parse_float=_finite_float, parse_constant=_finite_float)
        deep = _depth(data) > MAX_CONFIG_DEPTH
    except RecursionError:
        deep = True
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} is not readable JSON: {error}.") from error
    if deep:
        raise CheckpointError(f"{path} is nested more than {MAX_CONFIG_DEPTH} levels deep: no checkpoint's file is.")
    if not isinstance(data, dict):
        raise CheckpointError(f"{path}: expected a JSON object, got a {type(data).__name__}.")
    return data


def read_config(folder: Path, family: str | None = None) -> tuple[Family, Config]:
    """Read folder/config.json: the family by its model_type, or the one named where the file cannot tell.

    A published Bort says model_type "bert": pass family="bort" for it. Keys that could choose or run code are dropped.
    Raises CheckpointError for a file that is unreadable, of an unknown or another family, or absurd in its sizes.
    """
    data = _read_json(folder, "config.json", MAX_CONFIG_BYTES)
    where = folder / "config.json"
    marked, model_type = data.pop(_FAMILY_KEY, None), data.get("model_type")
    known = ", ".join(FAMILIES)
    if family is not None and family not in FAMILIES:
        raise CheckpointError(f"Unknown family {family!r}. Known: {known}.")
    wanted = family or marked or model_type
    found = FAMILIES.get(wanted) if isinstance(wanted, str) else None
    if found is None:
        raise CheckpointError(f"{where}: unknown model_type {model_type!r}. Known: {known}; or say family=...")
    if model_type not in (None, found.name, found.config.model_type) or marked not in (None, found.name):
        says = marked or model_type
        raise CheckpointError(f"{where} is of family {says!r}, not {found.name!r}. Ask for the one it is, or for none.")
    for key, value in _FIXED_KEYS.items():
        if data.get(key) not in (None, value):
            raise CheckpointError(f"{where}: {key} is {data[key]!r}; only {value!r} is supported.")
    safe = {key: value for key, value in data.items() if not _DROPPED_KEYS.fullmatch(key)}
    try:
        return found, found.config.from_dict(safe)
    except ConfigError as error:
        raise CheckpointError(f"{where}: {error}") from error


# -- names -------------------------------------------------------------------------------------------------------------


def _publish(family: Family, name: str) -> str:
    """Our tensor name -> the published one."""
    for pattern, replacement in family.renames:
        name = re.sub(pattern, replacement, name)
    return name


def published_names(family: Family, network: Network) -> dict[str, str]:
    """Our name -> the published name, for each tensor of the network. No two share a published name."""
    names = {ours: _publish(family, ours) for ours in network.state_dict()}
    if len(set(names.values())) != len(names):
        raise CheckpointError(f"The renames of {family.title} give one name to several tensors: mend the family.")
    return names


def _canonical(family: Family, names: Iterable[str], known: Collection[str]) -> dict[str, str]:
    """Canonical published name -> name in the file, with prefix and today's suffixes if that makes it known."""
    canonical: dict[str, str] = {}
    for name in names:
        spelled = name
        for old, new in _LEGACY_SUFFIXES.items():
            spelled = spelled.removesuffix(old) + new if spelled.endswith(old) else spelled
        spelled = next((s for s in (spelled, family.prefix + spelled) if s in known), name)
        if spelled in canonical:
            raise CheckpointError(f"The file has {spelled} twice, as {canonical[spelled]} and as {name}.")
        canonical[spelled] = name
    return canonical


# -- weights -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Weights:
    """A file of weights, opened: the shape of each tensor, known before any is read, and a way to read one."""

    shapes: Mapping[str, tuple[int, ...]]
    read: Callable[[str], Tensor]


@contextmanager
def _open_safetensors(paths: Iterable[Path]) -> Iterator[_Weights]:
    """One or more safetensors files as one. backend="pread" copies: no page of the file stays mapped."""
    with ExitStack() as stack:
        shapes: dict[str, tuple[int, ...]] = {}
        holders: dict[str, Any] = {}
        for path in paths:
            with path.open("rb") as raw:
                header = int.from_bytes(raw.read(8), "little")
            if header > MAX_HEADER_BYTES:
                raise CheckpointError(f"{path}: a header of {header:,} bytes, expected at most {MAX_HEADER_BYTES:,}.")
            opened = stack.enter_context(safe_open(path, framework="pt", backend="pread"))
            for name in opened.keys():  # noqa: SIM118 - not a dict
                if name in shapes:
                    raise CheckpointError(f"{path}: tensor {name} stands in another file of the folder too.")
                shapes[name], holders[name] = tuple(opened.get_slice(name).get_shape()), opened
        yield _Weights(shapes, lambda name: holders[name].get_tensor(name))


@contextmanager
def _open_pickle(path: Path, limit: int) -> Iterator[_Weights]:
    """A pytorch_model.bin, by torch's weights-only reader, which builds tensors and calls nothing else."""
    size = path.stat().st_size
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            size = max(size, sum(member.file_size for member in members))
            if any(member.compress_type != zipfile.ZIP_STORED for member in members):
                raise CheckpointError(f"{path} is compressed inside, which torch never does. It was not read.")
    if size > limit:
        raise CheckpointError(f"{path} holds {size:,} bytes, expected at most {limit:,} for this configuration.")
    state = torch.load(path, map_location="cpu", weights_only=True, mmap=False)
    if not isinstance(state, dict):
        raise CheckpointError(f"{path}: expected a dictionary of tensors, got a {type(state).__name__}.")
    for name, tensor in state.items():
        plain = isinstance(tensor, Tensor) and tensor.layout == torch.strided and tensor.device.type == "cpu"
        if not (isinstance(name, str) and plain):
            raise CheckpointError(f"{path}: {name!r} is not an ordinary tensor.")
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    # contiguous() and clone(): the parts of one storage, or a view that repeats one number, become memory of their own.
    yield _Weights(shapes, lambda name: state.pop(name).detach().contiguous().clone())


def _shards(folder: Path) -> list[Path]:
    """The files that model.safetensors.index.json lists."""
    index = "model.safetensors.index.json"
    listed = _read_json(folder, index, MAX_HEADER_BYTES).get("weight_map")
    names = {str(name) for name in listed.values()} if isinstance(listed, dict) else set()
    if not names or any(Path(name).name != name or not name.endswith(".safetensors") for name in names):
        raise CheckpointError(f"{folder / index}: weight_map must name *.safetensors files of this folder.")
    return [_file(folder, name) for name in sorted(names)]


@contextmanager
def _open_weights(folder: Path, limit: int) -> Iterator[_Weights]:
    """Open the weights of a folder; whatever a broken file makes a library raise ends as CheckpointError."""
    try:
        if os.path.lexists(folder / "model.safetensors"):
            opened = _open_safetensors([_file(folder, "model.safetensors")])
        elif os.path.lexists(folder / "model.safetensors.index.json"):
            opened = _open_safetensors(_shards(folder))
        elif os.path.lexists(folder / "pytorch_model.bin"):
            opened = _open_pickle(_file(folder, "pytorch_model.bin"), limit)
        else:
            raise CheckpointError(f"{folder} has no weights: expected model.safetensors, shards or pytorch_model.bin.")
        with opened as weights:
            yield weights
    except CheckpointError:
        raise
    except SafetensorError as error:
        raise CheckpointError(f"The weights in {folder} are damaged or cut off: {error}.") from error
    except Exception as error:  # torch.load raises whatever a hostile or broken pickle leads it to
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise CheckpointError(f"The weights in {folder} cannot be read: {reason}") from error


def meta_network(family: Family, config: Config, task: str = "masked-lm") -> Network:
    """The network with its shapes and no memory; CheckpointError for a task it has not, or for too many parameters."""
    if task not in family.tasks:
        raise CheckpointError(f"{family.title} has no task {task!r}. Known: {', '.join(family.tasks)}.")
    with torch.device("meta"):
        network = family.network(config, task)
    count = sum(parameter.numel() for parameter in network.parameters())
    if count > MAX_PARAMETERS:
        raise CheckpointError(
            f"This {family.title} configuration has {count:,} parameters, expected at most {MAX_PARAMETERS:,}."
        )
    return network


def load_network(
    folder: Path, family: Family, config: Config, *, task: str = "masked-lm", dtype: torch.dtype = torch.float32
) -> Loaded:
    """Load the weights of a folder, strictly: each tensor of the file is used or known to be useless, none is missing.

    Tied copies must equal what they copy. Heads that the task does not use are left out; a head that the file lacks
    altogether gets random weights (see Loaded). Raises CheckpointError, and then names the tensors, for anything else:
    missing, unexpected or mis-shaped tensors, numbers that are not finite, files that are damaged or no weights at all.
    """
    network = meta_network(family, config, task)
    expected = {ours: tuple(tensor.shape) for ours, tensor in network.state_dict().items()}
    limit = 16 * sum(math.prod(shape) for shape in expected.values()) + MAX_HEADER_BYTES  # float64, and all of it tied
    with _open_weights(folder, limit) as weights:
        plan = _plan(f"The weights in {folder} do not fit {family.title}, task {task}", family, network, weights.shapes)
        state: dict[str, Tensor] = {}
        for ours, name in plan.sources.items():
            state[ours] = _read(weights, name, dtype)
            # Compared while the original is at hand: one copy at a time is all the memory that this needs.
            copy = plan.copies.get(ours, name)
            if copy != name and not torch.equal(state[ours], _read(weights, copy, dtype)):
                raise CheckpointError(
                    f"{folder}: {copy} differs from {name}: this is an untied decoder. Only tied ones are supported."
                )
    for ours in plan.random:
        state[ours] = _random(ours, expected[ours], config, dtype)
    network.load_state_dict(state, assign=True)
    network.requires_grad_(False).eval()
    missing = tuple(_publish(family, ours) for ours in plan.random)
    extra = tuple(sorted(weights.shapes.keys() - set(plan.sources.values())))
    return Loaded(network, plan.heads, missing, extra)


@dataclass(frozen=True, slots=True)
class _Plan:
    """Where each tensor of a network comes from, by our names.

    sources: its name in the file; copies: the name of a tied copy, to be compared; random: the tensors of absent heads.
    """

    sources: dict[str, str]
    copies: dict[str, str]
    random: list[str]
    heads: dict[str, str]


def _plan(what: str, family: Family, network: Network, shapes: Mapping[str, tuple[int, ...]]) -> _Plan:
    """Match the tensors of a file (name -> shape) with a network's; CheckpointError, led by `what`, on a misfit."""
    expected = {ours: tuple(tensor.shape) for ours, tensor in network.state_dict().items()}
    theirs = published_names(family, network)
    heads = {head: [f"{part}.{name}" for name in names] for head, (part, names) in HEADS.items()}
    known = {
        *theirs.values(),
        *family.tied,
        *(family.prefix + name for name in _BUFFERS),
        *(_publish(family, ours) for names in heads.values() for ours in names),
    }
    found = _canonical(family, shapes, known)
    sources = {ours: found[name] for ours, name in theirs.items() if name in found}
    # Without a masked-LM head nobody asks what the decoder is. With one, a file may keep the copy and not the original.
    tied = family.tied.items() if network.masked_lm is not None else ()
    copies = {ours: found[copy] for copy, ours in tied if copy in found}
    sources = copies | sources

    present = {head: names for head, names in heads.items() if expected.keys() >= set(names)}
    absent = {head for head, names in present.items() if not sources.keys() & set(names)}
    random = [ours for head in present if head in absent for ours in heads[head]]
    _check_names(
        what,
        missing=[theirs[ours] for ours in expected if ours not in sources and ours not in random],
        unexpected=[found[name] for name in found.keys() - known],
        misshaped={
            name: (shapes[name], expected[ours])
            for ours, name in (*sources.items(), *copies.items())
            if shapes[name] != expected[ours]
        },
    )
    return _Plan(sources, copies, random, {head: "random" if head in absent else "trained" for head in present})


def _check_names(
    what: str,
    missing: list[str],
    unexpected: list[str],
    misshaped: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]],
) -> None:
    """Raise one CheckpointError that names the first few of all tensors that do not fit."""
    wrong = [f"{name} has shape {got}, expected {wanted}" for name, (got, wanted) in misshaped.items()]
    kinds = {"missing": missing, "unexpected": sorted(unexpected), "mis-shaped": wrong}
    told = [
        f"{len(names)} {kind}: {', '.join(names[:3])}{', ...' if len(names) > 3 else ''}"
        for kind, names in kinds.items()
        if names
    ]
    if told:
        raise CheckpointError(f"{what}. {'; '.join(told)}. Is it another model, or another family?")


def _read(weights: _Weights, name: str, dtype: torch.dtype) -> Tensor:
    """Read one tensor as `dtype`; CheckpointError if it does not hold floating numbers, or one that is not finite."""
    tensor = weights.read(name)
    if not tensor.dtype.is_floating_point or tensor.dtype.itemsize < 2:
        raise CheckpointError(f"Tensor {name} holds {tensor.dtype}, expected float16, bfloat16, float32 or float64.")
    tensor = tensor.to(dtype)
    if not torch.stack(torch.aminmax(tensor)).isfinite().all():  # unlike isfinite of all of it, needs no copy
        raise CheckpointError(f"Tensor {name} holds numbers that are not finite as {dtype}: the file is damaged.")
    return tensor


def _random(ours: str, shape: tuple[int, ...], config: Config, dtype: torch.dtype) -> Tensor:
    """Random weights for one tensor of a head, as Network.initialise gives them; the same ones every time."""
    if ours.endswith("bias"):
        return torch.zeros(shape, dtype=dtype)
    if "norm" in ours:
        return torch.ones(shape, dtype=dtype)
    return torch.empty(shape, dtype=dtype).normal_(
        0.0, config.initializer_range, generator=torch.Generator().manual_seed(SEED)
    )


# -- saving ------------------------------------------------------------------------------------------------------------

_ARCHITECTURES = {"masked-lm": "ForMaskedLM", "pre-training": "ForPreTraining", "encoder": "Model"}


def save(
    folder: Path,
    family: Family,
    config: Config,
    network: Network,
    tokenizer: Tokenizer | None = None,
    *,
    dtype: torch.dtype | None = None,
) -> None:
    """Write config.json, model.safetensors and the tokenizer's files, so that transformers reads them back.

    Tied copies are left out; dtype, unless told, is the network's own. Files are written beside the folder, made
    durable and then moved: a new folder appears at once and whole, in an old one each file is either old or new.
    Raises CheckpointError if the folder cannot be written.
    """
    folder = folder.resolve()
    names = published_names(family, network)
    if network.task == "encoder":
        names = {ours: name.removeprefix(family.prefix) for ours, name in names.items()}
    tensors = {
        names[ours]: tensor.detach().to("cpu", dtype or tensor.dtype).contiguous()
        for ours, tensor in network.state_dict().items()
    }
    data = {key: value for key, value in config.to_dict().items() if not _DROPPED_KEYS.fullmatch(key)} | {
        "architectures": [family.architecture.removesuffix("ForMaskedLM") + _ARCHITECTURES[network.task]],
        "dtype": str(next(iter(tensors.values())).dtype).removeprefix("torch."),
        "tie_word_embeddings": True,
    }
    if family.name != config.model_type:
        data[_FAMILY_KEY] = family.name

    beside = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}")
    try:
        beside.mkdir(parents=True)
        (beside / "config.json").write_text(json.dumps(data, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        save_file(tensors, beside / "model.safetensors", metadata={"format": "pt"})
        # safetensors makes its file private to its owner: give it the access that every other file has.
        (beside / "model.safetensors").chmod((beside / "config.json").stat().st_mode)
        if tokenizer is not None:
            tokenizer.save(beside)
        _publish_folder(beside, folder)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"Cannot write {folder}: {error}.") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _publish_folder(beside: Path, folder: Path) -> None:
    """Make the files in `beside` durable, then move them to `folder`, the weights last."""
    files = sorted(beside.iterdir(), key=lambda path: path.name == "model.safetensors")
    for path in (*files, beside):
        _sync(path)
    if folder.exists():
        for path in files:
            os.replace(path, folder / path.name)
        _sync(folder)
    else:
        beside.rename(folder)
    _sync(folder.parent)


def _sync(path: Path) -> None:
    """Force a file, or a folder's list of files, to the disk."""
    if path.is_dir() and os.name == "nt":  # Windows has no such thing for folders
        return
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
