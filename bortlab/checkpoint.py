"""Checkpoint folders in Hugging Face layout: read with suspicion, load strictly, save.

A folder may come from anywhere, so nothing in it is trusted: only regular files inside it are opened, sizes are checked
before anything is built or read, no key of config.json and no pickle can run code, and whatever is wrong ends in a
`CheckpointError` that says what. Weights are read into memory of our own: a file that changes later changes nothing.
"""

from __future__ import annotations

import io
import json
import math
import os
import pickletools
import re
import shutil
import uuid
import zipfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from bortlab.files import UnsafeFileError, regular_file
from bortlab.models import FAMILIES, Config, ConfigError, Family, Network
from bortlab.models.base import DEFAULT_LABELS, HEADS, TASKS

if TYPE_CHECKING:
    from bortlab.tokenization import Tokenizer

MAX_PARAMETERS = 1_500_000_000
"""A network with more parameters than this is refused before it is built; the largest published one here has 0.34e9."""
MAX_CONFIG_BYTES = 100_000
MAX_HEADER_BYTES = 2_000_000
"""Of the list of tensors in a file or an index. Real ones have 100 bytes a tensor, and some hundred tensors."""
MAX_CONFIG_DEPTH = 20
SEED = 0
"""Seed of the weights that a head gets where a file has none for it."""

_DROPPED_KEYS = re.compile(
    r"auto_map|custom_pipelines|quantization_config|transformers_weights|.*implementation.*"  # may choose or run code
    r"|torch_dtype|dtype|tie_word_embeddings"  # say what one file was like, not what the model is
)
_FIXED_KEYS = {"is_decoder": False, "add_cross_attention": False, "position_embedding_type": "absolute"}
_FAMILY_KEY = "bortlab_family"
_INDEX = "model.safetensors.index.json"
_PICKLE_INDEX = "pytorch_model.bin.index.json"
_TWO_OUTPUTS = ("pre-training", "question-answering")  # transformers gives these heads as many as there are labels
_BUFFERS = ("embeddings.position_ids", "embeddings.token_type_ids")
_PICKLED = re.compile(
    r"collections OrderedDict|torch\._utils _rebuild_\w+|torch(\.storage)? \w+Storage|torch (Size|[a-z]\w*)"
)
"""What a pickled state dict names: tensors' parts. torch would also call bytearray and Tensor, of any size."""
_LEGACY_SUFFIXES = {".gamma": ".weight", ".beta": ".bias"}


class CheckpointError(ValueError):
    """A folder that cannot be read as a checkpoint, or not be written. The message says what is wrong and where."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A network with its weights, and what the file said about them.

    network: in eval mode, on the CPU, no parameter wants a gradient.
    heads: for each head the network has (names of models.base.HEADS), "trained" (it was in the file) or "random" (it
        was not, so it got random weights).
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
    try:
        return regular_file(folder, name, limit)
    except UnsafeFileError as error:
        raise CheckpointError(str(error)) from error


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
    """Our name -> the published name, for each tensor of the network. No two share a published name.

    Heads of different tasks may: what "classifier.weight" is depends on the class that wrote it.
    """
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


def _screen(path: Path, file: IO[bytes], number: int) -> None:
    """Refuse pickles, one after the other in a file, that name anything but tensors' parts; nothing of them is run."""
    for _ in range(number):
        for operation, argument, _ in pickletools.genops(file):
            named = operation.name in ("GLOBAL", "INST") and not _PICKLED.fullmatch(str(argument))
            if named or operation.name in ("STACK_GLOBAL", "BYTEARRAY8", "EXT1", "EXT2", "EXT4"):
                what = str(argument or operation.name)[:100]
                raise CheckpointError(f"{path} cannot be read: it names {what!r}, which is no part of a tensor.")


@contextmanager
def _open_pickles(paths: Iterable[Path], limit: int) -> Iterator[_Weights]:
    """One or more pytorch_model.bin as one."""
    state: dict[str, Tensor] = {}
    for path in paths:
        more = _unpickle(path, limit - sum(tensor.nbytes for tensor in state.values()))
        if twice := state.keys() & more.keys():
            raise CheckpointError(f"{path}: tensor {min(twice)} stands in another file of the folder too.")
        state |= more
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    # contiguous() and clone(): the parts of one storage, or a view that repeats one number, become memory of their own.
    yield _Weights(shapes, lambda name: state.pop(name).detach().contiguous().clone())


