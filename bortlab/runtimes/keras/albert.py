"""ALBERT in Keras: narrow word vectors that are projected, and blocks that several layers share."""

from __future__ import annotations

from typing import Any

from bortlab.runtimes.keras.design import Design


class AlbertDesign(Design):
    """Which layer uses which block is the configuration's (`Config.blocks`); the sentence-order head has dropout."""

    def head(self, name: str) -> Any:
        """BERT's, with dropout before the sentence-order head."""
        return self.classifier("order", 2, self.config.head_dropout) if name == "sentence-order" else super().head(name)
