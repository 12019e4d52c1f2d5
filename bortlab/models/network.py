"""An encoder with heads for a task."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import ClassVar, Self

import torch
from torch import Tensor, nn

from bortlab.models.config import HEADS, SPANS, Config
from bortlab.nn import (
    Block,
    Classifier,
    Embeddings,
    MaskedLMHead,
    Pooler,
    choice_loss,
    label_loss,
    span_loss,
)
from bortlab.nn.records import EncoderOutput, LayerTrace, TaskOutput

Change = Callable[[Block, Tensor], Tensor]
"""Another way through a layer: its block and what enters it (batch, seq, hidden) -> what leaves it."""
UNCHANGED: Mapping[int, Change] = MappingProxyType({})


class Network(nn.Module):
    """An encoder with the heads of a task, in three public steps: embed, encode, and `predict` or `score`.

    A family says which block is the i-th executed layer (`block`), and that is all that `steps` needs, which runs them:
    it yields a record a layer, so a block used twelve times leaves twelve. A family also says which heads stand on the
    encoder for each task (`tasks`), and makes those that are not BERT's (`head`).
    """

    tasks: ClassVar[Mapping[str, tuple[str, ...]]]
    """The heads of each task that the family has. Those after a pooler get its vector instead of all positions'."""
    order_output: ClassVar[str] = "seq_relationship_logits"
    """What transformers' classes call the logits of the sentence-order head."""

    embeddings: Embeddings
    masked_lm: MaskedLMHead | None
    pooler: Pooler | None
    order: nn.Module | None

    def __init__(self, config: Config, task: str = "masked-lm", *, project: int | None = None) -> None:
        """project: width that embeddings are projected to, None for no projection."""
        super().__init__()
        self.config, self.task = config, task
        if {"sequence-classification", "token-classification"} & set(self.tasks[task]):
            config.check_labels()
        self.embeddings = Embeddings(
            vocab=config.vocab_size,
            embed=config.embed_width,
            positions=config.max_position_embeddings,
            types=config.type_vocab_size,
            hidden=project,
            eps=config.layer_norm_eps,
            dropout=config.hidden_dropout_prob,
        )
        for name, attribute in HEADS.items():
            setattr(self, attribute, self.head(name, config) if name in self.tasks[task] else None)

    @classmethod
    def head(cls, name: str, config: Config) -> nn.Module:
        """Make one of HEADS, as BERT has it."""
        hidden, dropout = config.hidden_size, config.head_dropout
        match name:
            case "masked-lm":
                return MaskedLMHead(
                    hidden=hidden,
                    embed=config.embed_width,
                    vocab=config.vocab_size,
                    activation=config.hidden_act,
                    eps=config.layer_norm_eps,
                    tied=config.tie_word_embeddings,
                )
            case "pooler":
                return Pooler(hidden)
            case "sentence-order":
                return Classifier(hidden, 2)
            case "multiple-choice":
                return Classifier(hidden, 1, dropout=dropout)
            case "question-answering":
                return Classifier(hidden, len(SPANS))
            case _:
                return Classifier(hidden, len(config.labels), dropout=dropout)

    def block(self, index: int) -> Block:
        """The block that the index-th executed layer uses."""
        raise NotImplementedError

    def heads(self) -> Iterator[tuple[str, nn.Module]]:
        """The heads that score something, by the names of HEADS: all that the task has but the pooler."""
        names = (name for name in self.tasks[self.task] if name != "pooler")
        return ((name, getattr(self, HEADS[name])) for name in names)

    def embed(self, ids: Tensor, type_ids: Tensor | None = None) -> Tensor:
        """ids (batch, seq) -> word vectors (batch, seq, embed), without positions and types: attribution's input.

        type_ids is accepted, and not used, so that the steps can be called alike; types are added by `encode`.
        """
        return self.embeddings.look_up(ids)

    def encode(
        self, words: Tensor, type_ids: Tensor | None = None, mask: Tensor | None = None, *, keep_layers: bool = False
    ) -> EncoderOutput:
        """Run the encoder over words (batch, seq, embed).

        type_ids (batch, seq), None: all 0. mask (batch, seq), non-zero where a piece is real, None: everywhere.
        keep_layers=False takes the fused attention path; True the explicit one, and keeps each layer's record.
        """
        longest = self.config.max_position_embeddings
        if not 1 <= words.shape[1] <= longest:
            raise ValueError(f"Expected 1 to {longest} pieces, got {words.shape[1]}: shorten the text.")
        hidden = embeddings = self.embeddings(words, type_ids)
        visible = None if mask is None else (mask != 0)[:, None, None, :]  # (batch, 1, 1, key)
        layers: list[LayerTrace] = []
        for layer in self.steps(hidden, visible=visible, explicit=keep_layers):
            hidden = layer.hidden
            if keep_layers:
                layers.append(layer)
        return EncoderOutput(embeddings, hidden, tuple(layers))

    def steps(
        self,
        hidden: Tensor,
        start: int = 0,
        stop: int | None = None,
        *,
        visible: Tensor | None = None,
        explicit: bool = False,
        changed: Mapping[int, Change] = UNCHANGED,
    ) -> Iterator[LayerTrace]:
        """Run the layers from `start` to before `stop` (by default the last), one at a time; yield what each did.

        Nothing else runs blocks one after another. Each layer runs in the mode (gradients or none) that the caller is
        in when it asks for it, and only then.

        Args:
            hidden: (batch, seq, hidden), what enters the layer `start`.
            visible: (batch, 1, 1, key), False where a piece is padding; None: every piece is real.
            explicit: form the attention probabilities; otherwise the fused path, and `attention` is None.
            changed: layers that are computed in another way: index -> function(block, hidden) -> hidden.
        """
        for index in range(start, self.config.depth if stop is None else stop):
            block = self.block(index)
            if index in changed:
                layer = LayerTrace(changed[index](block, hidden), None, None)
            else:
                layer = block(hidden, visible, explicit=explicit)
            hidden = layer.hidden
            yield layer

    def run(
        self,
        hidden: Tensor,
        start: int = 0,
        stop: int | None = None,
        *,
        changed: Mapping[int, Change] = UNCHANGED,
    ) -> Tensor:
        """What enters the layer `start` (batch, seq, hidden) -> what leaves the one before `stop`; see `steps`."""
        for layer in self.steps(hidden, start, stop, changed=changed):
            hidden = layer.hidden
        return hidden

    def predict(self, hidden: Tensor) -> Tensor:
        """hidden (..., hidden), of any layer -> masked-LM logits (..., vocab)."""
        if self.masked_lm is None:
            raise ValueError(f'This network was built for task "{self.task}" and has no masked-LM head.')
        return self.masked_lm(hidden, self.embeddings.words.weight)  # type: ignore[no-any-return]

    def predict_order(self, hidden: Tensor) -> Tensor:
        """Last hidden states (batch, seq, hidden) -> logits (batch, 2): ALBERT's sentence order, BERT's next sentence.

        Class 0: the second segment follows the first; class 1: swapped (ALBERT) or from elsewhere (BERT).
        """
        if self.pooler is None or self.order is None:
            raise ValueError(f'This network was built for task "{self.task}" and has no sentence-order head.')
        return self.order(self.pooler(hidden))  # type: ignore[no-any-return]

    def score(self, hidden: Tensor) -> dict[str, Tensor]:
        """Last hidden states (batch, seq, hidden) -> the logits of the task's heads, by name (see TaskOutput).

        For multiple choice a batch is one question's choices. An encoder alone scores nothing.
        """
        features = hidden if self.pooler is None else self.pooler(hidden)
        scores: dict[str, Tensor] = {}
        for name, head in self.heads():
            scores[name] = self.predict(hidden) if name == "masked-lm" else head(features)
        if "question-answering" in scores:
            scores = dict(zip(SPANS, scores["question-answering"].unbind(-1), strict=True))
        return scores

    def solve(
        self,
        ids: Tensor,
        mask: Tensor | None = None,
        type_ids: Tensor | None = None,
        labels: Mapping[str, Tensor] | Tensor | None = None,
    ) -> TaskOutput:
        """Do the task that the network was built for: embed, encode and score, and compare with labels where given.

        ids, mask and type_ids are (batch, seq), for multiple choice (batch, choices, seq). labels: for each of the
        logits, by name (a tensor where there is but one): classes, with -100 where there is none, or positions of
        spans. Raises ValueError for an encoder alone and for labels of other names.
        """
        mask, type_ids = (None if part is None else part.flatten(0, -2) for part in (mask, type_ids))
        logits = self.score(self.encode(self.embed(ids.flatten(0, -2)), type_ids, mask).hidden)
        if not logits:
            raise ValueError(f'This network was built for task "{self.task}" and has no head to solve a task with.')
        if "multiple-choice" in logits:
            logits["multiple-choice"] = logits["multiple-choice"].view(ids.shape[:-1])
        if labels is None:
            return TaskOutput(logits)
        if isinstance(labels, Tensor) and len(logits) == 1:
            labels = dict.fromkeys(logits, labels)
        if not isinstance(labels, Mapping) or labels.keys() != logits.keys():
            got = ", ".join(labels) if isinstance(labels, Mapping) else f"a {type(labels).__name__}"
            raise ValueError(f"labels: expected a mapping with {' and '.join(logits)}, got {got}.")
        return TaskOutput(logits, {name: self._loss(name, logits[name], labels[name]) for name in logits})

    def _loss(self, name: str, logits: Tensor, labels: Tensor) -> Tensor:
        if name in SPANS:
            return span_loss(logits, labels)
        if name == "sequence-classification":
            return label_loss(logits, labels, self.config.problem_type)
        return choice_loss(logits, labels)

    def forward(self, ids: Tensor, mask: Tensor | None = None, type_ids: Tensor | None = None) -> Tensor:
        """ids (batch, seq) -> masked-LM logits (batch, seq, vocab): embed, encode and predict."""
        return self.predict(self.encode(self.embed(ids), type_ids, mask).hidden)

    @torch.no_grad()
    def initialise(self, generator: torch.Generator) -> Self:
        """Random weights as BERT's: normal with initializer_range, biases 0, norms 1. Reproducible by the generator."""
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                parameter.zero_()
            elif "norm" in name:
                parameter.fill_(1.0)
            else:
                parameter.normal_(0.0, self.config.initializer_range, generator=generator)
        return self