def _unpickle(path: Path, limit: int) -> dict[str, Tensor]:
    """A pytorch_model.bin, by torch's weights-only reader, which builds tensors and calls nothing else."""
    size = path.stat().st_size
    if size <= limit and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            size = max(size, sum(member.file_size for member in members))
            if any(member.compress_type != zipfile.ZIP_STORED for member in members):
                raise CheckpointError(f"{path} is compressed inside, which torch never does. It was not read.")
            pickles = [member for member in members if member.filename.endswith(".pkl")]
            if len(pickles) != 1 or pickles[0].file_size > MAX_HEADER_BYTES:
                raise CheckpointError(f"{path}: expected one list of tensors of at most {MAX_HEADER_BYTES:,} bytes.")
            if size <= limit:
                _screen(path, io.BytesIO(archive.read(pickles[0])), 1)
    elif size <= limit:
        with path.open("rb") as file:
            _screen(path, file, 5)  # torch's older format: a mark, a version, a machine, the tensors, their storages
    if size > limit:
        raise CheckpointError(f"{path} holds {size:,} bytes, expected at most {limit:,} for this configuration.")
    state = torch.load(path, map_location="cpu", weights_only=True, mmap=False)
    if not isinstance(state, dict):
        raise CheckpointError(f"{path}: expected a dictionary of tensors, got a {type(state).__name__}.")
    for name, tensor in state.items():
        plain = isinstance(tensor, Tensor) and tensor.layout == torch.strided and tensor.device.type == "cpu"
        if not (isinstance(name, str) and plain):
            raise CheckpointError(f"{path}: {name!r} is not an ordinary tensor.")
    return state


def _shards(folder: Path, index: str) -> list[Path]:
    """The files that an index lists."""
    listed = _read_json(folder, index, MAX_HEADER_BYTES).get("weight_map")
    names = {str(name) for name in listed.values()} if isinstance(listed, dict) else set()
    kind = Path(index.removesuffix(".index.json")).suffix
    if not names or any(Path(name).name != name or not name.endswith(kind) for name in names):
        raise CheckpointError(f"{folder / index}: weight_map must name *{kind} files of this folder.")
    return [_file(folder, name) for name in sorted(names)]


def _pickles(folder: Path) -> list[Path]:
    """pytorch_model.bin, or its shards; none where there is neither."""
    if os.path.lexists(folder / "pytorch_model.bin"):
        return [_file(folder, "pytorch_model.bin")]
    return _shards(folder, _PICKLE_INDEX) if os.path.lexists(folder / _PICKLE_INDEX) else []


