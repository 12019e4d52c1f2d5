"""A model family and its published weights: what everything else is derived from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bortlab.models.config import Config
from bortlab.models.network import Network
from bortlab.text import TokenizerKind


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
    tied: published names of tensors that are, as a rule, copies of (our name of) another one.
    tokenizer: kind of its vocabulary.
    mini: the architecture of its bundled mini. reference: is it what the others are compared with?
    """

    name: str
    title: str
    idea: str
    paper: str
    config: type[Config]
    network: type[Network]
    architecture: str
    tokenizer: TokenizerKind
    renames: tuple[tuple[str, str], ...]
    tied: Mapping[str, str]
    prefix: str
    mini: Config
    checkpoints: tuple[Checkpoint, ...]
    reference: bool = False

    @property
    def mini_key(self) -> str:
        """The key of its bundled mini, one of the equal four."""
        return f"{self.name}-mini"

    @property
    def tasks(self) -> tuple[str, ...]:
        """What its networks can be built for."""
        return tuple(self.network.tasks)
