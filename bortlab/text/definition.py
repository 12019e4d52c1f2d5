"""The parts of a tokenizer.json: what may stand in one, and what it means."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import tokenizers
from tokenizers import AddedToken

from bortlab.text.parsing import MAX_PIECES, TokenizerError, dump, rust
from bortlab.text.special import PairFormat, SpecialTokens, TokenizerKind

MAX_STEPS = 32
MAX_WORD = 1_000
"""Characters of a word that WordPiece cuts; beyond, its time grows with the cube. Published files say 100."""
MAX_REPLACED_BYTES = 64
"""Longest text that a precompiled normalisation may give for a character. Unicode's own have 33 at most."""
_UNREACHABLE = " "  # prefix of special tokens in the backend's vocabulary: no pre-tokenizer leaves a blank in a word
MODEL_TYPES: Mapping[str, TokenizerKind] = MappingProxyType(
    {"Unigram": "unigram", "WordPiece": "wordpiece", "BPE": "byte-bpe"}
)


def kind_of(document: Mapping[str, Any]) -> TokenizerKind:
    model = document.get("model")
    if not isinstance(model, dict):
        raise TokenizerError("tokenizer.json has no model. Expected an object with type Unigram, WordPiece or BPE.")
    name = model.get("type")
    if name is None:  # files older than tokenizers 0.10
        name = "Unigram" if isinstance(model.get("vocab"), list) else "BPE" if "merges" in model else "WordPiece"
    if not isinstance(name, str) or name not in MODEL_TYPES:
        raise TokenizerError(f"The tokenizer's model is {name!r}. Supported: {', '.join(MODEL_TYPES)}.")
    kind = MODEL_TYPES[name]
    if kind == "byte-bpe":
        steps = flat(document.get("pre_tokenizer"), "pretokenizers")
        if not any(step.get("type") == "ByteLevel" for step in steps):
            raise TokenizerError("The tokenizer is a BPE that does not cut bytes. Expected a ByteLevel pre-tokenizer.")
    return kind


def entries_of(document: Mapping[str, Any]) -> list[tuple[str, int]]:
    """(token, id) of the model's vocabulary and of the added tokens; checks types and bounds."""
    raw = document["model"].get("vocab")
    try:
        pairs: list[tuple[Any, Any]] = (
            [(str(piece), i) for i, (piece, _) in enumerate(raw)]
            if isinstance(raw, list)
            else [(str(token), number) for token, number in raw.items()]
        )
        added = document.get("added_tokens") or []
        pairs += [(token["content"], token["id"]) for token in added]
        valid = all(isinstance(token, str) and type(number) is int for token, number in pairs)
    except (AttributeError, TypeError, ValueError, KeyError):
        valid = False
    if not valid:
        raise TokenizerError("The vocabulary of the tokenizer is malformed. Expected tokens with whole-number ids.")
    if not pairs or len(pairs) > MAX_PIECES or not all(0 <= number < MAX_PIECES for _, number in pairs):
        raise TokenizerError(
            f"The vocabulary has {len(pairs):,} entries with ids up to {max((n for _, n in pairs), default=0):,}. "
            f"Expected 1 to {MAX_PIECES:,} entries with ids below that."
        )
    return pairs


def blind_backend(document: Mapping[str, Any], special: set[str], extra: list[dict[str, Any]]) -> tokenizers.Tokenizer:
    """The backend for users' text: no template and no special token that text could match (module docstring)."""

    check_pipeline(document)

    def hide(token: str) -> str:
        return _UNREACHABLE + token if token in special else token

    model = dict(document["model"])
    raw = model["vocab"]
    model["vocab"] = (
        [(hide(piece), score) for piece, score in raw]
        if isinstance(raw, list)
        else {hide(token): number for token, number in raw.items()}
    )
    if isinstance(model.get("unk_token"), str):
        model["unk_token"] = hide(model["unk_token"])
    nothing: dict[str, Any] = {"added_tokens": [], "post_processor": None, "truncation": None, "padding": None}
    with rust("build the tokenizer"):
        backend = tokenizers.Tokenizer.from_str(dump({**document, **nothing, "model": model}))
        flags = ("single_word", "lstrip", "rstrip", "normalized")
        backend.add_tokens([AddedToken(token["content"], **{f: bool(token.get(f)) for f in flags}) for token in extra])
    return backend