@contextmanager
def _open_weights(folder: Path, limit: int) -> Iterator[_Weights]:
    """Open the weights of a folder; whatever a broken file makes a library raise ends as CheckpointError."""
    try:
        if os.path.lexists(folder / "model.safetensors"):
            opened = _open_safetensors([_file(folder, "model.safetensors")])
        elif os.path.lexists(folder / _INDEX):
            opened = _open_safetensors(_shards(folder, _INDEX))
        elif paths := _pickles(folder):
            opened = _open_pickles(paths, limit)
        else:
            raise CheckpointError(
                f"{folder} has no weights: expected model.safetensors or pytorch_model.bin, or the shards of one."
            )
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
    altogether, or has for another task by its config.json's architectures, gets random weights (see Loaded). Raises
    CheckpointError, and then names the tensors, for anything else: missing, unexpected or mis-shaped tensors, numbers
    that are not finite, files that are damaged or no weights at all.
    """
    network = meta_network(family, config, task)
    expected = {ours: tuple(tensor.shape) for ours, tensor in network.state_dict().items()}
    limit = 16 * sum(math.prod(shape) for shape in expected.values()) + MAX_HEADER_BYTES  # float64, and all of it tied
    with _open_weights(folder, limit) as weights:
        what = f"The weights in {folder} do not fit {family.title}, task {task}"
        plan = _plan(what, family, network, weights.shapes, _written_for(family, config))
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


def check_weights(folder: Path, family: Family, config: Config, *, task: str = "masked-lm") -> None:
    """What `load_network` would find wrong with names, shapes and sizes, found without reading a tensor.

    So a folder that promises much more than it holds costs nobody any memory.
    """
    network = meta_network(family, config, task)
    if any(os.path.lexists(folder / name) for name in ("model.safetensors", _INDEX)):
        with _open_weights(folder, 0) as weights:
            what = f"The weights in {folder} do not fit {family.title}, task {task}"
            _plan(what, family, network, weights.shapes, _written_for(family, config))
    elif paths := _pickles(folder):
        size = sum(path.stat().st_size for path in paths)
        least = 2 * network.embeddings.words.weight.numel()  # in float16, and the largest of its tensors alone
        if size + MAX_HEADER_BYTES < least:  # what is only a little too small, the reader tells better
            raise CheckpointError(f"The weights in {folder} have {size:,} bytes, and their words alone need {least:,}.")


def own_heads(folder: Path, family: Family, config: Config) -> tuple[str | None, dict[str, str]]:
    """The task that the class behind a folder is made for, None where config.json does not say, and its heads.

    The heads are as `load_network` would find them, though no tensor is read. A pickle tells its names only to those
    who read all of it: there the class is believed.
    """
    task = _written_for(family, config)
    if task is None:
        return None, {}
    network = meta_network(family, config, task)
    if not any(os.path.lexists(folder / name) for name in ("model.safetensors", _INDEX)):
        return task, dict.fromkeys(network.tasks[task], "trained" if _pickles(folder) else "random")
    with _open_weights(folder, 0) as weights:
        what = f"The weights in {folder} do not fit {family.title}, task {task}"
        return task, _plan(what, family, network, weights.shapes, task).heads


@dataclass(frozen=True, slots=True)
class _Plan:
    """Where each tensor of a network comes from, by our names.

    sources: its name in the file; copies: the name of a tied copy, to be compared; random: the tensors of absent heads.
    """

    sources: dict[str, str]
    copies: dict[str, str]
    random: list[str]
    heads: dict[str, str]


def _written_for(family: Family, config: Config) -> str | None:
    """The task of the class that wrote a folder, by its config.json; None where it does not say one of ours."""
    said = config.extra.get("architectures")
    name = said[0] if isinstance(said, list) and said else None
    stem = family.architecture.removesuffix(TASKS["masked-lm"])
    return next((task for task in family.tasks if name == stem + TASKS[task]), None)


def _head_names(family: Family, config: Config) -> dict[str, list[str]]:
    """Our names of the tensors of every head that the family may have."""
    with torch.device("meta"):
        heads = {head: family.network.head(head, config) for head in HEADS}
    return {head: [f"{HEADS[head]}.{name}" for name in module.state_dict()] for head, module in heads.items()}


def _plan(
    what: str, family: Family, network: Network, shapes: Mapping[str, tuple[int, ...]], written_for: str | None
) -> _Plan:
    """Match the tensors of a file (name -> shape) with a network's; CheckpointError, led by `what`, on a misfit."""
    expected = {ours: tuple(tensor.shape) for ours, tensor in network.state_dict().items()}
    theirs = published_names(family, network)
    heads = _head_names(family, network.config)
    known = {
        *theirs.values(),
        *family.tied,
        *(family.prefix + name for name in _BUFFERS),
        *(_publish(family, ours) for names in heads.values() for ours in names),
    }
    found = _canonical(family, shapes, known)
    others = set(family.network.tasks[written_for]) if written_for else set()
    foreign = {_publish(family, ours) for head in others for ours in heads[head] if ours not in expected}
    sources = {ours: found[name] for ours, name in theirs.items() if name in found and name not in foreign}
    # Without a masked-LM head nobody asks what the decoder is. With one, a file may keep the copy and not the original.
    tied = family.tied.items() if network.masked_lm is not None else ()
    copies = {ours: found[copy] for copy, ours in tied if copy in found}
    sources = copies | sources

    present = {head: heads[head] for head in family.network.tasks[network.task]}
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
    if network.task in _TWO_OUTPUTS and len(config.labels) != len(DEFAULT_LABELS):
        config = replace(config, labels=DEFAULT_LABELS)
    data = {key: value for key, value in config.to_dict().items() if not _DROPPED_KEYS.fullmatch(key)} | {
        "architectures": [family.architecture.removesuffix(TASKS["masked-lm"]) + TASKS[network.task]],
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
