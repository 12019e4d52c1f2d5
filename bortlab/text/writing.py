"""A tokenizer as files: vocabulary, configuration, whole folders."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bortlab.system.store import write
from bortlab.text.definition import charsmap_of, kind_of
from bortlab.text.parsing import TokenizerError, dump, sentencepiece_proto
from bortlab.text.pipelines import PipelineOptions
from bortlab.text.special import TOKENIZER_CLASSES, PairFormat, SpecialTokens


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
    kind, options = kind_of(document), PipelineOptions.from_document(document)
    config: dict[str, Any] = {"tokenizer_class": TOKENIZER_CLASSES[kind]}
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
        write(folder / name, content, durable=False)
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
    model.normalizer_spec.precompiled_charsmap = charsmap_of(document)
    content: bytes = model.SerializeToString(deterministic=True)
    return content
