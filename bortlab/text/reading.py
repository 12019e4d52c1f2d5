"""Reading a folder's tokenizer from whichever vocabulary files it holds."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import tokenizers

from bortlab.text.definition import entries_of, kind_of
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
from bortlab.text.special import ANY_KIND_CLASSES, CLASS_KINDS, SPECIAL_TOKENS, PairFormat, SpecialTokens, TokenizerKind


def _special_tokens_from(config: Mapping[str, Any], kind: TokenizerKind) -> SpecialTokens:
    """Token names of tokenizer_config.json (plain or an object with "content"); the family's own where it is silent."""
    names: dict[str, str] = {}
    for role in ("cls", "sep", "pad", "unk", "mask"):
        token = config.get(f"{role}_token")
        token = token.get("content") if isinstance(token, dict) else token
        if token is not None and not (isinstance(token, str) and token):
            raise TokenizerError(f"tokenizer_config.json: {role}_token is {token!r}, expected a token such as '[CLS]'.")
        names[role] = token if token is not None else getattr(SPECIAL_TOKENS[kind], role)
    return SpecialTokens(**names)


@dataclass(frozen=True, slots=True)
class FolderTokenizer:
    """What a model's folder says about its tokenizer. document: a tokenizer.json, as parsed."""

    document: dict[str, Any]
    special_tokens: SpecialTokens
    pair_format: PairFormat


def read_folder(folder: Path, kind: TokenizerKind | None, *, prefer: TokenizerKind | None = None) -> FolderTokenizer:
    """tokenizer.json or the classic files, with what the folder's other JSON files say.

    The files, and the class that tokenizer_config.json (or config.json) names, decide on the kind. kind: the only one
    that will do; prefer: the one to take where files of several kinds lie side by side and no class is named.
    """
    for name in (kind, prefer):
        if name is not None and name not in get_args(TokenizerKind):
            raise TokenizerError(f"Unknown tokenizer kind {name!r}. Known: {', '.join(get_args(TokenizerKind))}.")
    config = read_json_if_there(folder / "special_tokens_map.json")
    config |= read_json_if_there(folder / "tokenizer_config.json")
    has_definition = (folder / "tokenizer.json").exists()
    own_kind = _kind_of_class(folder, config, has_definition=has_definition)
    options = PipelineOptions.from_config(config)
    if has_definition:
        document = parse_json(read_text(folder / "tokenizer.json"), "tokenizer.json")
        honour(document, options)
    else:
        reader = _classic_reader(folder, kind or own_kind, prefer)
        document = parse_json(reader(folder, options), "The vocabulary")
    file_kind = kind_of(document)
    for expected, reason in ((kind, "expected"), (own_kind, "but tokenizer_config.json names a class for")):
        if expected is not None and file_kind != expected:
            raise TokenizerError(f"{folder} holds a {file_kind} tokenizer, {reason} {expected}. {_MEND_KIND}")
    names = _special_tokens_from(config, file_kind)
    if file_kind == "wordpiece" and not has_definition:
        document["model"]["unk_token"] = names.unk
    _add_tokens(folder, config, document)
    pair_format: PairFormat = "double" if config.get("pair_format") == "double" else "single"
    return FolderTokenizer(document, names, pair_format)


_MEND_KIND = "Get all files of the tokenizer from one place."
_CLASSIC_FILES: Mapping[TokenizerKind, tuple[str, ...]] = {
    "wordpiece": ("vocab.txt",),
    "byte-bpe": ("vocab.json", "merges.txt"),
    "unigram": ("spiece.model",),
}


