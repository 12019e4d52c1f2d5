"""Checkpoints that somebody built to hurt, and what each must end in; run as a program, it opens them all in turn.

Each starts from a whole, tiny BERT and spoils one thing. `python -m tests.hostile.corpus FOLDER` is the server that
they attack: one process with good models in its cache, which opens one after the other and writes a line of JSON each.
"""

from __future__ import annotations

import base64
import faulthandler
import json
import os
import pickle
import shutil
import struct
import sys
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from bortlab.checkpoint import save
from bortlab.models import FAMILIES
from bortlab.training.vocabulary import train_tokenizer

TEXTS = ["Paris is the capital of France.", "The cat sat on the mat; a dog barked."] * 10
TEXT = "Paris is the [MASK] of France."
WORDS = "bert.embeddings.word_embeddings.weight"
QUERY = "bert.encoder.layer.0.attention.self.query.weight"
HANG_S = 120.0
"""A case that takes longer is taken for a hang: everything is ended, with a traceback."""
PROOF = "proof"
"""A file beside the folders that code in a checkpoint would make."""


@dataclass(frozen=True)
class Hostile:
    """spoil: what is done to a good folder. error: the class it must end in; says: a regular expression of its message.

    key: asked for in place of the folder. text: what is filled in, for what loads and hurts later.
    """

    spoil: Callable[[Path], Any]
    error: str
    says: str
    family: str | None = None
    key: str | None = None
    text: str = TEXT


def good(folder: Path) -> Path:
    """A whole checkpoint: a tiny BERT with random weights and a trained vocabulary."""
    tokenizer = train_tokenizer("wordpiece", TEXTS, vocab_size=100)
    family = FAMILIES["bert"]
    config = family.config(
        vocab_size=tokenizer.vocab_size,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=24,
        max_position_embeddings=64,
    )
    network = family.network(config).eval().initialise(torch.Generator().manual_seed(0))
    save(folder, family, config, network, tokenizer)
    return folder


CORPUS: dict[str, Hostile] = {}


def add(name: str, error: str, says: str, spoil: Callable[[Path], Any], **options: Any) -> None:
    assert name not in CORPUS, name
    CORPUS[name] = Hostile(spoil, error, says, **options)


# -- config.json -------------------------------------------------------------------------------------------------------


def configure(**changes: Any) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return spoil


def write(name: str, content: bytes) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_bytes(content) and None


_CONFIGS: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown type": ({"model_type": "llama"}, "unknown model_type 'llama'. Known: albert, convbert, bort, bert"),
    "no type": ({"model_type": None}, "unknown model_type None"),
    "a type that is a list": ({"model_type": ["bert"]}, r"unknown model_type \['bert'\]"),
    "a mark that is a list": ({"bortlab_family": ["bort"]}, "unknown model_type"),
    "negative width": ({"hidden_size": -4}, "hidden_size: expected 1 to 8192, got -4"),
    "no heads": ({"num_attention_heads": 0}, "num_attention_heads: expected 1 to 128, got 0"),
    "heads that do not divide": ({"num_attention_heads": 5}, r"hidden_size \(16\) must be a multiple"),
    "text for a number": ({"hidden_size": "abc"}, "hidden_size: expected a whole number, got 'abc'"),
    "a list for a number": ({"hidden_size": [16]}, r"hidden_size: expected a whole number, got \[16\]"),
    "half a layer": ({"num_hidden_layers": 1.5}, "num_hidden_layers: expected a whole number, got 1.5"),
    "true layers": ({"num_hidden_layers": True}, "num_hidden_layers: expected a whole number, got True"),
    "200,000 layers": ({"num_hidden_layers": 200_000}, "num_hidden_layers: expected 1 to 48, got 200000"),
    "a vocabulary of 500 million": ({"vocab_size": 500_000_000}, "vocab_size: expected 1 to 300000"),
    "10 thousand million positions": ({"max_position_embeddings": 10**10}, "max_position_embeddings: expected 1 to"),
    "1.5 thousand million parameters": (
        {"vocab_size": 300_000, "hidden_size": 8192},
        r"has [\d,]+ parameters, expected at most 1,500,000,000",
    ),
    "more than the file holds": ({"vocab_size": 300_000, "hidden_size": 512}, r"expected \(300000, 512\)"),
    "epsilon nan": ({"layer_norm_eps": float("nan")}, "NaN is not a finite number"),
    "infinity": ({"unknown_key": float("inf")}, "Infinity is not a finite number"),
    "an unknown activation": ({"hidden_act": "__import__('os')"}, "Unknown hidden_act"),
    "a decoder": ({"is_decoder": True}, "is_decoder is True; only False is supported"),
    "relative positions": ({"position_embedding_type": "relative_key"}, "only 'absolute' is supported"),
}
for _name, (_changes, _says) in _CONFIGS.items():
    add(f"config: {_name}", "CheckpointError", _says, configure(**_changes))
