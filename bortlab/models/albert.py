"""ALBERT: share the blocks, factorise the embeddings.

Lan et al. 2019, "ALBERT: A Lite BERT for Self-supervised Learning of Language Representations" (arXiv 1909.11942).
Words have narrow vectors (E) that one matrix widens to the layers' width (H): V x E + E x H instead of V x H. The
layers fall into groups, and all layers of a group are one block used again (one group in all published models). The
next-sentence task gives way to sentence order. "gelu_new" in the v2 checkpoints is the tanh form of GELU.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from torch import nn

from bortlab.models.bert import EMBEDDING_RENAMES, HEAD_RENAMES, PLAIN_BLOCK, TASKS, plain_block
from bortlab.models.config import Config, ConfigError
from bortlab.models.family import Checkpoint, Family
from bortlab.models.formula import Part
from bortlab.models.network import Network
from bortlab.nn import Block, Classifier


@dataclass(frozen=True, kw_only=True)
class AlbertConfig(Config):
    """Sizes of an ALBERT, as in its config.json."""

    model_type: ClassVar[str] = "albert"
    block_parts: ClassVar[tuple[Part, ...]] = PLAIN_BLOCK

    vocab_size: int = 30000
    embedding_size: int = 128
    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_hidden_groups: int = 1
    inner_group_num: int = 1
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    hidden_act: str = "gelu_new"
    hidden_dropout_prob: float = 0.0
    attention_probs_dropout_prob: float = 0.0
    classifier_dropout_prob: float = 0.1

    def _check(self) -> None:
        super()._check()
        if self.num_hidden_groups > self.num_hidden_layers:
            raise ConfigError(
                f"num_hidden_groups ({self.num_hidden_groups}) must not exceed "
                f"num_hidden_layers ({self.num_hidden_layers})."
            )

    @property
    def embed_width(self) -> int:
        """E, the width of the factorised word table."""
        return self.embedding_size

    @property
    def depth(self) -> int:
        """Executed layers: each visit of a group runs all of its inner blocks."""
        return self.num_hidden_layers * self.inner_group_num

    @property
    def n_blocks(self) -> int:
        """Stored blocks: the inner ones of each group."""
        return self.num_hidden_groups * self.inner_group_num

    def block_of(self, index: int) -> int:
        """The stored block that executed layer `index` uses."""
        visit, inner = divmod(index, self.inner_group_num)
        return self.group_of(visit) * self.inner_group_num + inner

    @property
    def projects(self) -> bool:
        """Always, even where both widths are equal."""
        return True

    @property
    def head_dropout(self) -> float:
        """ALBERT has a name of its own for it."""
        return self.classifier_dropout_prob

    def group_of(self, index: int) -> int:
        """The group that visit `index` of num_hidden_layers uses. Float division, as the published code does it."""
        return int(index / (self.num_hidden_layers / self.num_hidden_groups))


class Albert(Network):
    """ALBERT: one projection after the embeddings, and groups of blocks that are used again and again."""

    config: AlbertConfig
    tasks = TASKS
    order_output = "sop_logits"

    def __init__(self, config: AlbertConfig, task: str = "masked-lm") -> None:
        super().__init__(config, task, project=config.hidden_size)
        self.groups = nn.ModuleList(
            nn.ModuleList(plain_block(config) for _ in range(config.inner_group_num))
            for _ in range(config.num_hidden_groups)
        )

    @classmethod
    def head(cls, name: str, config: Config) -> nn.Module:
        """BERT's, with dropout before the sentence-order head."""
        if name == "sentence-order":
            return Classifier(config.hidden_size, 2, dropout=config.head_dropout)
        return super().head(name, config)

    def block(self, index: int) -> Block:
        """The block of the group that executed layer `index` falls into."""
        group, inner = divmod(self.config.block_of(index), self.config.inner_group_num)
        return self.groups[group][inner]  # type: ignore[index, no-any-return]


def _published(size: str, **sizes: int) -> tuple[Checkpoint, Checkpoint]:
    """Versions 1 and 2 of one size: v1 has the erf GELU and, but for xxlarge, dropout."""
    v1_dropout = 0.0 if size == "xxlarge" else 0.1
    newer = AlbertConfig(**sizes)  # type: ignore[arg-type]
    older = replace(newer, hidden_act="gelu", hidden_dropout_prob=v1_dropout, attention_probs_dropout_prob=v1_dropout)
    configs = {"v1": older, "v2": newer}
    v1, v2 = (
        Checkpoint(
            key=f"albert-{size}-{version}",
            title=f"ALBERT {size} {version}",
            source=f"albert/albert-{size}-{version}",
            licence="Apache-2.0",
            config=config,
        )
        for version, config in configs.items()
    )
    return v1, v2


FAMILY = Family(
    name="albert",
    title="ALBERT",
    idea="Share and factorise: one block is used by every layer, and words have narrow vectors.",
    paper="https://arxiv.org/abs/1909.11942",
    config=AlbertConfig,
    network=Albert,
    architecture="AlbertForMaskedLM",
    tokenizer="unigram",
    renames=(
        *EMBEDDING_RENAMES,
        *HEAD_RENAMES,
        (r"^embeddings\.project\.", "albert.encoder.embedding_hidden_mapping_in."),
        (r"^embeddings\.", "albert.embeddings."),
        (r"^groups\.(\d+)\.(\d+)\.", r"albert.encoder.albert_layer_groups.\1.albert_layers.\2."),
        (r"\.attention\.output\.", ".attention.dense."),
        (r"\.attention_norm\.", ".attention.LayerNorm."),
        (r"\.feedforward\.expand\.", ".ffn."),
        (r"\.feedforward\.contract\.", ".ffn_output."),
        (r"\.feedforward_norm\.", ".full_layer_layer_norm."),
        (r"^pooler\.dense\.", "albert.pooler."),
        (r"^masked_lm\.dense\.", "predictions.dense."),
        (r"^masked_lm\.norm\.", "predictions.LayerNorm."),
        (r"^masked_lm\.own_decoder", "predictions.decoder.weight"),
        (r"^masked_lm\.bias", "predictions.bias"),
        (r"^order\.", "sop_classifier.classifier."),
    ),
    tied={"predictions.decoder.weight": "embeddings.words.weight", "predictions.decoder.bias": "masked_lm.bias"},
    prefix="albert.",
    mini=AlbertConfig(
        vocab_size=8192,
        embedding_size=128,
        hidden_size=384,
        num_hidden_layers=6,
        num_attention_heads=6,
        intermediate_size=1536,
        max_position_embeddings=128,
    ),
    checkpoints=(
        Checkpoint(key="albert-mini", title="ALBERT mini", source="bundled", licence="Apache-2.0"),
        *_published("base", hidden_size=768, num_hidden_layers=12, num_attention_heads=12, intermediate_size=3072),
        *_published("large", hidden_size=1024, num_hidden_layers=24, num_attention_heads=16, intermediate_size=4096),
        *_published("xlarge", hidden_size=2048, num_hidden_layers=24, num_attention_heads=16, intermediate_size=8192),
        *_published("xxlarge", hidden_size=4096, num_hidden_layers=12, num_attention_heads=64, intermediate_size=16384),
    ),
)
