"""Building blocks of encoders. They know no model family and no checkpoint's tensor names."""

from bortlab.nn.attention import MixedAttention, SelfAttention
from bortlab.nn.block import Block
from bortlab.nn.embeddings import Embeddings
from bortlab.nn.feedforward import ACTIVATIONS, FeedForward
from bortlab.nn.heads import SUMMARIES, Classifier, FirstClassifier, MaskedLMHead, Pooler, SummaryClassifier
from bortlab.nn.losses import PROBLEM_TYPES, choice_loss, label_loss, span_loss

__all__ = [
    "ACTIVATIONS",
    "PROBLEM_TYPES",
    "SUMMARIES",
    "Block",
    "Classifier",
    "Embeddings",
    "FeedForward",
    "FirstClassifier",
    "MaskedLMHead",
    "MixedAttention",
    "Pooler",
    "SelfAttention",
    "SummaryClassifier",
    "choice_loss",
    "label_loss",
    "span_loss",
]
