"""Building blocks of encoders. They know no model family and no checkpoint's tensor names."""

from bortlab.nn.attention import MixedAttention, SelfAttention
from bortlab.nn.block import Block
from bortlab.nn.embeddings import Embeddings
from bortlab.nn.feedforward import ACTIVATIONS, FeedForward
from bortlab.nn.heads import MaskedLMHead, Pooler

__all__ = [
    "ACTIVATIONS",
    "Block",
    "Embeddings",
    "FeedForward",
    "MaskedLMHead",
    "MixedAttention",
    "Pooler",
    "SelfAttention",
]
