"""tf_model.h5 and flax_model.msgpack: what the old classes computed, we compute; what is broken is told in a sentence.

old_files.zip was written by transformers 4.46 with TensorFlow 2.18 and Flax 0.10 (tests/make_old_files.py).
"""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bortlab.checkpoint import (
    CheckpointError,
    Loaded,
    check_weights,
    hdf5_listing,
    load_network,
    own_heads,
    read_config,
    save,
)
from bortlab.checkpoint.opening import WEIGHTS
from bortlab.models import FAMILIES

for package in ("h5py", "msgpack"):
    pytest.importorskip(package, reason="needs the extra old-files")
import h5py  # noqa: E402
import msgpack  # noqa: E402

ARCHIVE = Path(__file__).parent / "old_files.zip"
DOCUMENT = Path(__file__).parents[2] / "docs" / "folders.md"
FOLDERS = tuple(dict.fromkeys(Path(name).parts[0] for name in zipfile.ZipFile(ARCHIVE).namelist()))
H5, MSGPACK = "tf_model.h5", "flax_model.msgpack"
BOTH = pytest.mark.parametrize(("written", "name"), [("tf-albert-masked-lm", H5), ("flax-albert-masked-lm", MSGPACK)])


@pytest.fixture
def unpacked(tmp_path: Path) -> Callable[[str], Path]:
    """unpacked(name): a folder of the archive."""

    def unpack(name: str) -> Path:
        with zipfile.ZipFile(ARCHIVE) as archive:
            archive.extractall(tmp_path, [member for member in archive.namelist() if Path(member).parts[0] == name])
        return tmp_path / name

    return unpack


def load(folder: Path, family: str | None = None, task: str = "masked-lm") -> Loaded:
    return load_network(folder, *read_config(folder, family), task=task)


@torch.no_grad()
def outputs(loaded: Loaded, inputs: dict[str, torch.Tensor]) -> list[torch.Tensor]:
    """What the old class gave for these inputs, in its order, by our network."""
    network = loaded.network
    ids, mask, kinds = (inputs[name].long() for name in ("input_ids", "attention_mask", "token_type_ids"))
    if network.task != "encoder":
        return list(network.solve(ids, mask, kinds).logits.values())
    hidden = network.encode(network.embed(ids), kinds, mask).hidden
    return [hidden] if network.pooler is None else [hidden, network.pooler(hidden)]


def test_every_class_is_in_the_archive() -> None:
    """All that transformers 4 had of these families; a Bort was a BERT there, and two of its classes stand for all."""
    classes = {(family, task) for family in ("albert", "convbert", "bert") for task in FAMILIES[family].tasks}
    written = {tuple(name.split("-", 2)) for name in FOLDERS}
    assert {(family, task) for kind, family, task in written if kind == "tf" and family != "bort"} == classes
    flax = {(family, task) for kind, family, task in written if kind == "flax" and family != "bort"}
    assert flax == {(family, task) for family, task in classes if family != "convbert"}
    assert f"logits of {len(FOLDERS)} such folders" in DOCUMENT.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", FOLDERS)
def test_the_old_classes_numbers(unpacked: Callable[[str], Path], name: str) -> None:
    """Every class: the logits that it gave, and nothing in its file is unknown or missing."""
    folder = unpacked(name)
    _, family, task = name.split("-", 2)
    assert (folder / (MSGPACK if name.startswith("flax") else H5)).exists()
    check_weights(folder, *read_config(folder, family), task=task)
    loaded = load(folder, family, task)
    assert not loaded.missing and set(loaded.heads.values()) <= {"trained"}
    assert set(loaded.extra) <= {"predictions.decoder.bias"}  # TensorFlow's ALBERT has two, and computes with this one
    assert own_heads(folder, *read_config(folder, family)) == (task, loaded.heads)
    expected = {key: torch.from_numpy(value) for key, value in np.load(folder / "expected.npz").items()}
    theirs = [value for key, value in expected.items() if key.startswith("output_")]
    for ours, old in zip(outputs(loaded, expected), theirs, strict=True):
        torch.testing.assert_close(ours, old, rtol=0, atol=1e-5)


