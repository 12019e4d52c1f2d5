"""The families' pipelines: normalisation, words and pieces of an empty tokenizer of each kind."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

import tokenizers
from tokenizers import decoders, models, normalizers, pre_tokenizers

from bortlab.text.definition import charsmap_of, flat, kind_of
from bortlab.text.parsing import TokenizerError, rust
from bortlab.text.special import SPECIAL_TOKENS, TokenizerKind


@dataclass(frozen=True, slots=True)
class PipelineOptions:
    """What tokenizer_config.json may say about the pipeline; None: it does not say."""

    do_lower_case: bool | None = None
    keep_accents: bool | None = None  # ALBERT
    strip_accents: bool | None = None  # BERT; None means "as do_lower_case", the original rule
    tokenize_chinese_chars: bool | None = None  # BERT
    add_prefix_space: bool | None = None  # byte-level BPE

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> PipelineOptions:
        values = {name: config.get(name) for name in cls.__slots__}
        for name, value in values.items():
            if value is not None and not isinstance(value, bool):
                raise TokenizerError(f"tokenizer_config.json: {name} is {value!r}, expected true or false.")
        return cls(**values)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> PipelineOptions:
        """The options a tokenizer.json stands for."""
        steps = flat(document.get("normalizer"), "normalizers")
        names = {step.get("type") for step in steps}
        bert = next((step for step in steps if step.get("type") == "BertNormalizer"), None)
        cutters = flat(document.get("pre_tokenizer"), "pretokenizers")
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
    kind: TokenizerKind,
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
        raise TokenizerError(f"Unknown tokenizer kind {kind!r}. Known: {', '.join(get_args(TokenizerKind))}.")
    return backend


def blank_from(kind: TokenizerKind, options: PipelineOptions, charsmap: bytes = b"") -> tokenizers.Tokenizer:
    return blank(
        kind,
        do_lower_case=options.do_lower_case,
        keep_accents=options.keep_accents,
        strip_accents=options.strip_accents,
        tokenize_chinese_chars=options.tokenize_chinese_chars,
        add_prefix_space=options.add_prefix_space,
        charsmap=charsmap,
    )


def honour(document: dict[str, Any], options: PipelineOptions) -> None:
    """Let tokenizer_config.json overrule the pipeline of tokenizer.json, as transformers does."""
    kind = kind_of(document)
    for step in flat(document.get("normalizer"), "normalizers"):
        if step.get("type") == "BertNormalizer":
            overruled = {
                "lowercase": options.do_lower_case,
                "strip_accents": options.strip_accents,
                "handle_chinese_chars": options.tokenize_chinese_chars,
            }
            step |= {name: value for name, value in overruled.items() if value is not None}
    for step in flat(document.get("pre_tokenizer"), "pretokenizers"):
        if step.get("type") == "ByteLevel" and options.add_prefix_space is not None:
            step["add_prefix_space"] = options.add_prefix_space
    if kind == "unigram" and document.get("normalizer"):
        own = PipelineOptions.from_document(document)
        lower = own.do_lower_case if options.do_lower_case is None else options.do_lower_case
        accents = own.keep_accents if options.keep_accents is None else options.keep_accents
        if (lower, accents) != (own.do_lower_case, own.keep_accents):
            combined = PipelineOptions(do_lower_case=lower, keep_accents=accents)
            with rust("rebuild the normaliser"):
                rebuilt = json.loads(blank_from(kind, combined, charsmap_of(document)).to_str())
            document["normalizer"] = rebuilt["normalizer"]
