"""BERT: the reference that the other families make smaller.

Devlin et al. 2018, "BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding" (arXiv
1810.04805). A stack of post-norm blocks, learned positions, two token types, a masked-LM head tied to the word table
and a next-sentence head on the pooled first position.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from bortlab.models.config import Config
from bortlab.models.family import Checkpoint, Family
from bortlab.models.formula import Part
from bortlab.models.network import Network
from bortlab.nn import Block, FeedForward, SelfAttention

TASKS: Mapping[str, tuple[str, ...]] = {
    "masked-lm": ("masked-lm",),
    "pre-training": ("masked-lm", "pooler", "sentence-order"),
    "sequence-classification": ("pooler", "sequence-classification"),
    "multiple-choice": ("pooler", "multiple-choice"),
    "token-classification": ("token-classification",),
    "question-answering": ("question-answering",),
    "encoder": ("pooler",),
}
"""The heads of BERT for each task."""

PLAIN_BLOCK = (
    Part("attention", "attention.query", "HH + H", "HH + SH"),  # each query meets each key
    Part("attention", "attention.key", "HH + H", "HH"),
    Part("attention", "attention.value", "HH + H", "HH + SH"),  # and each value is weighed
    Part("attention", "attention.output", "HH + H", "HH"),
    Part("norms", "attention_norm", "2H"),
    Part("feed-forward", "feedforward.expand", "HI + I", "HI"),
    Part("feed-forward", "feedforward.contract", "HI + H", "HI"),
    Part("norms", "feedforward_norm", "2H"),
)
"""The closed formula of `plain_block`."""


@dataclass(frozen=True, kw_only=True)
class BertConfig(Config):
    """Sizes of a BERT, as in its config.json."""

    model_type: ClassVar[str] = "bert"
    block_parts: ClassVar[tuple[Part, ...]] = PLAIN_BLOCK

    vocab_size: int = 30522
    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072


class Bert(Network):
    """BERT: one block of its own for each layer; a pooler wherever a whole text is judged."""

    tasks = TASKS

    def __init__(self, config: Config, task: str = "masked-lm") -> None:
        super().__init__(config, task)
        self.blocks = nn.ModuleList(plain_block(config) for _ in range(config.num_hidden_layers))

    def block(self, index: int) -> Block:
        """The index-th block."""
        return self.blocks[index]  # type: ignore[return-value]


def plain_block(config: Config) -> Block:
    """A block with self-attention, as BERT, ALBERT and Bort use it."""
    return Block(
        attention=SelfAttention(
            hidden=config.hidden_size, heads=config.num_attention_heads, dropout=config.attention_probs_dropout_prob
        ),
        feedforward=FeedForward(
            hidden=config.hidden_size, intermediate=config.intermediate_size, activation=config.hidden_act
        ),
        hidden=config.hidden_size,
        eps=config.layer_norm_eps,
        dropout=config.hidden_dropout_prob,
    )


EMBEDDING_RENAMES = (
    (r"^embeddings\.words\.", "embeddings.word_embeddings."),
    (r"^embeddings\.positions\.", "embeddings.position_embeddings."),
    (r"^embeddings\.types\.", "embeddings.token_type_embeddings."),
    (r"^embeddings\.norm\.", "embeddings.LayerNorm."),
)
BLOCK_RENAMES = (
    (r"\.attention\.(query|key|value)\.", r".attention.self.\1."),
    (r"\.attention\.output\.", ".attention.output.dense."),
    (r"\.attention_norm\.", ".attention.output.LayerNorm."),
    (r"\.feedforward\.expand\.", ".intermediate.dense."),
    (r"\.feedforward\.contract\.", ".output.dense."),
    (r"\.feedforward_norm\.", ".output.LayerNorm."),
)
HEAD_RENAMES = (
    (r"^(sequence|choice|tokens)\.", "classifier."),
    (r"^spans\.", "qa_outputs."),
)
RENAMES = (
    *EMBEDDING_RENAMES,
    *BLOCK_RENAMES,
    *HEAD_RENAMES,
    (r"^(embeddings|pooler)\.", r"bert.\1."),
    (r"^blocks\.", "bert.encoder.layer."),
    (r"^masked_lm\.dense\.", "cls.predictions.transform.dense."),
    (r"^masked_lm\.norm\.", "cls.predictions.transform.LayerNorm."),
    (r"^masked_lm\.own_decoder", "cls.predictions.decoder.weight"),
    (r"^masked_lm\.bias", "cls.predictions.bias"),
    (r"^order\.", "cls.seq_relationship."),
)
TIED = {"cls.predictions.decoder.weight": "embeddings.words.weight", "cls.predictions.decoder.bias": "masked_lm.bias"}

FAMILY = Family(
    name="bert",
    title="BERT",
    reference=True,
    idea="The reference: every layer has weights of its own, and every word a vector as wide as the layers.",
    paper="https://arxiv.org/abs/1810.04805",
    config=BertConfig,
    network=Bert,
    architecture="BertForMaskedLM",
    tokenizer="wordpiece",
    renames=RENAMES,
    tied=TIED,
    prefix="bert.",
    mini=BertConfig(
        vocab_size=8192,
        hidden_size=224,
        num_hidden_layers=6,
        num_attention_heads=4,
        intermediate_size=896,
        max_position_embeddings=128,
        hidden_act="gelu_new",
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    ),
    checkpoints=(
        Checkpoint(key="bert-mini", title="BERT mini", source="bundled", licence="Apache-2.0"),
        Checkpoint(
            key="minilm-l6",
            title="MiniLM",
            source="bundled",
            licence="Apache-2.0",
            note="A real pre-trained encoder, adapted here to fill blanks; the teacher of the minis.",
        ),
        Checkpoint(
            key="bert-base-uncased",
            title="BERT base",
            source="google-bert/bert-base-uncased",
            licence="Apache-2.0",
            config=BertConfig(),
        ),
        Checkpoint(
            key="bert-large-uncased",
            title="BERT large",
            source="google-bert/bert-large-uncased",
            licence="Apache-2.0",
            config=BertConfig(hidden_size=1024, num_hidden_layers=24, num_attention_heads=16, intermediate_size=4096),
        ),
    ),
)
