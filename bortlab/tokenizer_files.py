"""Files of tokenizers: what may stand in a tokenizer.json, the families' pipelines, reading and writing folders.

Knows of files and of JSON; `tokenization.Tokenizer` is built on it. Two texts matter here: the *definition*, which is
what a tokenizer.json holds, and the *document*, which is the definition as parsed JSON.
A broken or hostile file gives a `TokenizerError`, never a Rust panic.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, get_args

import tokenizers
from tokenizers import AddedToken, decoders, models, normalizers, pre_tokenizers

from bortlab.files import UnsafeFileError, regular_file

Kind = Literal["unigram", "wordpiece", "byte-bpe"]
PairFormat = Literal["single", "double"]  # separators between A and B: Bort's authors use one, RoBERTa two

MAX_FILE_BYTES = 20 * 2**20
MAX_PIECES = 300_000
MAX_NODES = 3 * MAX_PIECES
"""Objects and lists in a file. A piece and a merge are one each; a list of nothing else would fill the memory."""
MAX_STEPS = 32
MAX_WORD = 1_000
"""Characters of a word that WordPiece cuts; beyond, its time grows with the cube. Published files say 100."""
MAX_REPLACED_BYTES = 64
"""Longest text that a precompiled normalisation may give for a character. Unicode's own have 33 at most."""

_UNREACHABLE = " "  # prefix of special tokens in the backend's vocabulary: no pre-tokenizer leaves a blank in a word


class TokenizerError(ValueError):
    """A tokenizer file, text or id that cannot be used; the message says what, got, expected and what to do."""


@dataclass(frozen=True, slots=True)
class SpecialTokens:
    """The five tokens with a role, as the vocabulary spells them."""

    cls: str
    sep: str
    pad: str
    unk: str
    mask: str


_BRACKETS = SpecialTokens("[CLS]", "[SEP]", "[PAD]", "[UNK]", "[MASK]")
SPECIAL_TOKENS: Mapping[Kind, SpecialTokens] = MappingProxyType(
    {
        "unigram": SpecialTokens("[CLS]", "[SEP]", "<pad>", "<unk>", "[MASK]"),
        "wordpiece": _BRACKETS,
        "byte-bpe": SpecialTokens("<s>", "</s>", "<pad>", "<unk>", "<mask>"),
    }
)
_MODEL_TYPES: Mapping[str, Kind] = MappingProxyType({"Unigram": "unigram", "WordPiece": "wordpiece", "BPE": "byte-bpe"})
_TOKENIZER_CLASSES: Mapping[Kind, str] = MappingProxyType(
    {"unigram": "AlbertTokenizer", "wordpiece": "BertTokenizer", "byte-bpe": "RobertaTokenizer"}
)


# -- pipelines ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Options:
    """What tokenizer_config.json may say about the pipeline; None: not said."""

    do_lower_case: bool | None = None
    keep_accents: bool | None = None  # ALBERT
    strip_accents: bool | None = None  # BERT; None means "as do_lower_case", the original rule
    tokenize_chinese_chars: bool | None = None  # BERT
    add_prefix_space: bool | None = None  # byte-level BPE

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> _Options:
        values = {name: config.get(name) for name in cls.__slots__}
        for name, value in values.items():
            if value is not None and not isinstance(value, bool):
                raise TokenizerError(f"tokenizer_config.json: {name} is {value!r}, expected true or false.")
        return cls(**values)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> _Options:
        """The options a tokenizer.json stands for."""
        steps = _flat(document.get("normalizer"), "normalizers")
        names = {step.get("type") for step in steps}
        bert = next((step for step in steps if step.get("type") == "BertNormalizer"), None)
        cutters = _flat(document.get("pre_tokenizer"), "pretokenizers")
        return cls(
            do_lower_case=bool(bert.get("lowercase", True)) if bert else "Lowercase" in names,
            keep_accents="StripAccents" not in names,
            strip_accents=bert.get("strip_accents") if bert else None,
            tokenize_chinese_chars=bool(bert.get("handle_chinese_chars", True)) if bert else None,
            add_prefix_space=any(
                step.get("add_prefix_space", True) for step in cutters if step.get("type") == "ByteLevel"
            ),
        )


