"""ConvBERT: let a convolution take over what attention heads spend on neighbours.

Jiang et al. 2020, "ConvBERT: Improving BERT with Span-based Dynamic Convolution" (arXiv 2008.02496). Half of each
block's width stays self-attention (the number of heads falls by `head_ratio`), the other half is a convolution whose
kernel is made anew for each position from the span around it. The feed-forward part may be grouped (`num_groups`).
No pooler. Published files hold the discriminator's body, trained without a masked-LM loss, and no masked-LM head.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from torch import nn

from bortlab.models.bert import BLOCK_RENAMES, EMBEDDING_RENAMES, HEAD_RENAMES
from bortlab.models.config import Config, ConfigError
from bortlab.models.family import Checkpoint, Family
from bortlab.models.formula import Part
from bortlab.models.network import Network
from bortlab.nn import (
    ACTIVATIONS,
    SUMMARIES,
    Block,
    FeedForward,
    FirstClassifier,
    MixedAttention,
    SummaryClassifier,
)

MIXED_BLOCK = (
    Part("attention", "attention.query", "Hh + h", "Hh + Sh"),  # each query meets each key
    Part("attention", "attention.key", "Hh + h", "Hh"),
    Part("attention", "attention.value", "Hh + h", "Hh + Sh"),  # and each value is weighed
    Part("convolution", "attention.span", "h"),
    Part("convolution", "attention.span.depthwise", "Hk", "Hk"),
    Part("convolution", "attention.span.pointwise", "Hh", "Hh"),
    Part("convolution", "attention.kernel", "hAk + Ak", "hAk"),
    Part("convolution", "attention.convolved", "Hh + h", "Hh + hk"),  # and each neighbour is weighed
    Part("attention", "attention.output", "HH + H", "HH"),
    Part("norms", "attention_norm", "2H"),
    Part("feed-forward", "feedforward.expand", "HI/g + I", "HI/g"),
    Part("feed-forward", "feedforward.contract", "HI/g + H", "HI/g"),
    Part("norms", "feedforward_norm", "2H"),
)
"""The closed formula of `mixed_block`. The output projection serves both halves and is counted as attention's."""


