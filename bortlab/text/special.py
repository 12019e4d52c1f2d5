"""Kinds of tokenizers, and the tokens with a role in each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

TokenizerKind = Literal["unigram", "wordpiece", "byte-bpe"]
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
SPECIAL_TOKENS: Mapping[TokenizerKind, SpecialTokens] = MappingProxyType(
    {
        "unigram": SpecialTokens("[CLS]", "[SEP]", "<pad>", "<unk>", "[MASK]"),
        "wordpiece": _BRACKETS,
        "byte-bpe": SpecialTokens("<s>", "</s>", "<pad>", "<unk>", "<mask>"),
    }
)
CLASS_KINDS: Mapping[str, TokenizerKind] = MappingProxyType(
    {
        "AlbertTokenizer": "unigram",
        "BertTokenizer": "wordpiece",
        "BortTokenizer": "byte-bpe",
        "ConvBertTokenizer": "wordpiece",
        "DistilBertTokenizer": "wordpiece",
        "ElectraTokenizer": "wordpiece",
        "LongformerTokenizer": "byte-bpe",
        "MobileBertTokenizer": "wordpiece",
        "RobertaTokenizer": "byte-bpe",
        "SqueezeBertTokenizer": "wordpiece",
    }
)
"""transformers' tokenizer classes that cut exactly as one of the kinds does; each has a twin that ends in "Fast"."""
ANY_KIND_CLASSES = ("PreTrainedTokenizer", "PreTrainedTokenizerFast", "TokenizersBackend")
"""Classes that are whatever tokenizer.json says."""
TOKENIZER_CLASSES: Mapping[TokenizerKind, str] = MappingProxyType(
    {"unigram": "AlbertTokenizer", "wordpiece": "BertTokenizer", "byte-bpe": "RobertaTokenizer"}
)