add("config: another family", "CheckpointError", "is of family 'bert', not 'albert'", lambda _: None, family="albert")
add(
    "config: marked as another family",
    "CheckpointError",
    "is of family 'bort', not 'bert'",
    configure(bortlab_family="bort"),
    family="bert",
)
add(
    "config: 200,000 groups",
    "CheckpointError",
    "num_hidden_groups: expected 1 to 48",
    configure(model_type="albert", num_hidden_groups=200_000, embedding_size=8),
)

_JSONS: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "not readable JSON"),
    "half": (b'{"model_type": "bert"', "not readable JSON"),
    "not UTF-8": (b'{"model_type": "\xff\xfe"}', "not readable JSON"),
    "a list": (b"[]", "expected a JSON object, got a list"),
    "null": (b"null", "expected a JSON object, got a NoneType"),
    "a deep bomb": (b'{"a":' + b"[" * 49_000 + b"]" * 49_000 + b"}", "nested more than 20"),
    "an unclosed bomb": (b"[" * 99_000, "nested more than 20"),
    "quite deep": (b'{"model_type": "bert", "a":' + b"[" * 30 + b"]" * 30 + b"}", "nested more than 20"),
    "a number of 50,000 digits": (b'{"model_type": "bert", "hidden_size": ' + b"9" * 50_000 + b"}", "not readable"),
    "overflow": (b'{"model_type": "bert", "hidden_size": 1e999}', "1e999 is not a finite number"),
    "too long": (b" " * 100_001, "100,001 bytes, expected at most 100,000"),
}
for _name, (_content, _says) in _JSONS.items():
    add(f"config.json: {_name}", "CheckpointError", _says, write("config.json", _content))


# -- tensors -----------------------------------------------------------------------------------------------------------

State = dict[str, Tensor]


def rewrite(change: Callable[[State], Any], *, pickled: bool = False) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        path = folder / "model.safetensors"
        state = load_file(path)
        change(state)
        if pickled:
            path.unlink()
            torch.save(state, folder / "pytorch_model.bin")
        else:
            save_file({name: tensor.clone().contiguous() for name, tensor in state.items()}, path)

    return spoil


def change(name: str, how: Callable[[Tensor], Tensor]) -> Callable[[State], None]:
    return lambda state: state.update({name: how(state[name])})


def first(value: float) -> Callable[[Tensor], Tensor]:
    def how(tensor: Tensor) -> Tensor:
        tensor = tensor.clone()
        tensor.view(-1)[0] = value
        return tensor

    return how