@dataclass(frozen=True, kw_only=True)
class ConvBertConfig(Config):
    """Sizes of a ConvBERT, as in its config.json.

    summary_...: how multiple choice makes one vector of a sequence; None: the last position, and nothing more.
    """

    model_type: ClassVar[str] = "convbert"
    block_parts: ClassVar[tuple[Part, ...]] = MIXED_BLOCK

    vocab_size: int = 30522
    embedding_size: int = 768
    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    head_ratio: int = 2
    conv_kernel_size: int = 9
    num_groups: int = 1
    summary_type: str | None = None
    summary_use_proj: bool | None = None
    summary_activation: str | None = None
    summary_first_dropout: float | None = None
    summary_last_dropout: float | None = None

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
        self._is_known("summary_type", SUMMARIES)
        self._is_known("summary_activation", ACTIVATIONS)
        if self.summary_use_proj and self.extra.get("summary_proj_to_labels"):
            raise ConfigError(
                "summary_proj_to_labels is true; a multiple-choice head needs a vector, so only false works."
            )

    @property
    def embed_width(self) -> int:
        """E, the width of the word table."""
        return self.embedding_size

    @property
    def heads(self) -> int:
        """Attention heads that remain, and as many convolution heads."""
        return max(1, self.num_attention_heads // self.head_ratio)

    @property
    def projects(self) -> bool:
        """Only where the widths differ."""
        return self.embedding_size != self.hidden_size

    @property
    def symbols(self) -> dict[str, int]:
        """BERT's, and those of the convolution."""
        own = {"h": self.hidden_size // 2, "A": self.heads, "k": self.conv_kernel_size, "g": self.num_groups}
        return super().symbols | own

    def head_parts(self, name: str) -> tuple[Part, ...]:
        """Two layers for a whole text, one or two for multiple choice; the others are BERT's."""
        match name:
            case "sequence-classification":
                return (
                    Part("head", "sequence.dense", "HH + H", "HH", once=True),
                    Part("head", "sequence.out", "CH + C", "CH", once=True),
                )
            case "multiple-choice":
                summary = Part("head", "choice.summary", "HH + H", "HH", once=True)
                out = Part("head", "choice.out", "H + 1", "H", once=True)
                return (summary, out) if self.summary_use_proj else (out,)
            case _:
                return super().head_parts(name)


class ConvBert(Network):
    """ConvBERT: BERT's blocks with mixed attention; no pooler, so heads for a whole text have layers of their own."""

    tasks = {  # noqa: RUF012
        "masked-lm": ("masked-lm",),
        "sequence-classification": ("sequence-classification",),
        "multiple-choice": ("multiple-choice",),
        "token-classification": ("token-classification",),
        "question-answering": ("question-answering",),
        "encoder": (),
    }

    def __init__(self, config: ConvBertConfig, task: str = "masked-lm") -> None:
        super().__init__(config, task, project=config.hidden_size if config.projects else None)
        self.blocks = nn.ModuleList(mixed_block(config) for _ in range(config.num_hidden_layers))

    @classmethod
    def head(cls, name: str, config: ConvBertConfig) -> nn.Module:  # type: ignore[override]
        """The published code's own heads for masked words, a whole text and multiple choice; the others are BERT's."""
        hidden, dropout = config.hidden_size, config.head_dropout
        match name:
            case "masked-lm":  # always GELU, whatever the blocks use
                return super().head(name, replace(config, hidden_act="gelu"))
            case "sequence-classification":
                return FirstClassifier(hidden, len(config.labels), activation=config.hidden_act, dropout=dropout)
            case "multiple-choice":
                return SummaryClassifier(
                    hidden,
                    1,
                    summary=config.summary_type or "last",
                    projects=bool(config.summary_use_proj),
                    activation=config.summary_activation,
                    dropouts=(config.summary_first_dropout or 0.0, config.summary_last_dropout or 0.0),
                )
            case _:
                return super().head(name, config)

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
        (r"^sequence\.out\.", "classifier.out_proj."),
        (r"^choice\.summary\.", "sequence_summary.summary."),
        (r"^choice\.out\.", "classifier."),
        *HEAD_RENAMES,
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
        (r"^masked_lm\.own_decoder", "generator_lm_head.weight"),
        (r"^masked_lm\.bias", "generator_lm_head.bias"),
    ),
    tied={"generator_lm_head.weight": "embeddings.words.weight"},
    prefix="convbert.",
    mini=ConvBertConfig(
        vocab_size=8192,
        embedding_size=224,
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
        Checkpoint(key="convbert-mini", title="ConvBERT mini", source="bundled", licence="Apache-2.0"),
        Checkpoint(
            key="conv-bert-small",
            title="ConvBERT small",
            source="YituTech/conv-bert-small",
            licence="Apache-2.0",
            config=ConvBertConfig(embedding_size=128, hidden_size=256, num_attention_heads=4, intermediate_size=1024),
            masked_lm="random",
            note=_NO_HEAD,
        ),
        Checkpoint(
            key="conv-bert-medium-small",
            title="ConvBERT medium-small",
            source="YituTech/conv-bert-medium-small",
            config=ConvBertConfig(
                embedding_size=128, hidden_size=384, num_attention_heads=8, intermediate_size=1536, num_groups=2
            ),
            licence="Apache-2.0",
            masked_lm="random",
            note=_NO_HEAD,
        ),
        Checkpoint(
            key="conv-bert-base",
            title="ConvBERT base",
            source="YituTech/conv-bert-base",
            licence="Apache-2.0",
            config=ConvBertConfig(),
            masked_lm="random",
            note=_NO_HEAD,
        ),
    ),
)
