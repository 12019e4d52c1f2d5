"""What every family is made of: a configuration, a network with three public steps, and a line in the registry."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from bortlab.nn import ACTIVATIONS, Block, Embeddings, MaskedLMHead, Pooler
from bortlab.trace import EncoderOutput, LayerTrace

TASKS = ("masked-lm", "pre-training", "encoder")
"""What a network can be built for. "encoder" is the bare body, with its pooler where the family has one."""

LIMITS: Mapping[str, tuple[float, float]] = {
    "vocab_size": (1, 300_000),
    "hidden_size": (1, 8_192),
    "embedding_size": (1, 8_192),
    "num_hidden_layers": (1, 48),
    "num_hidden_groups": (1, 48),
    "inner_group_num": (1, 8),
    "num_attention_heads": (1, 128),
    "intermediate_size": (1, 32_768),
    "max_position_embeddings": (1, 4_096),
    "type_vocab_size": (1, 16),
    "head_ratio": (1, 128),
    "num_groups": (1, 64),
    "conv_kernel_size": (1, 31),
    "hidden_dropout_prob": (0, 0.95),
    "attention_probs_dropout_prob": (0, 0.95),
    "classifier_dropout_prob": (0, 0.95),
    "initializer_range": (0, 10),
    "layer_norm_eps": (0, 1),
    "pad_token_id": (0, 299_999),
}
"""Smallest and largest value of a field. Real ones lie well inside; an absurd file is refused before it is built."""


class ConfigError(ValueError):
    """A configuration that no network can, or should, be built from."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Sizes of an encoder, under the names that config.json uses.

    Keys that bortlab does not know are kept in `extra`, so that saving loses nothing.
    """

    model_type: ClassVar[str]

    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    hidden_act: str = "gelu"
    hidden_dropout_prob: float = 0.1
    attention_probs_dropout_prob: float = 0.1
    max_position_embeddings: int = 512
    type_vocab_size: int = 2
    initializer_range: float = 0.02
    layer_norm_eps: float = 1e-12
    pad_token_id: int = 0
    extra: Mapping[str, Any] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        for entry in fields(self):
            self._check_field(entry.name, entry.type, getattr(self, entry.name))
        if self.hidden_act not in ACTIVATIONS:
            raise ConfigError(f"Unknown hidden_act {self.hidden_act!r}. Known: {', '.join(ACTIVATIONS)}.")
        self._check()

    @staticmethod
    def _check_field(name: str, kind: object, value: object) -> None:
        """Raise ConfigError where a value has the wrong type or lies beyond LIMITS."""
        if kind == "int" and (not isinstance(value, int) or isinstance(value, bool)):
            raise ConfigError(f"{name}: expected a whole number, got {value!r}.")
        if kind == "float" and (not isinstance(value, int | float) or isinstance(value, bool)):
            raise ConfigError(f"{name}: expected a number, got {value!r}.")
        if kind == "str" and not isinstance(value, str):
            raise ConfigError(f"{name}: expected a text, got {value!r}.")
        if name in LIMITS and isinstance(value, int | float):
            low, high = LIMITS[name]
            if not (math.isfinite(value) and low <= value <= high):
                raise ConfigError(f"{name}: expected {low:g} to {high:g}, got {value:g}.")

    def _check(self) -> None:
        """Raise ConfigError where fields do not fit together."""
        self._divides("num_attention_heads", "hidden_size")

    def _divides(self, part: str, whole: str) -> None:
        divisor, value = getattr(self, part), getattr(self, whole)
        if value % divisor:
            raise ConfigError(f"{whole} ({value}) must be a multiple of {part} ({divisor}).")

    @property
    def embed_width(self) -> int:
        """Width of the word table; families with a factorised embedding say otherwise."""
        return self.hidden_size

    @property
    def depth(self) -> int:
        """Number of executed layers."""
        return self.num_hidden_layers

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read a config.json's contents; a field that is null or absent takes its default."""
        own = {entry.name: entry for entry in fields(cls) if entry.name != "extra"}
        given = {key: value for key, value in data.items() if key in own and value is not None}
        required = [name for name, entry in own.items() if entry.default is MISSING and name not in given]
        if required:
            raise ConfigError(
                f"A {cls.model_type} configuration needs {', '.join(required)}; config.json has no such key."
            )
        return cls(**given, extra={key: value for key, value in data.items() if key not in own and key != "model_type"})

    def to_dict(self) -> dict[str, Any]:
        """The contents of config.json again, with the keys of `extra`."""
        own = {entry.name: getattr(self, entry.name) for entry in fields(self) if entry.name != "extra"}
        return {**self.extra, "model_type": self.model_type, **own}