def blank(
    kind: Kind,
    *,
    do_lower_case: bool | None = None,
    keep_accents: bool | None = None,
    strip_accents: bool | None = None,
    tokenize_chinese_chars: bool | None = None,
    add_prefix_space: bool | None = None,
    charsmap: bytes = b"",
) -> tokenizers.Tokenizer:
    """The family's pipeline around an empty model, ready to be trained.

    Defaults are the published models': ALBERT and BERT lower-case and strip accents, Bort keeps the text as it is.
    `charsmap` is SentencePiece's precompiled normalisation (ALBERT).
    """
    lower = do_lower_case is not False
    if kind == "unigram":
        backend = tokenizers.Tokenizer(models.Unigram())
        steps: list[normalizers.Normalizer] = [normalizers.Replace("``", '"'), normalizers.Replace("''", '"')]
        if not keep_accents:
            steps += [normalizers.NFKD(), normalizers.StripAccents()]
        if lower:
            steps.append(normalizers.Lowercase())
        if charsmap:
            steps.append(normalizers.Precompiled(charsmap))
        backend.normalizer = normalizers.Sequence(steps)
        metaspace = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
        backend.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), metaspace])
        backend.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always")
    elif kind == "wordpiece":
        backend = tokenizers.Tokenizer(models.WordPiece(unk_token=SPECIAL_TOKENS[kind].unk))
        backend.normalizer = normalizers.BertNormalizer(
            clean_text=True,
            handle_chinese_chars=tokenize_chinese_chars is not False,
            strip_accents=strip_accents,
            lowercase=lower,
        )
        backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        backend.decoder = decoders.WordPiece(prefix="##")
    elif kind == "byte-bpe":
        backend = tokenizers.Tokenizer(models.BPE())
        backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=bool(add_prefix_space))
        backend.decoder = decoders.ByteLevel()
    else:
        raise TokenizerError(f"Unknown tokenizer kind {kind!r}. Known: {', '.join(get_args(Kind))}.")
    return backend


def _blank_from(kind: Kind, options: _Options, charsmap: bytes = b"") -> tokenizers.Tokenizer:
    return blank(
        kind,
        do_lower_case=options.do_lower_case,
        keep_accents=options.keep_accents,
        strip_accents=options.strip_accents,
        tokenize_chinese_chars=options.tokenize_chinese_chars,
        add_prefix_space=options.add_prefix_space,
        charsmap=charsmap,
    )


def _honour(document: dict[str, Any], options: _Options) -> None:
    """Let tokenizer_config.json overrule the pipeline of tokenizer.json, as transformers does."""
    kind = kind_of(document)
    for step in _flat(document.get("normalizer"), "normalizers"):
        if step.get("type") == "BertNormalizer":
            said = {
                "lowercase": options.do_lower_case,
                "strip_accents": options.strip_accents,
                "handle_chinese_chars": options.tokenize_chinese_chars,
            }
            step |= {name: value for name, value in said.items() if value is not None}
    for step in _flat(document.get("pre_tokenizer"), "pretokenizers"):
        if step.get("type") == "ByteLevel" and options.add_prefix_space is not None:
            step["add_prefix_space"] = options.add_prefix_space
    if kind == "unigram" and document.get("normalizer"):
        own = _Options.from_document(document)
        lower = own.do_lower_case if options.do_lower_case is None else options.do_lower_case
        accents = own.keep_accents if options.keep_accents is None else options.keep_accents
        if (lower, accents) != (own.do_lower_case, own.keep_accents):
            wanted = _Options(do_lower_case=lower, keep_accents=accents)
            with rust("rebuild the normaliser"):
                rebuilt = json.loads(_blank_from(kind, wanted, _charsmap_of(document)).to_str())
            document["normalizer"] = rebuilt["normalizer"]


# -- the parts of a tokenizer.json -------------------------------------------------------------------------------------