DECODER = "cls.predictions.decoder"
_TENSORS: dict[str, tuple[Callable[[State], Any], str]] = {
    "one missing": (lambda state: state.pop(QUERY), rf"1 missing: {QUERY}\."),
    "many missing": (
        lambda state: [state.pop(name) for name in list(state) if "layer.1" in name],
        r"16 missing: (bert\S+, ){3}\.\.\.",
    ),
    "one too many": (lambda state: state.update(lora_A=torch.ones(2)), r"1 unexpected: lora_A\."),
    "mis-shaped": (change(QUERY, lambda t: t[:8]), rf"1 mis-shaped: {QUERY} has shape \(8, 16\), expected \(16, 16\)"),
    "transposed": (
        change("bert.encoder.layer.0.output.dense.weight", lambda t: t.T),
        r"\(24, 16\), expected \(16, 24\)",
    ),
    "a mis-shaped copy": (
        lambda state: state.update({f"{DECODER}.weight": torch.ones(3, 3)}),
        r"decoder.weight has shape \(3, 3\), expected",
    ),
    "nan": (change(QUERY, first(float("nan"))), f"{QUERY} holds numbers that are not finite"),
    "infinity": (change(QUERY, first(-float("inf"))), f"{QUERY} holds numbers that are not finite"),
    "too big for float32": (change(QUERY, lambda t: t.double() * 1e300), f"{QUERY} .* not finite as torch.float32"),
    "whole numbers": (change(QUERY, lambda t: t.long()), f"{QUERY} holds torch.int64, expected float16"),
    "complex": (change(QUERY, lambda t: t.to(torch.complex64)), f"{QUERY} holds torch.complex64"),
    "eight bits": (change(QUERY, lambda t: t.to(torch.float8_e4m3fn)), f"{QUERY} holds torch.float8_e4m3fn"),
    "none at all": (lambda state: state.clear(), "missing: "),
    "old and new names at once": (
        lambda state: state.update({"embeddings.LayerNorm.gamma": state["bert.embeddings.LayerNorm.weight"]}),
        "twice",
    ),
}
for _name, (_change, _says) in _TENSORS.items():
    for _pickled in (False, True):
        _kind = "pickled" if _pickled else "safetensors"
        add(f"tensors, {_kind}: {_name}", "CheckpointError", _says, rewrite(_change, pickled=_pickled))
add(
    "tensors: finite, and their products are not",
    "NonFiniteError",
    "not finite",
    rewrite(lambda state: state.update({name: tensor * 0 + 3e38 for name, tensor in state.items()})),
)


# -- safetensors -------------------------------------------------------------------------------------------------------


def header(text: bytes, length: int | None = None) -> bytes:
    return struct.pack("<Q", len(text) if length is None else length) + text


def cut(keep: int) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        path = folder / "model.safetensors"
        path.write_bytes(path.read_bytes()[:keep])

    return spoil


def lie(old: bytes, new: bytes) -> Callable[[Path], None]:
    """Change the header and keep its length."""

    def spoil(folder: Path) -> None:
        path = folder / "model.safetensors"
        content = path.read_bytes()
        assert old in content and len(old) == len(new)
        path.write_bytes(content.replace(old, new, 1))

    return spoil


for _keep in (0, 4, 9, 500, -1):
    add(f"safetensors: cut at {_keep}", "CheckpointError", "damaged or cut off", cut(_keep))
