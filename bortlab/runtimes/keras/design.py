"""A network of Keras layers: what all families have in common. A family's own file says what it does otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import keras
from keras import ops

from bortlab.models import HEADS, SPANS, Network
from bortlab.runtimes.keras.heads import Classifier, Pooler, WordBias, WordTransform
from bortlab.runtimes.keras.layers import Block, Pair, PositionsAndTypes, Words, dense_pairs

HEAD_LAYERS: Mapping[str, str] = {**HEADS, "masked-lm": "word_transform"}
"""The names of the layers that are heads."""


class Design:
    """The layers of a network, and the two steps in which they are applied: `body` and `outputs`.

    network: the torch network that is to be had in Keras; its configuration and task are read, not its weights.
    """

    types_trained = True
    """Whether training changes the vectors of token types."""

    def __init__(self, network: Network) -> None:
        self.config, self.task = network.config, network.task
        config: Any = network.config
        self.words = Words({"vocab": config.vocab_size, "embed": config.embed_width}, name="words")
        self.embeddings = PositionsAndTypes(
            {
                "embed": config.embed_width,
                "positions": config.max_position_embeddings,
                "types": config.type_vocab_size,
                "eps": config.layer_norm_eps,
                "dropout": config.hidden_dropout_prob,
                "types_trained": self.types_trained,
            },
            name="embeddings",
        )
        self.project = keras.layers.Dense(config.hidden_size, name="project") if config.projects else None
        self.blocks = [Block(self.block_sizes(), name=f"block_{number}") for number in range(config.n_blocks)]
        names = network.tasks[network.task]
        self.pooler = Pooler({"hidden": config.hidden_size}, name="pooler") if "pooler" in names else None
        self.bias = WordBias({"vocab": config.vocab_size}, name="word_bias") if "masked-lm" in names else None
        self.heads = {name: self.head(name) for name in names if name != "pooler"}

    # -- what families may do otherwise --------------------------------------------------------------------------------

    def block_sizes(self) -> dict[str, Any]:
        """The sizes of a block; see `Block`."""
        config = self.config
        return {
            "hidden": config.hidden_size,
            "heads": config.heads,
            "intermediate": config.intermediate_size,
            "activation": config.hidden_act,
            "eps": config.layer_norm_eps,
            "dropout": config.hidden_dropout_prob,
            "attention_dropout": config.attention_probs_dropout_prob,
        }

    def head(self, name: str) -> Any:
        """The layer of one of HEADS, as BERT has it."""
        config = self.config
        match name:
            case "masked-lm":
                return self.word_transform(config.hidden_act)
            case "sentence-order":
                return self.classifier("order", 2, 0.0)
            case "multiple-choice":
                return self.classifier("choice", 1, config.head_dropout)
            case "question-answering":
                return self.classifier("spans", len(SPANS), 0.0)
            case "sequence-classification":
                return self.classifier("sequence", len(config.labels), config.head_dropout)
            case _:
                return self.classifier("tokens", len(config.labels), config.head_dropout)

    # -- parts ---------------------------------------------------------------------------------------------------------

    def word_transform(self, activation: str) -> WordTransform:
        """The layers before the word table of a masked-LM head."""
        sizes = {"embed": self.config.embed_width, "activation": activation, "eps": self.config.layer_norm_eps}
        return WordTransform(sizes, name="word_transform")

    @staticmethod
    def classifier(name: str, outputs: int, dropout: float) -> Classifier:
        """Dropout and a linear map."""
        return Classifier({"outputs": outputs, "dropout": dropout}, name=name)

    # -- steps ---------------------------------------------------------------------------------------------------------

    def body(self, ids: Any, mask: Any, type_ids: Any) -> Any:
        """ids, mask and type ids (batch, seq) -> last hidden states (batch, seq, hidden)."""
        hidden = self.embeddings(self.words(ids), type_ids)
        hidden = hidden if self.project is None else self.project(hidden)
        for number in self.config.blocks:  # a block that several layers share is one layer of Keras
            hidden = self.blocks[number](hidden, mask)
        return hidden

    def outputs(self, hidden: Any) -> dict[str, Any]:
        """Last hidden states (batch, seq, hidden) -> the outputs by our names."""
        pooled = None if self.pooler is None else self.pooler(hidden)
        if self.task == "encoder":
            return {"hidden": hidden} | ({} if pooled is None else {"pooled": pooled})
        results = {}
        for name, head in self.heads.items():
            if self.bias is not None and name == "masked-lm":
                results[name] = self.bias(self.words(head(hidden), reverse=True))
            else:
                results[name] = head(hidden if pooled is None else pooled)
        if "question-answering" in results:
            spans = results["question-answering"]
            return {name: ops.squeeze(spans[..., place : place + 1], -1) for place, name in enumerate(SPANS)}
        return results

    @property
    def layers(self) -> dict[str, Any]:
        """All layers by their names."""
        parts = [self.words, self.embeddings, self.project, *self.blocks, self.pooler, self.bias, *self.heads.values()]
        return {layer.name: layer for layer in parts if layer is not None}


def pairs(layers: Mapping[str, Any], network: Network) -> Iterator[Pair]:
    """Every parameter of a torch network with its variable, of the layers (by name) of its Keras twin."""
    yield from layers["words"].pairs(network.embeddings.words)
    yield from layers["embeddings"].pairs(network.embeddings)
    if network.embeddings.project is not None:
        yield from dense_pairs(network.embeddings.project, layers["project"])
    for number in range(network.config.n_blocks):
        yield from layers[f"block_{number}"].pairs(network.block(network.config.blocks.index(number)))
    if network.pooler is not None:
        yield from layers["pooler"].pairs(network.pooler)
    for name, module in network.heads():
        yield from layers[HEAD_LAYERS[name]].pairs(module)
        if name == "masked-lm":
            yield from layers["word_bias"].pairs(module)
