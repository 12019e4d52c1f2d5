"""Words, encodings and tokenizers: what a tokenizer is, is read off its files."""

from bortlab.text.encoding import MASK, Encoding
from bortlab.text.parsing import TokenizerError, sentencepiece_proto
from bortlab.text.pipelines import blank
from bortlab.text.special import SPECIAL_TOKENS, PairFormat, SpecialTokens, TokenizerKind
from bortlab.text.tokenizer import Tokenizer
from bortlab.text.words import without_surrogates, word_spans

__all__ = [
    "MASK",
    "SPECIAL_TOKENS",
    "Encoding",
    "PairFormat",
    "SpecialTokens",
    "Tokenizer",
    "TokenizerError",
    "TokenizerKind",
    "blank",
    "sentencepiece_proto",
    "without_surrogates",
    "word_spans",
]