_HEADERS: dict[str, tuple[bytes, str]] = {
    "a header of 2^60 bytes": (header(b"{}", 2**60), "a header of 1,152,921,504,606,846,976 bytes"),
    "not JSON": (header(b"garbage!"), "damaged"),
    "a huge tensor, a small file": (
        header(b'{"a":{"dtype":"F32","shape":[1000000,1000000],"data_offsets":[0,4000000000000]}}'),
        "damaged",
    ),
    "an overflowing shape": (
        header(b'{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}'),
        "damaged",
    ),
    "a negative place": (header(b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}}') + b"abcd", "damaged"),
    "two tensors in one place": (
        header(
            b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
        )
        + b"abcd",
        "damaged",
    ),
    "an unknown dtype": (header(b'{"a":{"dtype":"X9","shape":[1],"data_offsets":[0,4]}}') + b"abcd", "damaged"),
    "trailing bytes": (header(b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}') + b"abcdefgh", "damaged"),
    "a deep header": (header(b'{"a":' + b"[" * 200_000 + b"]" * 200_000 + b"}"), "damaged"),
    "30,000 empty tensors": (
        header(
            json.dumps({f"{n}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for n in range(30_000)}).encode()
        ),
        "missing",
    ),
    "a web page": (b"<!doctype html><title>404</title>" * 9, "a header of"),
}
for _name, (_content, _says) in _HEADERS.items():
    add(f"safetensors: {_name}", "CheckpointError", _says, write("model.safetensors", _content))
add("safetensors: a shape that lies", "CheckpointError", "damaged", lie(b'"shape":[16,16]', b'"shape":[99,99]'))
add(
    "safetensors: a terabyte of nothing",
    "CheckpointError",
    "damaged|trailing",
    lambda folder: os.truncate(
        folder / "model.safetensors",
        2**40,
    ),
)


def index(document: Any) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        (folder / "model.safetensors").rename(folder / "else.safetensors")
        content = document if isinstance(document, bytes) else json.dumps(document).encode()
        (folder / "model.safetensors.index.json").write_bytes(content)

    return spoil


_INDEXES: dict[str, tuple[Any, str]] = {
    "no map": ({}, "weight_map must name"),
    "an empty map": ({"weight_map": {}}, "weight_map must name"),
    "upwards": ({"weight_map": {"a": "../secret.safetensors"}}, "weight_map must name"),
    "absolute": ({"weight_map": {"a": "/etc/secret.safetensors"}}, "weight_map must name"),
    "a pickle": ({"weight_map": {"a": "model.bin"}}, "weight_map must name"),
    "a number": ({"weight_map": {"a": 7}}, "weight_map must name"),
    "a NUL": ({"weight_map": {"a": "a\0.safetensors"}}, "Cannot open"),
    "a file that is not there": ({"weight_map": {"a": "a.safetensors"}}, "Cannot open"),
    "a bomb of objects": (b'{"weight_map": [' + b"{}," * 600_000 + b"{}]}", "weight_map must name|nested"),
    "too long": (b" " * 3_000_000, "bytes, expected at most"),
}
for _name, (_index, _says) in _INDEXES.items():
    add(f"index: {_name}", "CheckpointError", _says, index(_index))


def twice(folder: Path) -> None:
    content = (folder / "model.safetensors").read_bytes()
    for name in ("a.safetensors", "b.safetensors"):
        (folder / name).write_bytes(content)
    index({"weight_map": {"one": "a.safetensors", "two": "b.safetensors"}})(folder)


add("index: a tensor in two files", "CheckpointError", "stands in another file of the folder too", twice)


# -- pickles -----------------------------------------------------------------------------------------------------------


class Evil:
    """A pickle that writes a file when it is opened by anybody who calls what it names."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def pickled(content: Any, **options: Any) -> Callable[[Path], None]:
    """content: what torch.save is to write, or a function of the folder that gives it, or the file itself."""

    def spoil(folder: Path) -> None:
        made = content(folder) if callable(content) else content
        (folder / "model.safetensors").unlink()
        path = folder / "pytorch_model.bin"
        if isinstance(made, bytes):
            path.write_bytes(made)
        else:
            torch.save(made, path, **options)

    return spoil


def archive(data: bytes, *, method: int = zipfile.ZIP_STORED, names: tuple[str, ...] = ("a/data.pkl",)) -> Any:
    """A file as torch writes it, with this list of tensors."""

    def make(folder: Path) -> bytes:
        path = folder / "made.zip"
        with zipfile.ZipFile(path, "w", method) as made:
            for name in names:
                made.writestr(name, data)
            made.writestr("a/version", "3\n")
            made.writestr("a/byteorder", "little")
        return path.read_bytes()

    return make


def call(module: str, name: str, number: int) -> bytes:
    """A pickle that calls a function with a number."""
    return f"\x80\x02c{module}\n{name}\n".encode("latin1") + b"\x8a\x08" + number.to_bytes(8, "little") + b"\x85R."


def evil(folder: Path) -> Any:
    return load_file(folder / "model.safetensors") | {"evil": Evil(folder.parent / PROOF)}


add("pickle: code, in a zip", "CheckpointError", "cannot be read", pickled(evil))
add(
    "pickle: code, in torch's older format",
    "CheckpointError",
    "cannot be read",
    pickled(evil, _use_new_zipfile_serialization=False),
)
add(
    "pickle: code, plain",
    "CheckpointError",
    "cannot be read",
    pickled(lambda folder: pickle.dumps({"evil": Evil(folder.parent / PROOF)}, protocol=2)),
)
for _module, _name in (("builtins", "bytearray"), ("torch", "Tensor"), ("builtins", "exec"), ("os", "system")):
    add(
        f"pickle: {_name} of 10^12",
        "CheckpointError",
        "which is no part of a tensor",
        pickled(archive(call(_module, _name, 10**12))),
    )
add(
    "pickle: bytearray 10^12, plain",
    "CheckpointError",
    "cannot be read",
    pickled(call("builtins", "bytearray", 10**12)),
)
add(
    "pickle: an operation that takes a terabyte",
    "CheckpointError",
    "cannot be read",
    pickled(archive(b"\x80\x05\x96" + (10**12).to_bytes(8, "little") + b"a.")),
)
add("pickle: a note numbered 2^31", "CheckpointError", "missing", pickled(archive(b"\x80\x02}r\xff\xff\xff\x7f.")))
add(
    "pickle: two lists of tensors",
    "CheckpointError",
    "expected one list of tensors",
    pickled(archive(b"\x80\x02}.", names=("a/data.pkl", "b/data.pkl"))),
)
add(
    "pickle: compressed",
    "CheckpointError",
    "compressed inside",
    pickled(archive(b"\0" * 10_000_000, method=zipfile.ZIP_DEFLATED)),
)
_PICKLES: dict[str, tuple[Any, str]] = {
    "a list": ([torch.ones(2)], "expected a dictionary of tensors, got a list"),
    "a number": ({"a": 1}, "'a' is not an ordinary tensor"),
    "numbered": ({1: torch.ones(2)}, "1 is not an ordinary tensor"),
    "nested": ({"state_dict": {"a": torch.ones(2)}}, "'state_dict' is not an ordinary tensor"),
    "sparse": ({WORDS: torch.eye(40)[:, :16].to_sparse()}, "cannot be read|is not an ordinary tensor"),
    "no memory": ({WORDS: torch.empty(40, 16, device="meta")}, "is not an ordinary tensor|cannot be read"),
    "a huge view": ({WORDS: torch.ones(1).expand(10**6, 10**6)}, r"has shape \(1000000, 1000000\), expected"),
    "nothing": (b"", "cannot be read"),
    "the beginning of a zip": (b"PK\x03\x04" + b" " * 10_000, "cannot be read"),
    "a web page": (b"<html>" * 2_000, "cannot be read"),
}
for _name, (_content, _says) in _PICKLES.items():
    add(f"pickle: {_name}", "CheckpointError", _says, pickled(_content))


def shortened(keep: int) -> Callable[[Path], bytes]:
    def make(folder: Path) -> bytes:
        torch.save(load_file(folder / "model.safetensors"), folder / "whole.bin")
        return (folder / "whole.bin").read_bytes()[:keep]

    return make


add("pickle: cut in the middle", "CheckpointError", "cannot be read", pickled(shortened(9_000)))
add("pickle: cut at its end", "CheckpointError", "cannot be read", pickled(shortened(-30)))


def sparse(folder: Path) -> None:
    pickled(b"\0" * 100)(folder)
    os.truncate(folder / "pytorch_model.bin", 2**40)


add("pickle: a terabyte of nothing", "CheckpointError", "holds [0-9,]+ bytes, expected at most", sparse)


def bare_promise(folder: Path) -> None:
    """A model of four thousand million bytes in a file of a few thousand."""
    rewrite(lambda state: None, pickled=True)(folder)
    configure(vocab_size=300_000, hidden_size=1024)(folder)


add("pickle: less than the configuration says", "CheckpointError", "words alone need", bare_promise)


# -- files of the old TensorFlow and Flax classes ----------------------------------------------------------------------

Spoil = Callable[[Path], None]


def weights_in(name: str, content: bytes) -> Spoil:
    """Weights in another file, which holds these bytes."""

    def spoil(folder: Path) -> None:
        (folder / "model.safetensors").unlink()
        (folder / name).write_bytes(content)

    return spoil


def hdf5(fill: Callable[[Any], Any]) -> Spoil:
    """Weights in an HDF5 file that `fill` writes."""

    def spoil(folder: Path) -> None:
        import h5py

        weights_in("tf_model.h5", b"")(folder)
        with h5py.File(folder / "tf_model.h5", "w") as file:
            fill(file)

    return spoil


def numbers_outside(file: Any) -> None:
    file.create_dataset("bert/m/bert/x:0", (4,), "<f4", external=[("/etc/passwd", 0, 16)])


def link_outside(file: Any) -> None:
    import h5py

    file["bert"] = h5py.ExternalLink("../secret.h5", "/")


def view_outside(file: Any) -> None:
    import h5py

    layout = h5py.VirtualLayout((4,), "<f4")
    layout[:] = h5py.VirtualSource("../secret.h5", "x", (4,))
    file.create_virtual_dataset("x", layout)


def compressed_ones(file: Any) -> None:
    file.create_dataset("x", (2**18, 2**10), "<f4", compression="gzip", fillvalue=1.0)


_MESSAGES = {
    "nothing": (b"", "is cut off"),
    "deep maps": (b"\x81\xa1a" * 100_000, "is damaged"),
    "deep lists": (b"\x91" * 100_000, "is damaged"),
    "a map of four thousand million": (b"\xdf\xff\xff\xff\xff", "is damaged"),
    "an array of four gigabytes": (b"\x81\xa1a\xc9\xff\xff\xff\xff\x01", "is damaged"),
    "a tensor of 2**62 numbers": (
        b"\x81\xa1a\xc7\x16\x01\x93\x92" + b"\xce\x7f\xff\xff\xff" * 2 + b"\xa7float32\xc4\x00",
        "0 bytes, expected",
    ),
    "an object": (b"\x81\xa1a\xc7\x01\x07x", "something else of msgpack's type 7"),
    "a pickle": (pickle.dumps({"a": 1}), "goes on after its end"),
    "text": (b"<html>" * 2_000, "goes on after its end"),
}
for _name, (_bytes, _says) in _MESSAGES.items():
    add(f"msgpack: {_name}", "CheckpointError", _says, weights_in("flax_model.msgpack", _bytes))

_HDF5S: dict[str, tuple[Spoil, str]] = {
    "nothing": (weights_in("tf_model.h5", b""), "is damaged, cut off or no HDF5 file"),
    "a web page": (weights_in("tf_model.h5", b"<html>" * 2_000), "is damaged, cut off or no HDF5 file"),
    "its mark alone": (weights_in("tf_model.h5", b"\x89HDF\r\n\x1a\n" + b"\0" * 4_000), "is damaged, cut off"),
    "numbers of a file outside": (hdf5(numbers_outside), "compressed, in pieces or in another file"),
    "a link to a file outside": (hdf5(link_outside), "is a link"),
    "a view of a file outside": (hdf5(view_outside), "compressed, in pieces or in another file"),
    "a bomb": (hdf5(compressed_ones), "compressed, in pieces or in another file"),
    "a circle": (hdf5(lambda file: file.__setitem__("again", file["/"])), "more groups and datasets than any model"),
    "no tensors": (hdf5(lambda file: None), "missing: bert"),
}
for _name, (_spoil, _says) in _HDF5S.items():
    add(f"hdf5: {_name}", "CheckpointError", _says, _spoil)


# -- tokenizers --------------------------------------------------------------------------------------------------------


def tokenizer(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        path = folder / "tokenizer.json"
        document = json.loads(path.read_text(encoding="utf-8"))
        change(document)
        path.write_text(json.dumps(document), encoding="utf-8")

    return spoil


def parts(**changes: Any) -> Callable[[Path], None]:
    return tokenizer(lambda document: document.update(changes))


def model(**changes: Any) -> Callable[[Path], None]:
    return tokenizer(lambda document: document["model"].update(changes))


def split(pattern: dict[str, str]) -> dict[str, Any]:
    return {"type": "Split", "pattern": pattern, "behavior": "Isolated", "invert": False}


def replace(pattern: str, content: str) -> dict[str, Any]:
    return {"type": "Replace", "pattern": {"String": pattern}, "content": content}


def sequences(depth: int) -> dict[str, Any]:
    step: dict[str, Any] = {"type": "Lowercase"}
    for _ in range(depth):
        step = {"type": "Sequence", "normalizers": [step]}
    return step


def charsmap(*texts: bytes) -> dict[str, Any]:
    content = struct.pack("<I", 8) + b"\0" * 8 + b"\0".join(texts)
    return {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(content).decode()}


def cubic(folder: Path) -> None:
    """Every letter is a piece, no two are, and words may be as long as the text."""
    model(max_input_chars_per_word=10**9)(folder)


def beyond(document: dict[str, Any]) -> None:
    vocab = document["model"]["vocab"]
    vocab["paris"] = len(vocab) + 50


_TOKENIZERS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "empty": (write("tokenizer.json", b""), "not valid JSON"),
    "half": (write("tokenizer.json", b"{"), "not valid JSON"),
    "not UTF-8": (write("tokenizer.json", b"\xff\xfe{}"), "not UTF-8"),
    "a list": (write("tokenizer.json", b"[]"), "expected a JSON object"),
    "a deep bomb": (write("tokenizer.json", b"[" * 100_000), "not valid JSON"),
    "a wide bomb": (write("tokenizer.json", b'{"a": [' + b"{}," * 6_000_000 + b"{}]}"), "not valid JSON"),
    "a bomb of numbers": (write("tokenizer.json", b'{"a": [' + b"1.5," * 5_000_000 + b"0]}"), "not valid JSON"),
    "too large": (write("tokenizer.json", b" " * (20 * 2**20 + 1)), "bytes, expected at most"),
    "no model": (write("tokenizer.json", b"{}"), "has no model"),
    "a model that is text": (parts(model="BPE"), "has no model"),
    "word level": (parts(model={"type": "WordLevel", "vocab": {}, "unk_token": "x"}), "Supported: Unigram"),
    "no vocabulary": (parts(model={"type": "WordPiece"}), "malformed"),
    "no special tokens": (parts(model={"type": "WordPiece", "vocab": {"a": 0}}, added_tokens=[]), "has no cls token"),
    "an id of 2^32 - 1": (model(vocab={"a": 4294967295}), "ids up to 4,294,967,295"),
    "an id that is text": (model(vocab={"a": "0"}), "malformed"),
    "an id that is negative": (model(vocab={"a": -1}), "Expected 1 to"),
    "added tokens that are none": (parts(added_tokens=[1]), "malformed"),
    "a broken regular expression": (parts(pre_tokenizer=split({"Regex": "("})), "regular expression of its own"),
    "a regular expression that panics": (
        parts(pre_tokenizer=split({"Regex": "(a+)+$"})),
        "regular expression of its own",
    ),
    "a regular expression that takes hours": (
        parts(normalizer={"type": "Replace", "pattern": {"Regex": "(x|x)*y"}, "content": ""}),
        "regular expression of its own",
    ),
    "a regular expression to decode": (
        parts(decoder={"type": "Replace", "pattern": {"Regex": "(a*)*b"}, "content": ""}),
        "regular expression of its own",
    ),
    "an unknown step": (parts(pre_tokenizer={"type": "Nonsense"}), "could not build"),
    "a text that grows": (parts(normalizer=replace("a", "a" * 1_000_000)), "No text may grow so much"),
    "a text that grows step by step": (
        parts(normalizer={"type": "Sequence", "normalizers": [replace("a", "aa")] * 30}),
        "No text may grow so much",
    ),
    "1,000 steps": (
        parts(normalizer={"type": "Sequence", "normalizers": [replace("a", "b")] * 1_000}),
        "more than 32 steps",
    ),
    "sequences in sequences": (parts(normalizer=sequences(300)), "more than 32 steps"),
    "a megabyte before each text": (parts(normalizer={"type": "Prepend", "prepend": "a" * 2**20}), "No text may grow"),
    "a megabyte for a character": (parts(normalizer=charsmap(b"x" * 2**20)), "bytes for a character"),
    "words of any length": (cubic, "max_input_chars_per_word is 1,000,000,000"),
    "half a surrogate pair": (model(vocab={"\ud800": 0}), "has no cls token|JSON cannot say|could not"),
    "settings that are none": (
        write("tokenizer_config.json", b'{"do_lower_case": "yes"}'),
        "do_lower_case is 'yes', expected true or false",
    ),
    "a mask that is a number": (write("tokenizer_config.json", b'{"mask_token": 3}'), "mask_token is 3"),
}
for _name, (_spoil, _says) in _TOKENIZERS.items():
    add(f"tokenizer: {_name}", "TokenizerError", _says, _spoil)
add("tokenizer: ids beyond the words", "CheckpointError", "They do not belong together", tokenizer(beyond))
add(
    "tokenizer: a SentencePiece of another kind",
    "TokenizerError",
    "holds no tokenizer",
    lambda folder: (
        [(folder / name).unlink() for name in ("tokenizer.json", "vocab.txt")]
        and (folder / "spiece.model").write_bytes(b"\xff" * 100)
    ),
)


# -- files and names ---------------------------------------------------------------------------------------------------


def outside(name: str) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        (folder / name).rename(folder.parent / f"moved {name}")
        (folder / name).symlink_to(folder.parent / f"moved {name}")

    return spoil


def instead(name: str, make: Callable[[Path], Any]) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        (folder / name).unlink()
        make(folder / name)

    return spoil


for _file in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"):
    _error = "TokenizerError" if _file.startswith("tokenizer") else "CheckpointError"
    add(f"{_file}: a link that leaves the folder", _error, "is a link that leaves the folder", outside(_file))
    add(f"{_file}: a folder", _error, "is not a regular file", instead(_file, Path.mkdir))
    if hasattr(os, "mkfifo"):
        add(f"{_file}: a FIFO", _error, "is not a regular file", instead(_file, os.mkfifo))
    if Path("/dev/zero").exists():
        add(
            f"{_file}: a device",
            _error,
            "is a link that leaves",
            instead(_file, lambda path: path.symlink_to("/dev/zero")),
        )
for _file in ("config.json", "model.safetensors"):
    add(
        f"{_file}: a link to itself",
        "CheckpointError",
        "Cannot open",
        instead(_file, lambda path: path.symlink_to(path)),
    )
add("weights: none", "CheckpointError", "has no weights", lambda folder: (folder / "model.safetensors").unlink())
add("folder: not there", "MissingFolderError", "is not a folder", shutil.rmtree)

for _number, (_asked, _error, _says) in enumerate(
    [
        ("https://huggingface.co/albert/albert-base-v2", "UnknownModelError", "Unknown model"),
        ("http://169.254.169.254/latest", "UnknownModelError", "Unknown model"),
        ("../../etc/passwd", "UnknownModelError", "Unknown model"),
        ("a/../b", "UnknownModelError", "Unknown model"),
        ("owner/name?x=1", "UnknownModelError", "Unknown model"),
        ("owner\x00/name", "UnknownModelError", "Unknown model"),
        ("x" * 100_000, "UnknownModelError", "Unknown model"),
        ("owner/name", "NeedsNetworkError", "is not on this machine"),
    ]
):
    add(f"name {_number}: {_asked[:30]!r}", _error, _says, lambda _: None, key=_asked)


# -- the server under attack -------------------------------------------------------------------------------------------


def attack(root: Path) -> None:
    """Open all of them in one process that has good models; a line of JSON for each."""
    import resource

    import bortlab
    from bortlab import registry

    def peak_mb() -> float:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)

    torch.set_num_threads(1)
    start = good(root / "good")
    kept = bortlab.load("bert-mini"), bortlab.load_from(start)
    answer = kept[0].fill_mask(TEXT)
    for name, hostile in CORPUS.items():
        folder = Path(shutil.copytree(start, root / "hostile"))
        hostile.spoil(folder)
        faulthandler.dump_traceback_later(HANG_S, exit=True)
        before, started = peak_mb(), time.process_time()
        error, kinds, said = "", [], ""
        try:
            if hostile.key is None:
                loaded = bortlab.load_from(folder, family=hostile.family)
            else:
                loaded = bortlab.load(hostile.key, family=hostile.family)
            loaded.fill_mask(hostile.text)
        except BaseException as caught:  # a panic is no Exception
            error, said = type(caught).__name__, str(caught)
            kinds = [kind.__name__ for kind in type(caught).__mro__]
        record = {
            "name": name,
            "error": error,
            "kinds": kinds,
            "said": said[:2000],
            "seconds": time.process_time() - started,
            "grown_mb": peak_mb() - before,
            "proof": (root / PROOF).exists(),
            "kept": bortlab.load("bert-mini") is kept[0] and bortlab.load_from(start) is kept[1],
            "serves": kept[0].fill_mask(TEXT) == answer,
            "cached": len(registry.loaded()),
        }
        faulthandler.cancel_dump_traceback_later()
        print(json.dumps(record), flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        for left in root.glob("moved *"):
            left.unlink()


if __name__ == "__main__":
    attack(Path(sys.argv[1]))