@BOTH
def test_another_task(unpacked: Callable[[str], Path], written: str, name: str) -> None:
    """The body alone, or a new head on it; the head of the file is left over and told."""
    loaded = load(unpacked(written), task="token-classification")
    assert loaded.heads == {"token-classification": "random"}
    assert loaded.extra and all(extra.startswith("predictions.") for extra in loaded.extra)


def test_safetensors_come_first(unpacked: Callable[[str], Path]) -> None:
    folder = unpacked("tf-bert-masked-lm")
    family, config = read_config(folder)
    network = family.network(config).initialise(torch.Generator().manual_seed(0))
    save(folder, family, config, network)
    assert list(WEIGHTS) == ["model.safetensors", "pytorch_model.bin", H5, MSGPACK]
    torch.testing.assert_close(load(folder).network.state_dict(), network.state_dict())


# -- TensorFlow's file -------------------------------------------------------------------------------------------------

TABLE = "albert/tf_albert_for_masked_lm/albert/embeddings/word_embeddings/weight:0"
COPY = TABLE.replace("albert/", "predictions/", 1)
DENSE = "predictions/tf_albert_for_masked_lm/predictions/dense"


def changed(file: h5py.File, place: str, **options: Any) -> None:
    """Write a dataset again, in another way."""
    values = file[place][()]
    del file[place]
    file.create_dataset(place, data=options.pop("data", values), **options)


def linked(file: h5py.File, link: Any) -> None:
    del file[TABLE]
    file[TABLE] = link


def elsewhere(file: h5py.File) -> None:
    del file[TABLE]
    file.create_dataset(TABLE, (40, 8), "<f4", external=[("/etc/passwd", 0, 1280)])


SPOILED: dict[str, tuple[Callable[[h5py.File], Any], str]] = {
    "compressed": (lambda file: changed(file, TABLE, compression="gzip"), r"is compressed, in pieces or in another"),
    "in pieces": (lambda file: changed(file, TABLE, chunks=(10, 8)), r"is compressed, in pieces or in another"),
    "external": (elsewhere, r"is compressed, in pieces or in another file"),
    "soft link": (lambda file: linked(file, h5py.SoftLink(f"/{COPY}")), r"is a link"),
    "external link": (lambda file: linked(file, h5py.ExternalLink("other.h5", "/x")), r"is a link"),
    "circle": (lambda file: file["albert"].__setitem__("again", file["/"]), r"more groups and datasets than any model"),
    "whole numbers": (lambda file: changed(file, TABLE, dtype="<i4"), r"holds int32, expected float16"),
    "big-endian": (lambda file: changed(file, TABLE, dtype=">f4"), r"holds >f4, expected float16"),
    "text": (lambda file: changed(file, TABLE, data="x"), r"holds object|compressed"),
    "two shapes": (
        lambda file: changed(file, TABLE, data=np.zeros((1, 1), np.float32)),
        r"word_embeddings.weight twice, in different shapes",
    ),
    "two tables": (
        lambda file: file[COPY].__setitem__(0, 9.0),
        r"word_embeddings.weight twice, with different numbers",
    ),
    "many tables": (
        lambda file: [file.__setitem__(f"{i}/{COPY.partition('/')[2]}", file[TABLE]) for i in range(9)],
        r"word_embeddings.weight more than 8 times",
    ),
    "no print": (lambda file: file.create_group("a\nb"), r"a name that cannot be printed, 'a\\nb'"),
    "one too many": (
        lambda file: file.create_dataset(f"{DENSE}/x:0", data=np.ones(2, "<f4")),
        r"1 unexpected: .*dense.x",
    ),
    "one too few": (lambda file: file.__delitem__(f"{DENSE}/bias:0"), r"1 missing: predictions.dense.bias"),
    "mis-shaped": (
        lambda file: changed(file, f"{DENSE}/bias:0", data=np.ones(7, np.float32)),
        r"predictions.dense.bias has shape \(7,\), expected \(8,\)",
    ),
    "not a number": (lambda file: file[f"{DENSE}/bias:0"].__setitem__(0, np.nan), r"not finite"),
}


