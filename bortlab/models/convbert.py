"""ConvBERT: let a convolution take over what attention heads spend on neighbours.

Jiang et al. 2020, "ConvBERT: Improving BERT with Span-based Dynamic Convolution" (arXiv 2008.02496). Half of each
block's width stays self-attention (the number of heads falls by `head_ratio`), the other half is a convolution whose
kernel is made anew for each position from the span around it. The feed-forward part may be grouped (`num_groups`).
No pooler. Published files hold the discriminator's body, trained without a masked-LM loss, and no masked-LM head.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from bortlab.models.base import Checkpoint, Config, ConfigError, Family, Network
from bortlab.models.bert import BLOCK_RENAMES, EMBEDDING_RENAMES
from bortlab.nn import Block, FeedForward, MixedAttention


@dataclass(frozen=True, kw_only=True)
class ConvBertConfig(Config):
    """Sizes of a ConvBERT, as in its config.json."""

    model_type: ClassVar[str] = "convbert"

    vocab_size: int = 30522
    embedding_size: int = 768
    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    head_ratio: int = 2
    conv_kernel_size: int = 9
    num_groups: int = 1

    def _check(self) -> None:
        # The published code checks the heads that remain, not num_attention_heads.
        if self.hidden_size % (2 * self.heads):
            raise ConfigError(
                f"hidden_size ({self.hidden_size}) must be a multiple of twice the {self.heads} heads that remain of "
                f"num_attention_heads ({self.num_attention_heads}) at head_ratio {self.head_ratio}."
            )
        if self.conv_kernel_size % 2 == 0:
            raise ConfigError(f"conv_kernel_size: expected an odd number of taps, got {self.conv_kernel_size}.")
        self._divides("num_groups", "hidden_size")
        self._divides("num_groups", "intermediate_size")

    @property
    def embed_width(self) -> int:
        """E, the width of the word table."""
        return self.embedding_size

    @property
    def heads(self) -> int:
        """Attention heads that remain, and as many convolution heads."""
        return max(1, self.num_attention_heads // self.head_ratio)


class ConvBert(Network):
    """ConvBERT: BERT's blocks with mixed attention."""

    head_activation = "gelu"  # the published head's, whatever the blocks use

    def __init__(self, config: ConvBertConfig, task: str = "masked-lm") -> None:
        project = None if config.embedding_size == config.hidden_size else config.hidden_size
        super().__init__(config, task, project=project, pools=False)
        self.blocks = nn.ModuleList(mixed_block(config) for _ in range(config.num_hidden_layers))

    def block(self, index: int) -> Block:
        """The index-th block."""
        return self.blocks[index]  # type: ignore[return-value]


def mixed_block(config: ConvBertConfig) -> Block:
    """A block with mixed attention."""
    return Block(
        attention=MixedAttention(
            hidden=config.hidden_size,
            heads=config.heads,
            width=config.conv_kernel_size,
            dropout=config.attention_probs_dropout_prob,
        ),
        feedforward=FeedForward(
            hidden=config.hidden_size,
            intermediate=config.intermediate_size,
            activation=config.hidden_act,
            groups=config.num_groups,
        ),
        hidden=config.hidden_size,
        eps=config.layer_norm_eps,
        dropout=config.hidden_dropout_prob,
    )


_NO_HEAD = (
    "The published file has no masked-LM head: its body was trained to tell replaced words, not to name hidden ones."
)

FAMILY = Family(
    name="convbert",
    title="ConvBERT",
    idea="Mix: half of each block looks at everything, half convolves the neighbours with kernels made for each word.",
    paper="https://arxiv.org/abs/2008.02496",
    config=ConvBertConfig,
    network=ConvBert,
    architecture="ConvBertForMaskedLM",
    tokenizer="wordpiece",
    renames=(
        *EMBEDDING_RENAMES,
        (r"\.attention\.span\.", ".attention.key_conv_attn_layer."),
        (r"\.attention\.kernel\.", ".attention.conv_kernel_layer."),
        (r"\.attention\.convolved\.", ".attention.conv_out_layer."),
        (r"\.attention\.(key_conv|conv_)", r".attention.self.\1"),
        *BLOCK_RENAMES,
        (r"^embeddings\.project\.", "convbert.embeddings_project."),
        (r"^embeddings\.", "convbert.embeddings."),
        (r"^blocks\.", "convbert.encoder.layer."),
        (r"^masked_lm\.dense\.", "generator_predictions.dense."),
        (r"^masked_lm\.norm\.", "generator_predictions.LayerNorm."),
        (r"^masked_lm\.bias", "generator_lm_head.bias"),
    ),
    tied={"generator_lm_head.weight": "embeddings.words.weight"},
    prefix="convbert.",
    mini=ConvBertConfig(
        vocab_size=8192, embedding_size=256, hidden_size=256, num_hidden_layers=4, num_attention_heads=4,
        intermediate_size=1024, max_position_embeddings=128, hidden_act="gelu_new", hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    ),
    checkpoints=(
        Checkpoint(key="convbert-mini", title="ConvBERT mini", source="bundled", licence="Apache-2.0"),
        Checkpoint(
            key="conv-bert-small", title="ConvBERT small", source="YituTech/conv-bert-small", licence="Apache-2.0",
            config=ConvBertConfig(embedding_size=128, hidden_size=256, num_attention_heads=4, intermediate_size=1024),
            masked_lm="random", note=_NO_HEAD,
        ),
        Checkpoint(
            key="conv-bert-medium-small", title="ConvBERT medium-small", source="YituTech/conv-bert-medium-small",
            config=ConvBertConfig(
                embedding_size=128, hidden_size=384, num_attention_heads=8, intermediate_size=1536, num_groups=2
            ),
            licence="Apache-2.0", masked_lm="random", note=_NO_HEAD,
        ),
        Checkpoint(
            key="conv-bert-base", title="ConvBERT base", source="YituTech/conv-bert-base", licence="Apache-2.0",
            config=ConvBertConfig(), masked_lm="random", note=_NO_HEAD,
        ),
    ),
    tasks=("masked-lm", "encoder"),
)  # fmt: skip