def kind_of(document: Mapping[str, Any]) -> Kind:
    model = document.get("model")
    if not isinstance(model, dict):
        raise TokenizerError("tokenizer.json has no model. Expected an object with type Unigram, WordPiece or BPE.")
    name = model.get("type")
    if name is None:  # files older than tokenizers 0.10
        name = "Unigram" if isinstance(model.get("vocab"), list) else "BPE" if "merges" in model else "WordPiece"
    if not isinstance(name, str) or name not in _MODEL_TYPES:
        raise TokenizerError(f"The tokenizer's model is {name!r}. Supported: {', '.join(_MODEL_TYPES)}.")
    kind = _MODEL_TYPES[name]
    if kind == "byte-bpe":
        steps = _flat(document.get("pre_tokenizer"), "pretokenizers")
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
    kind: Kind,
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


def _flat(step: object, inner: str, depth: int = 0) -> list[dict[str, Any]]:
    """A step of the pipeline, or the steps of a Sequence, as a flat list of JSON objects."""
    if not isinstance(step, dict):
        return []
    if step.get("type") == "Sequence" and isinstance(step.get(inner), list):
        if depth > MAX_STEPS or len(step[inner]) > MAX_STEPS:
            raise TokenizerError(f"tokenizer.json: a Sequence has more than {MAX_STEPS} steps. No published one has.")
        return [leaf for child in step[inner] for leaf in _flat(child, inner, depth + 1)]
    return [step]


_REGEXES = (r" {2,}", r"\s+")
"""Regular expressions that published tokenizers have. Another one may take hours for a word, or make a panic."""


def check_pipeline(document: Mapping[str, Any]) -> None:
    """Refuse steps that a file can use to make a short text take hours, or fill the memory."""
    parts = (("normalizer", "normalizers"), ("pre_tokenizer", "pretokenizers"), ("decoder", "decoders"))
    for part, inner in parts:
        steps = _flat(document.get(part), inner)
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
    charsmap = _charsmap_of(document)
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
    said = step.get("prepend") if step.get("type") == "Prepend" else content
    room = 1 if step.get("type") == "Prepend" else len(pattern) if isinstance(pattern, str) else None
    if isinstance(said, str) and room is not None and len(said) > room:
        raise TokenizerError(
            f"tokenizer.json: {part} puts {len(said):,} characters in the place of {room}. No text may grow that way."
        )


def _charsmap_of(document: Mapping[str, Any]) -> bytes:
    """SentencePiece's precompiled normalisation inside a tokenizer.json; empty if it has none."""
    for step in _flat(document.get("normalizer"), "normalizers"):
        if step.get("type") == "Precompiled":
            try:
                return base64.b64decode(step.get("precompiled_charsmap") or "")
            except (binascii.Error, TypeError, ValueError) as error:
                raise TokenizerError(f"tokenizer.json: precompiled_charsmap is not base64 ({error}).") from error
    return b""


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


# -- reading -----------------------------------------------------------------------------------------------------------


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
    config = _read_json_if_there(folder / "special_tokens_map.json")
    config |= _read_json_if_there(folder / "tokenizer_config.json")
    definition = _read_definition(folder, kind, _Options.from_config(config))
    found = kind_of(parse_json(definition, "tokenizer definition"))
    if kind is not None and found != kind:
        raise TokenizerError(f"{folder} holds a {found} tokenizer, expected {kind}. Use a folder of that family.")
    pair_format: PairFormat = "double" if config.get("pair_format") == "double" else "single"
    return Found(definition, _special_tokens_from(config, found), pair_format)


def _read_definition(folder: Path, kind: Kind | None, options: _Options) -> str:
    """tokenizer.json's text, its own or made from the classic vocabulary files."""
    if (folder / "tokenizer.json").exists():
        document = parse_json(_read_text(folder / "tokenizer.json"), "tokenizer.json")
        _honour(document, options)
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


def _read_wordpiece(folder: Path, options: _Options) -> str:
    lines = _read_text(folder / "vocab.txt").removesuffix("\n").split("\n")
    vocab = {line.removesuffix("\r"): i for i, line in enumerate(lines)}
    with rust("read vocab.txt"):
        backend = _blank_from("wordpiece", options)
    return _with_model(backend, vocab=vocab)


def _read_bpe(folder: Path, options: _Options) -> str:
    vocab = parse_json(_read_text(folder / "vocab.json"), "vocab.json")
    lines = _read_text(folder / "merges.txt").split("\n")
    merges = [line.removesuffix("\r") for line in lines if line.strip() and not line.startswith("#version")]
    with rust("read vocab.json and merges.txt"):
        backend = _blank_from("byte-bpe", options)
    return _with_model(backend, vocab=vocab, merges=[line.split(" ") for line in merges])