class Network(nn.Module):
    """An encoder with a masked-LM head, in three public steps: embed, encode, predict.

    A family says which block is the i-th executed layer (`block`), and that is all the encoder loop needs: the loop
    alone decides whether the layers' records are kept, so a block used twelve times leaves twelve records.
    """

    embeddings: Embeddings
    pooler: Pooler | None
    masked_lm: MaskedLMHead | None
    order: nn.Linear | None
    head_activation: ClassVar[str | None] = None
    """Activation of the masked-LM head; None: the blocks' own."""

    def __init__(
        self, config: Config, task: str = "masked-lm", *, project: int | None = None, pools: bool = True
    ) -> None:
        """project: width that embeddings are projected to, None for no projection; pools: has the family a pooler?"""
        super().__init__()
        self.config, self.task = config, task
        self.embeddings = Embeddings(
            vocab=config.vocab_size,
            embed=config.embed_width,
            positions=config.max_position_embeddings,
            types=config.type_vocab_size,
            hidden=project,
            eps=config.layer_norm_eps,
            dropout=config.hidden_dropout_prob,
        )
        predicts, orders = task in ("masked-lm", "pre-training"), task == "pre-training"
        self.masked_lm = (
            MaskedLMHead(
                hidden=config.hidden_size,
                embed=config.embed_width,
                vocab=config.vocab_size,
                activation=self.head_activation or config.hidden_act,
                eps=config.layer_norm_eps,
            )
            if predicts
            else None
        )
        self.pooler = Pooler(config.hidden_size) if pools and task in ("encoder", "pre-training") else None
        self.order = nn.Linear(config.hidden_size, 2) if orders else None

    def block(self, index: int) -> Block:
        """The block that the index-th executed layer uses."""
        raise NotImplementedError

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
        kept: list[LayerTrace] = []
        for index in range(self.config.depth):
            step = self.block(index)(hidden, visible, explicit=keep_layers)
            hidden = step.hidden
            if keep_layers:
                kept.append(step)
        return EncoderOutput(embeddings, hidden, tuple(kept))

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """Published or bundled weights that `bortlab.load` knows by key.

    source: Hugging Face repository id, or "bundled". config: the architecture, so that it can be built with random
    weights and no download; None for bundled ones, whose folder holds it. masked_lm: what the published file's
    masked-LM head is: "trained" or "random" (absent, or present but never trained).
    """

    key: str
    title: str
    source: str
    licence: str
    config: Config | None = None
    revision: str = "main"
    masked_lm: str = "trained"
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A model family: the one place that everything else is derived from.

    renames: ordered (regular expression, replacement) pairs that turn our tensor names into the published ones.
    tied: published names of tensors that are copies of (our name of) another one. tokenizer: kind of its vocabulary.
    mini: the architecture of its bundled mini. tasks: what its networks can be built for.
    """

    name: str
    title: str
    idea: str
    paper: str
    config: type[Config]
    network: type[Network]
    architecture: str
    tokenizer: str
    renames: tuple[tuple[str, str], ...]
    tied: Mapping[str, str]
    prefix: str
    mini: Config
    checkpoints: tuple[Checkpoint, ...]
    tasks: tuple[str, ...] = TASKS