@pytest.mark.parametrize(("spoil", "says"), SPOILED.values(), ids=SPOILED)
def test_spoiled_hdf5(unpacked: Callable[[str], Path], spoil: Callable[[h5py.File], Any], says: str) -> None:
    folder = unpacked("tf-albert-masked-lm")
    with h5py.File(folder / H5, "r+") as file:
        spoil(file)
    with pytest.raises(CheckpointError, match=says):
        load(folder)


def test_half_precision(unpacked: Callable[[str], Path]) -> None:
    folder = unpacked("tf-albert-masked-lm")
    before = load(folder).network.state_dict()
    with h5py.File(folder / H5, "r+") as file:
        for place in (TABLE, COPY):
            changed(file, place, dtype="<f2")
    torch.testing.assert_close(load(folder).network.state_dict(), before, rtol=0, atol=0)  # multiples of 1/64


# -- Flax's file -------------------------------------------------------------------------------------------------------


def array(values: Any, dtype: str | None = None, shape: Any = None) -> msgpack.ExtType:
    values = np.asarray(values)
    shape = values.shape if shape is None else shape
    return msgpack.ExtType(1, msgpack.packb((shape, dtype or values.dtype.name, values.tobytes())))


def repacked(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change the maps of flax_model.msgpack."""
    path = folder / MSGPACK
    tree = msgpack.unpackb(path.read_bytes())
    path.write_bytes(msgpack.packb(change(tree) or tree))


SPOILED_MAPS: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "a list": (lambda tree: [tree], r"is damaged, or no file of Flax's"),
    "a number": (lambda tree: tree | {"x": 1}, r"expected arrays by name, got int at 'x'"),
    "a text": (lambda tree: tree | {"x": "y" * 300}, r"is damaged, or no file of Flax's"),
    "another type": (lambda tree: tree | {"x": msgpack.ExtType(2, b"12")}, r"something else of msgpack's type 2"),
    "no print": (lambda tree: tree | {"a\nb": {}}, r"got dict at 'a\\nb'"),
    "a date": (lambda tree: tree | {"x": msgpack.Timestamp(1)}, r"got Timestamp"),
    "pieces": (lambda tree: tree | {"x": {"__msgpack_chunked_array__": True}}, r"more than a gigabyte, in pieces"),
    "many": (lambda tree: {str(i): {str(j): {} for j in range(300)} for i in range(300)}, r"more than 20,000 entries"),
    "wide": (lambda tree: {str(i): {} for i in range(2000)}, r"is damaged, or no file of Flax's"),
    "too short": (lambda tree: tree | {"x": array(np.ones(3, "f4"), shape=(4,))}, r"x has 12 bytes, expected 16"),
    "negative": (lambda tree: tree | {"x": array(np.ones(3, "f4"), shape=(-3, -1))}, r"x has shape \[-3, -1\]"),
    "enormous": (lambda tree: tree | {"x": array(np.ones(3, "f4"), shape=(2**60, 2**60))}, r"no tensor of a model has"),
    "whole numbers": (lambda tree: tree | {"x": array(np.ones(3, "i4"))}, r"x holds 'int32', expected float16"),
    "objects": (lambda tree: tree | {"x": array(np.ones(3, "f4"), dtype="object")}, r"x holds 'object'"),
    "one too many": (lambda tree: tree | {"x": array(np.ones(3, "f4"))}, r"1 unexpected: x"),
    "one too few": (lambda tree: tree["predictions"].pop("bias") and None, r"1 missing: predictions.bias"),
    "mis-shaped": (
        lambda tree: tree["predictions"].update(bias=array(np.ones(3, "f4"))),
        r"predictions.bias has shape \(3,\), expected \(40,\)",
    ),
    "not a number": (
        lambda tree: tree["predictions"].update(bias=array(np.full(40, np.inf, "f4"))),
        r"not finite",
    ),
}


@pytest.mark.parametrize(("change", "says"), SPOILED_MAPS.values(), ids=SPOILED_MAPS)
def test_spoiled_maps(unpacked: Callable[[str], Path], change: Callable[[dict[str, Any]], Any], says: str) -> None:
    folder = unpacked("flax-albert-masked-lm")
    repacked(folder, change)
    with pytest.raises(CheckpointError, match=says):
        load(folder)


def test_a_training_state_and_bfloat16(unpacked: Callable[[str], Path]) -> None:
    """Flax's own states have everything under "params"; NumPy has no bfloat16, and none is needed."""
    folder = unpacked("flax-albert-masked-lm")
    before = load(folder).network.state_dict()
    bias = before["masked_lm.bias"].bfloat16()
    half = array(bias.view(torch.int16).numpy(), dtype="bfloat16")
    repacked(folder, lambda tree: {"params": tree | {"predictions": tree["predictions"] | {"bias": half}}})
    torch.testing.assert_close(load(folder).network.state_dict(), before, rtol=0, atol=0)  # multiples of 1/64


# -- both --------------------------------------------------------------------------------------------------------------


@BOTH
def test_too_large(unpacked: Callable[[str], Path], written: str, name: str) -> None:
    """A file that holds much more than the configuration needs is not read at all."""
    folder = unpacked(written)
    with (folder / name).open("r+b") as file:
        file.truncate(2**33)
    with pytest.raises(CheckpointError, match=r"holds 8,589,934,592 bytes, expected at most"):
        load(folder)


@pytest.mark.parametrize(
    ("library", "written"), [("h5py", "tf-albert-masked-lm"), ("msgpack", "flax-albert-masked-lm")]
)
def test_a_missing_library_is_told(
    unpacked: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, library: str, written: str
) -> None:
    folder = unpacked(written)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(CheckpointError, match=rf'read with {library}, .*: pip install "bortlab\[old-files\]"'):
        load(folder)


def test_the_librarys_crash_is_not_ours(
    unpacked: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The HDF5 library is a C program: whatever ends its process is a sentence here."""
    (tmp_path / "crash.py").write_text("import os\nos.abort()")
    monkeypatch.setattr(hdf5_listing, "__file__", str(tmp_path / "crash.py"))
    with pytest.raises(CheckpointError, match=r"is damaged: the HDF5 library ended with status -?\d+"):
        load(unpacked("tf-albert-masked-lm"))


def mangled(whole: bytes, cut: int, edits: list[tuple[int, bytes]]) -> bytes:
    """A file that was cut off and had some bytes overwritten."""
    part = bytearray(whole[: cut % (len(whole) + 1)] or whole)
    for place, values in edits:
        place %= len(part)
        part[place : place + len(values)] = values
    return bytes(part)


EDITS = st.lists(st.tuples(st.integers(0, 2**20), st.binary(min_size=1, max_size=8)), max_size=6)
MANGLED = {"cut": st.integers(0, 2**20), "edits": EDITS}


def loads_or_tells(folder: Path) -> None:
    """A mangled file may still be one; else a CheckpointError says in a sentence what is wrong."""
    try:
        loaded = load(folder)
    except CheckpointError as error:
        assert "\n" not in str(error) and len(str(error)) > len(str(folder))
    else:
        assert all(tensor.isfinite().all() for tensor in loaded.network.state_dict().values())


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("old")
    zipfile.ZipFile(ARCHIVE).extractall(folder)
    return folder


@settings(max_examples=400, deadline=None)
@given(**MANGLED)
def test_mangled_msgpack(shared: Path, cut: int, edits: list[tuple[int, bytes]]) -> None:
    folder = shared / "flax-albert-masked-lm"
    path = folder / MSGPACK
    whole = path.read_bytes()
    try:
        path.write_bytes(mangled(whole, cut, edits))
        loads_or_tells(folder)
    finally:
        path.write_bytes(whole)


@settings(max_examples=25, deadline=None)
@given(**MANGLED)
def test_mangled_hdf5(shared: Path, cut: int, edits: list[tuple[int, bytes]]) -> None:
    """Each try starts a process; in the structure, which fills the first bytes, edits do most."""
    folder = shared / "tf-albert-masked-lm"
    path = folder / H5
    whole = path.read_bytes()
    try:
        path.write_bytes(mangled(whole, cut, [(place % 4000, values) for place, values in edits]))
        loads_or_tells(folder)
    finally:
        path.write_bytes(whole)