def _read_spiece(folder: Path, options: _Options) -> str:
    """SentencePiece's file, as transformers' AlbertConverter reads it: a piece such as "1," scores 100 less."""
    proto = sentencepiece_proto(required=True)
    model = proto.ModelProto()
    try:
        model.ParseFromString(_read_bytes(folder / "spiece.model"))
    except Exception as error:  # protobuf's DecodeError is not exported in one stable place
        raise TokenizerError(f"spiece.model is not a SentencePiece model ({error}).") from error
    if model.trainer_spec.model_type != model.trainer_spec.UNIGRAM:
        raise TokenizerError("spiece.model is not a Unigram model. Expected ALBERT's spiece.model.")

    def number_comma(piece: str) -> bool:
        return len(piece) > 1 and piece.endswith(",") and piece[-2].isdigit()

    vocab = [[piece.piece, piece.score - 100 * number_comma(piece.piece)] for piece in model.pieces]
    with rust("read spiece.model"):
        backend = _blank_from("unigram", options, bytes(model.normalizer_spec.precompiled_charsmap))
    return _with_model(backend, vocab=vocab, unk_id=model.trainer_spec.unk_id)


def _with_model(backend: tokenizers.Tokenizer, **parts: Any) -> str:
    """The pipeline's JSON with these parts of its model replaced."""
    document: dict[str, Any] = json.loads(backend.to_str())
    document["model"] |= parts
    return dump(document)


def sentencepiece_proto(*, required: bool) -> Any:
    """SentencePiece's protobuf module, or None where it is not installed and not required."""
    try:
        from sentencepiece import sentencepiece_model_pb2
    except ImportError as error:
        if required:
            raise TokenizerError("Reading spiece.model needs: pip install sentencepiece protobuf") from error
        return None
    return sentencepiece_model_pb2


# -- writing -----------------------------------------------------------------------------------------------------------


def vocabulary_files(
    definition: str, names: SpecialTokens, vocabulary: Mapping[str, int], *, required: bool = True
) -> dict[str, bytes]:
    """The family's classic files: spiece.model, vocab.txt, or vocab.json and merges.txt.

    What they cannot hold (spiece.model without sentencepiece, a piece with a line break) is an error if `required`,
    and left out if not.
    """
    document = json.loads(definition)
    kind = kind_of(document)
    in_order = sorted(vocabulary, key=vocabulary.__getitem__)
    if kind == "unigram":
        proto = sentencepiece_proto(required=required)
        return {} if proto is None else {"spiece.model": _write_spiece(proto, document, names, vocabulary)}
    if kind == "byte-bpe":
        merges = [pair if isinstance(pair, str) else " ".join(pair) for pair in document["model"].get("merges", [])]
        return {
            "vocab.json": dump({token: vocabulary[token] for token in in_order}).encode(),
            "merges.txt": "".join(f"{line}\n" for line in ["#version: 0.2", *merges]).encode(),
        }
    if vocabulary[in_order[-1]] + 1 == len(in_order) and not any("\n" in t or "\r" in t for t in in_order):
        return {"vocab.txt": "".join(f"{token}\n" for token in in_order).encode()}
    if required:
        raise TokenizerError(
            "vocab.txt holds one piece a line, numbered from 0 without gaps, which this vocabulary is not. "
            "Use save(), which writes tokenizer.json."
        )
    return {}


