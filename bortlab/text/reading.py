"""Reading a folder's tokenizer from whichever vocabulary files it holds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import tokenizers

from bortlab.text.definition import kind_of
from bortlab.text.parsing import (
    TokenizerError,
    dump,
    parse_json,
    read_bytes,
    read_json_if_there,
    read_text,
    rust,
    sentencepiece_proto,
)
from bortlab.text.pipelines import PipelineOptions, blank_from, honour
from bortlab.text.special import SPECIAL_TOKENS, Kind, PairFormat, SpecialTokens


def _special_tokens_from(config: Mapping[str, Any], kind: Kind) -> SpecialTokens:
    """Token names of tokenizer_config.json (plain or an object with "content"); the family's own where it is silent."""
    names: dict[str, str] = {}
    for role in ("cls", "sep", "pad", "unk", "mask"):
        said = config.get(f"{role}_token")
        said = said.get("content") if isinstance(said, dict) else said
        if said is not None and not (isinstance(said, str) and said):
            raise TokenizerError(f"tokenizer_config.json: {role}_token is {said!r}, expected a token such as '[CLS]'.")
        names[role] = said if said is not None else getattr(SPECIAL_TOKENS[kind], role)
    return SpecialTokens(**names)


@dataclass(frozen=True, slots=True)
class Found:
    """What a model's folder says about its tokenizer."""

    definition: str
    special_tokens: SpecialTokens
    pair_format: PairFormat


def read_folder(folder: Path, kind: Kind | None) -> Found:
    """tokenizer.json or the classic files, with what tokenizer_config.json and special_tokens_map.json say."""
    if kind is not None and kind not in get_args(Kind):
        raise TokenizerError(f"Unknown tokenizer kind {kind!r}. Known: {', '.join(get_args(Kind))}.")
    config = read_json_if_there(folder / "special_tokens_map.json")
    config |= read_json_if_there(folder / "tokenizer_config.json")
    definition = _read_definition(folder, kind, PipelineOptions.from_config(config))
    found = kind_of(parse_json(definition, "tokenizer definition"))
    if kind is not None and found != kind:
        raise TokenizerError(f"{folder} holds a {found} tokenizer, expected {kind}. Use a folder of that family.")
    pair_format: PairFormat = "double" if config.get("pair_format") == "double" else "single"
    return Found(definition, _special_tokens_from(config, found), pair_format)


def _read_definition(folder: Path, kind: Kind | None, options: PipelineOptions) -> str:
    """tokenizer.json's text, its own or made from the classic vocabulary files."""
    if (folder / "tokenizer.json").exists():
        document = parse_json(read_text(folder / "tokenizer.json"), "tokenizer.json")
        honour(document, options)
        return dump(document)
    readers = {
        "wordpiece": (("vocab.txt",), _read_wordpiece),
        "byte-bpe": (("vocab.json", "merges.txt"), _read_bpe),
        "unigram": (("spiece.model",), _read_spiece),
    }
    for found, (names, reader) in readers.items():
        if kind in (None, found) and all((folder / name).exists() for name in names):
            return reader(folder, options)
    expected = [" + ".join(names) for found, (names, _) in readers.items() if kind in (None, found)]
    raise TokenizerError(f"{folder} holds no tokenizer. Expected tokenizer.json or {', or '.join(expected)}.")


def _read_wordpiece(folder: Path, options: PipelineOptions) -> str:
    lines = read_text(folder / "vocab.txt").removesuffix("\n").split("\n")
    vocab = {line.removesuffix("\r"): i for i, line in enumerate(lines)}
    with rust("read vocab.txt"):
        backend = blank_from("wordpiece", options)
    return _with_model(backend, vocab=vocab)


def _read_bpe(folder: Path, options: PipelineOptions) -> str:
    vocab = parse_json(read_text(folder / "vocab.json"), "vocab.json")
    lines = read_text(folder / "merges.txt").split("\n")
    merges = [line.removesuffix("\r") for line in lines if line.strip() and not line.startswith("#version")]
    with rust("read vocab.json and merges.txt"):
        backend = blank_from("byte-bpe", options)
    return _with_model(backend, vocab=vocab, merges=[line.split(" ") for line in merges])


def _read_spiece(folder: Path, options: PipelineOptions) -> str:
    """SentencePiece's file, as transformers' AlbertConverter reads it: a piece such as "1," scores 100 less."""
    proto = sentencepiece_proto(required=True)
    model = proto.ModelProto()
    try:
        model.ParseFromString(read_bytes(folder / "spiece.model"))
    except Exception as error:  # protobuf's DecodeError is not exported in one stable place
        raise TokenizerError(f"spiece.model is not a SentencePiece model ({error}).") from error
    if model.trainer_spec.model_type != model.trainer_spec.UNIGRAM:
        raise TokenizerError("spiece.model is not a Unigram model. Expected ALBERT's spiece.model.")

    def number_comma(piece: str) -> bool:
        return len(piece) > 1 and piece.endswith(",") and piece[-2].isdigit()

    vocab = [[piece.piece, piece.score - 100 * number_comma(piece.piece)] for piece in model.pieces]
    with rust("read spiece.model"):
        backend = blank_from("unigram", options, bytes(model.normalizer_spec.precompiled_charsmap))
    return _with_model(backend, vocab=vocab, unk_id=model.trainer_spec.unk_id)


def _with_model(backend: tokenizers.Tokenizer, **parts: Any) -> str:
    """The pipeline's JSON with these parts of its model replaced."""
    document: dict[str, Any] = json.loads(backend.to_str())
    document["model"] |= parts
    return dump(document)