def canonical(
    document: Mapping[str, Any],
    names: SpecialTokens,
    kind: TokenizerKind,
    pair_format: PairFormat,
    vocabulary: Mapping[str, int],
    extra: list[dict[str, Any]],
) -> str:
    """tokenizer.json as we write it: with our special tokens and our template, so that others read the same."""
    added = {token["content"]: token for token in document.get("added_tokens") or []}
    for token in (names.pad, names.unk, names.cls, names.sep, names.mask):
        lstrip = token == names.mask and kind != "wordpiece"
        flags = {"single_word": False, "lstrip": lstrip, "rstrip": False, "normalized": False, "special": True}
        added[token] = {"id": vocabulary[token], "content": token, **flags}

    def part(name: str, type_id: int) -> dict[str, Any]:
        return {"SpecialToken" if name in (names.cls, names.sep) else "Sequence": {"id": name, "type_id": type_id}}

    second = 0 if kind == "byte-bpe" else 1
    single = [part(names.cls, 0), part("A", 0), part(names.sep, 0)]
    doubled = [part(names.sep, 0)] if kind == "byte-bpe" and pair_format == "double" else []
    template = {
        "type": "TemplateProcessing",
        "single": single,
        "pair": [*single, *doubled, part("B", second), part(names.sep, second)],
        "special_tokens": {t: {"id": t, "ids": [vocabulary[t]], "tokens": [t]} for t in (names.cls, names.sep)},
    }
    ordered = sorted(added.values(), key=lambda token: int(token["id"]))
    return dump({**document, "truncation": None, "padding": None, "added_tokens": ordered, "post_processor": template})


def flat(step: object, inner: str, depth: int = 0) -> list[dict[str, Any]]:
    """A step of the pipeline, or the steps of a Sequence, as a flat list of JSON objects."""
    if not isinstance(step, dict):
        return []
    if step.get("type") == "Sequence" and isinstance(step.get(inner), list):
        if depth > MAX_STEPS or len(step[inner]) > MAX_STEPS:
            raise TokenizerError(f"tokenizer.json: a Sequence has more than {MAX_STEPS} steps. No published one has.")
        return [leaf for child in step[inner] for leaf in flat(child, inner, depth + 1)]
    return [step]


_REGEXES = (r" {2,}", r"\s+")
"""Regular expressions that published tokenizers have. Another one may take hours for a word, or make a panic."""


def check_pipeline(document: Mapping[str, Any]) -> None:
    """Refuse steps that a file can use to make a short text take hours, or fill the memory."""
    parts = (("normalizer", "normalizers"), ("pre_tokenizer", "pretokenizers"), ("decoder", "decoders"))
    for part, inner in parts:
        steps = flat(document.get(part), inner)
        if len(steps) > MAX_STEPS:
            raise TokenizerError(f"tokenizer.json: {part} has {len(steps)} steps, expected at most {MAX_STEPS}.")
        for step in steps:
            _check_step(part, step)
    longest = document["model"].get("max_input_chars_per_word")
    if isinstance(longest, int) and longest > MAX_WORD:
        raise TokenizerError(
            f"tokenizer.json: max_input_chars_per_word is {longest:,}, expected at most {MAX_WORD:,}. Published files "
            f"say 100."
        )
    charsmap = charsmap_of(document)
    texts = charsmap[4 + int.from_bytes(charsmap[:4], "little") :].split(b"\0")  # behind a trie and its length
    if any(len(text) > MAX_REPLACED_BYTES for text in texts):
        raise TokenizerError(
            f"tokenizer.json: precompiled_charsmap gives {max(map(len, texts)):,} bytes for a character, expected at "
            f"most {MAX_REPLACED_BYTES}. A text must not grow that way."
        )


def _check_step(part: str, step: Mapping[str, Any]) -> None:
    pattern, content = step.get("pattern"), step.get("content")
    if isinstance(pattern, dict) and "Regex" in pattern:
        if pattern["Regex"] not in _REGEXES:
            raise TokenizerError(
                f"tokenizer.json: {part} has a regular expression of its own, {str(pattern['Regex'])[:100]!r}. Only "
                f"those of published tokenizers are run: {', '.join(map(repr, _REGEXES))}."
            )
        pattern = " "
    elif isinstance(pattern, dict):
        pattern = pattern.get("String")
    inserted = step.get("prepend") if step.get("type") == "Prepend" else content
    room = 1 if step.get("type") == "Prepend" else len(pattern) if isinstance(pattern, str) else None
    if isinstance(inserted, str) and room is not None and len(inserted) > room:
        raise TokenizerError(
            f"tokenizer.json: {part} puts {len(inserted):,} characters in place of {room}. No text may grow so much."
        )


def charsmap_of(document: Mapping[str, Any]) -> bytes:
    """SentencePiece's precompiled normalisation inside a tokenizer.json; empty if it has none."""
    for step in flat(document.get("normalizer"), "normalizers"):
        if step.get("type") == "Precompiled":
            try:
                return base64.b64decode(step.get("precompiled_charsmap") or "")
            except (binascii.Error, TypeError, ValueError) as error:
                raise TokenizerError(f"tokenizer.json: precompiled_charsmap is not base64 ({error}).") from error
    return b""