def config_of(definition: str, names: SpecialTokens, pair_format: PairFormat) -> bytes:
    """tokenizer_config.json, in the words of transformers."""
    document = json.loads(definition)
    kind, options = kind_of(document), _Options.from_document(document)
    config: dict[str, Any] = {"tokenizer_class": _TOKENIZER_CLASSES[kind]}
    config |= {f"{role}_token": getattr(names, role) for role in ("cls", "sep", "pad", "unk")}
    mask = {"lstrip": kind != "wordpiece", "rstrip": False, "normalized": False, "single_word": False}
    config["mask_token"] = {"__type": "AddedToken", "content": names.mask, **mask, "special": True}
    if kind != "wordpiece":
        config |= {"bos_token": names.cls, "eos_token": names.sep}
    if kind == "byte-bpe":
        config |= {"add_prefix_space": bool(options.add_prefix_space), "pair_format": pair_format}
    else:
        config["do_lower_case"] = bool(options.do_lower_case)
    if kind == "unigram":
        config["keep_accents"] = bool(options.keep_accents)
    elif kind == "wordpiece":
        chinese = bool(options.tokenize_chinese_chars)
        config |= {"strip_accents": options.strip_accents, "tokenize_chinese_chars": chinese}
    return dump(config, indent=2).encode()


def write_files(folder: Path, files: Mapping[str, bytes]) -> tuple[Path, ...]:
    """Write the files into the folder, each whole or not at all, and return their paths."""
    for name, content in files.items():
        unfinished = folder / f".{name}.{os.getpid()}"
        unfinished.write_bytes(content)
        os.replace(unfinished, folder / name)
    return tuple(folder / name for name in files)


def _write_spiece(
    proto: Any, document: Mapping[str, Any], names: SpecialTokens, vocabulary: Mapping[str, int]
) -> bytes:
    """A Unigram vocabulary as SentencePiece's model file."""
    model = proto.ModelProto()
    control = {names.cls, names.sep, names.pad, names.mask}
    kinds = proto.ModelProto.SentencePiece
    for piece, score in document["model"]["vocab"]:
        kind = kinds.UNKNOWN if piece == names.unk else kinds.CONTROL if piece in control else kinds.NORMAL
        model.pieces.add(piece=piece, score=score, type=kind)
    trainer = model.trainer_spec
    trainer.model_type = trainer.UNIGRAM
    trainer.vocab_size = len(model.pieces)
    for role, token in (("unk", names.unk), ("pad", names.pad), ("bos", names.cls), ("eos", names.sep)):
        setattr(trainer, f"{role}_id", vocabulary[token])
        setattr(trainer, f"{role}_piece", token)
    model.normalizer_spec.precompiled_charsmap = _charsmap_of(document)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


# -- bytes, JSON, Rust -------------------------------------------------------------------------------------------------


def _read_bytes(path: Path) -> bytes:
    try:
        return regular_file(path.parent, path.name, MAX_FILE_BYTES).read_bytes()
    except (UnsafeFileError, OSError) as error:
        raise TokenizerError(str(error)) from error


def _read_text(path: Path) -> str:
    try:
        return _read_bytes(path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise TokenizerError(f"{path} is not UTF-8 text ({error}).") from error


def _read_json_if_there(path: Path) -> dict[str, Any]:
    return parse_json(_read_text(path), path.name) if path.exists() else {}


def parse_json(text: str, what: str) -> dict[str, Any]:
    try:
        if text.count("{") + text.count("[") > MAX_NODES or text.count(",") > 2 * MAX_NODES:
            raise ValueError(f"more than {MAX_NODES:,} parts")
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise TokenizerError(f"{what} is not valid JSON ({str(error) or type(error).__name__}).") from error
    if not isinstance(document, dict):
        raise TokenizerError(f"{what} holds a {type(document).__name__}, expected a JSON object.")
    return document


def dump(document: object, indent: int | None = None) -> str:
    """JSON in UTF-8, sorted by nothing, without NaN; lone surrogates (which no file can hold) are an error."""
    try:
        text = json.dumps(document, ensure_ascii=False, allow_nan=False, indent=indent)
        text.encode()
    except (ValueError, RecursionError) as error:
        raise TokenizerError(f"The tokenizer holds something JSON cannot say ({error}).") from error
    return text


@contextmanager
def rust(action: str) -> Iterator[None]:
    """Turn failures of the Rust library, panics included, into `TokenizerError`.

    pyo3's PanicException derives from BaseException and cannot be imported, hence the name check. KeyboardInterrupt,
    SystemExit and Streamlit's control flow pass through.
    """
    try:
        yield
    except (TokenizerError, MemoryError):
        raise
    except BaseException as error:
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise TokenizerError(f"The tokenizer could not {action}: {error}. Check the tokenizer's files.") from error