def _kind_of_class(folder: Path, config: Mapping[str, Any], *, has_definition: bool) -> TokenizerKind | None:
    """The kind that the folder's tokenizer class cuts as, None where the files alone decide.

    TokenizerError for a class that cuts in a way of its own: an approximation would give other ids, and so other
    predictions, without a word.
    """
    name = config.get("tokenizer_class")
    if name is None:
        name = read_json_if_there(folder / "config.json").get("tokenizer_class")
    if name is None:
        return None
    if not isinstance(name, str):
        raise TokenizerError(f"tokenizer_config.json: tokenizer_class is {name!r}, expected a class's name.")
    stem = name.removesuffix("Fast")
    if stem in CLASS_KINDS:
        return CLASS_KINDS[stem]
    if name in ANY_KIND_CLASSES and has_definition:
        return None
    if name in ANY_KIND_CLASSES:
        raise TokenizerError(f"{folder}: {name} needs a tokenizer.json, and there is none. {_MEND_KIND}")
    raise TokenizerError(
        f"{folder}: its tokenizer is a {name[:100]}, which cuts text in a way of its own that bortlab does not know. "
        f"Known: {', '.join(CLASS_KINDS)}, or a tokenizer.json of {ANY_KIND_CLASSES[1]}."
    )


def _classic_reader(
    folder: Path, kind: TokenizerKind | None, prefer: TokenizerKind | None
) -> Callable[[Path, PipelineOptions], str]:
    """The reader of the classic vocabulary files that the folder holds."""
    readers: Mapping[TokenizerKind, Callable[[Path, PipelineOptions], str]] = {
        "wordpiece": _read_wordpiece,
        "byte-bpe": _read_bpe,
        "unigram": _read_spiece,
    }
    candidates = [kind] if kind else sorted(readers, key=lambda name: name != prefer)
    for candidate in candidates:
        if all((folder / name).exists() for name in _CLASSIC_FILES[candidate]):
            return readers[candidate]
    expected = ", or ".join(" + ".join(_CLASSIC_FILES[candidate]) for candidate in candidates)
    raise TokenizerError(f"{folder} holds no tokenizer. Expected tokenizer.json or {expected}.")


def _add_tokens(folder: Path, config: Mapping[str, Any], document: dict[str, Any]) -> None:
    """Put the tokens that lie beside a vocabulary into its document, with the flags that transformers gives them.

    added_tokens.json has ids alone; added_tokens_decoder of tokenizer_config.json has flags too; names under
    additional_special_tokens that neither has get the next ids.
    """
    extra = config.get("additional_special_tokens") or config.get("extra_special_tokens") or []
    extra = list(extra.values()) if isinstance(extra, dict) else extra
    special = [str(token.get("content")) if isinstance(token, dict) else str(token) for token in extra]
    added: dict[str, dict[str, Any]] = {}
    for content, number in read_json_if_there(folder / "added_tokens.json").items():
        added[content] = {"id": number, "special": False}
    decoder = config.get("added_tokens_decoder") or {}
    if not isinstance(decoder, dict) or not all(isinstance(token, dict) for token in decoder.values()):
        raise TokenizerError("tokenizer_config.json: added_tokens_decoder is malformed. Expected ids and tokens.")
    for number, token in decoder.items():
        if not number.isdecimal():
            raise TokenizerError(
                f"tokenizer_config.json: added_tokens_decoder has the id {number!r}, expected a number."
            )
        added[str(token.get("content"))] = {"special": False, **token, "id": int(number)}
    if not added and not special:
        return
    entries = dict(entries_of(document))
    present = entries.keys()
    following = max(entries.values(), default=-1) + 1
    following = max([following, *(token["id"] + 1 for token in added.values() if isinstance(token["id"], int))])
    for content in special:
        if content not in present and content not in added:
            added[content] = {"id": following, "special": True}
            following += 1
    flags = ("single_word", "lstrip", "rstrip")
    document["added_tokens"] = [
        *(document.get("added_tokens") or []),
        *(
            {
                "id": token["id"],
                "content": content,
                **{flag: bool(token.get(flag, False)) for flag in flags},
                "normalized": bool(token.get("normalized", not token["special"])),
                "special": bool(token["special"]),
            }
            for content, token in added.items()
            if content not in present
        ),
    ]


def _read_wordpiece(folder: Path, options: PipelineOptions) -> str:
    lines = read_text(folder / "vocab.txt").removeprefix("\ufeff").removesuffix("\n").split("\n")
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
