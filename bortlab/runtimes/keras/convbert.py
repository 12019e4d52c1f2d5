"""ConvBERT in Keras: mixed attention, grouped feed-forward parts, and heads of its own."""

from __future__ import annotations

from typing import Any

from bortlab.runtimes.keras.design import Design
from bortlab.runtimes.keras.heads import FirstClassifier, SummaryClassifier


class ConvBertDesign(Design):
    """Half of each block's width is a convolution; no pooler."""

    def block_sizes(self) -> dict[str, Any]:
        """BERT's, with the taps of a kernel and the groups of the feed-forward part."""
        config: Any = self.config
        return super().block_sizes() | {"width": config.conv_kernel_size, "groups": config.num_groups}

    def head(self, name: str) -> Any:
        """The published code's own heads for masked words, a whole text and multiple choice; the others are BERT's."""
        config: Any = self.config
        match name:
            case "masked-lm":  # always GELU, whatever the blocks use
                return self.word_transform("gelu")
            case "sequence-classification":
                sizes = {
                    "hidden": config.hidden_size,
                    "outputs": len(config.labels),
                    "activation": config.hidden_act,
                    "dropout": config.head_dropout,
                }
                return FirstClassifier(sizes, name="sequence")
            case "multiple-choice":
                sizes = {
                    "hidden": config.hidden_size,
                    "outputs": 1,
                    "summary": config.summary_type or "last",
                    "projects": bool(config.summary_use_proj),
                    "activation": config.summary_activation or "",
                    "first_dropout": config.summary_first_dropout or 0.0,
                    "last_dropout": config.summary_last_dropout or 0.0,
                }
                return SummaryClassifier(sizes, name="choice")
            case _:
                return super().head(name)
