"""Kinds of tokenizers, and the tokens with a role in each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Kind = Literal["unigram", "wordpiece", "byte-bpe"]
PairFormat = Literal["single", "double"]  # separators between A and B: Bort's authors use one, RoBERTa two


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
TOKENIZER_CLASSES: Mapping[Kind, str] = MappingProxyType(
    {"unigram": "AlbertTokenizer", "wordpiece": "BertTokenizer", "byte-bpe": "RobertaTokenizer"}
)
