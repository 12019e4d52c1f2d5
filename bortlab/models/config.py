"""Sizes of an encoder, its tasks and the heads that may stand on it."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, ClassVar, Self, get_args, get_type_hints

from bortlab.models.formula import Part
from bortlab.nn import ACTIVATIONS, PROBLEM_TYPES

TASKS: Mapping[str, str] = {
    "masked-lm": "ForMaskedLM",
    "pre-training": "ForPreTraining",
    "sequence-classification": "ForSequenceClassification",
    "multiple-choice": "ForMultipleChoice",
    "token-classification": "ForTokenClassification",
    "question-answering": "ForQuestionAnswering",
    "encoder": "Model",
}
"""What a network can be built for, and how transformers' classes for it end. "encoder" is the bare body, with its
pooler where the family has one."""
HEADS: Mapping[str, str] = {
    "masked-lm": "masked_lm",
    "pooler": "pooler",
    "sentence-order": "order",
    "sequence-classification": "sequence",
    "multiple-choice": "choice",
    "token-classification": "tokens",
    "question-answering": "spans",
}
"""Everything that may stand on an encoder, and the attribute of a network that it is."""
SPANS = ("start", "end")
"""What a question-answering head scores each position as."""
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
    "classifier_dropout": (0, 0.95),
    "summary_first_dropout": (0, 0.95),
    "summary_last_dropout": (0, 0.95),
    "initializer_range": (0, 10),
    "layer_norm_eps": (0, 1),
    "pad_token_id": (0, 299_999),
}
"""Smallest and largest value of a field. Real ones lie well inside; an absurd file is refused before it is built."""
MAX_LABELS = 10_000
DEFAULT_LABELS = ("LABEL_0", "LABEL_1")
"""What config.json means where it names no labels."""


class ConfigError(ValueError):
    """A configuration that no network can, or should, be built from."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Sizes of an encoder, under the names that config.json uses.

    Keys that bortlab does not know are kept in `extra`, so that saving loses nothing. labels: what the outputs of a
    classification head stand for, in order; id2label, label2id and num_labels of config.json. problem_type: what they
    are of a whole text; None: as the labels look that a loss is computed of. tie_word_embeddings: whether the
    masked-LM head's decoder is the word table; False: it has one of its own.
    """

    model_type: ClassVar[str]
    block_parts: ClassVar[tuple[Part, ...]]
    """The closed formula of one block."""

    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    hidden_act: str = "gelu"
    hidden_dropout_prob: float = 0.1
    attention_probs_dropout_prob: float = 0.1
    classifier_dropout: float | None = None
    max_position_embeddings: int = 512
    type_vocab_size: int = 2
    initializer_range: float = 0.02
    layer_norm_eps: float = 1e-12
    pad_token_id: int = 0
    tie_word_embeddings: bool = True
    problem_type: str | None = None
    labels: tuple[str, ...] = DEFAULT_LABELS
    extra: Mapping[str, Any] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        own: type = type(self)
        for name, kinds in _kinds_of(own).items():
            _check_field(name, kinds, getattr(self, name))
        self._is_known("hidden_act", ACTIVATIONS)
        self._is_known("problem_type", PROBLEM_TYPES)
        unread = bool(self.extra.keys() & set(_LABEL_KEYS))
        if not (0 if unread else 1) <= len(self.labels) <= MAX_LABELS:
            raise ConfigError(f"labels: expected 1 to {MAX_LABELS:,} of them, got {len(self.labels):,}.")
        self._check()

    def _check(self) -> None:
        """Raise ConfigError where fields do not fit together."""
        self._divides("num_attention_heads", "hidden_size")

    def _is_known(self, name: str, known: Iterable[str]) -> None:
        value = getattr(self, name)
        if value is not None and value not in known:
            raise ConfigError(f"Unknown {name} {value!r}. Known: {', '.join(known)}.")

    def _divides(self, part: str, whole: str) -> None:
        divisor, value = getattr(self, part), getattr(self, whole)
        if value % divisor:
            raise ConfigError(f"{whole} ({value}) must be a multiple of {part} ({divisor}).")

    @property
    def embed_width(self) -> int:
        """Width of the word table; families with a factorised embedding say otherwise."""
        return self.hidden_size

    @property
    def regresses(self) -> bool:
        """Whether the labels of a text are numbers to be predicted, which have no probabilities."""
        return self.problem_type == "regression" or (self.problem_type is None and len(self.labels) == 1)

    @property
    def heads(self) -> int:
        """Attention heads of a layer."""
        return self.num_attention_heads

    @property
    def depth(self) -> int:
        """Number of executed layers."""
        return self.num_hidden_layers

    @property
    def n_blocks(self) -> int:
        """Number of stored blocks."""
        return self.depth

    def block_of(self, index: int) -> int:
        """The stored block that executed layer `index` uses."""
        return index

    @property
    def blocks(self) -> tuple[int, ...]:
        """For each executed layer the stored block that it uses: all 0 where one block is used again and again."""
        return tuple(map(self.block_of, range(self.depth)))

    @property
    def projects(self) -> bool:
        """Whether a linear map brings the word vectors to the width of the layers."""
        return False

    @property
    def symbols(self) -> dict[str, int]:
        """The sizes that stand for the letters of formulas; see SYMBOLS."""
        return {
            "V": self.vocab_size,
            "P": self.max_position_embeddings,
            "T": self.type_vocab_size,
            "E": self.embed_width,
            "H": self.hidden_size,
            "I": self.intermediate_size,
            "L": self.depth,
            "N": self.n_blocks,
            "C": len(self.labels),
        }

    @property
    def embedding_parts(self) -> tuple[Part, ...]:
        """The closed formula of the embeddings."""
        tables = {"words": "VE", "positions": "PE", "types": "TE", "norm": "2E"}
        parts = [Part("embeddings", f"embeddings.{name}", weights) for name, weights in tables.items()]
        if self.projects:
            parts.append(Part("embeddings", "embeddings.project", "EH + H", "EH"))
        return tuple(parts)

    def head_parts(self, name: str) -> tuple[Part, ...]:
        """The closed formula of one of HEADS, as BERT has it."""
        own = HEADS[name]
        match name:
            case "masked-lm":
                return (
                    Part("head", f"{own}.dense", "EH + E", "EH"),
                    Part("head", f"{own}.norm", "2E"),
                    Part("head", own, "V", "VE", tied="VE")
                    if self.tie_word_embeddings
                    else Part("head", own, "VE + V", "VE"),
                )
            case "pooler":
                return (Part("pooler", f"{own}.dense", "HH + H", "HH", once=True),)
            case "sentence-order":
                return (Part("head", own, "2H + 2", "2H", once=True),)
            case "multiple-choice":
                return (Part("head", own, "H + 1", "H", once=True),)
            case "question-answering":
                return (Part("head", own, "2H + 2", "2H"),)
            case _:
                return (Part("head", own, "CH + C", "CH", once=name == "sequence-classification"),)

    @property
    def head_dropout(self) -> float:
        """Dropout before a head for labels, while it is trained: its own value, or the encoder's."""
        return self.hidden_dropout_prob if self.classifier_dropout is None else self.classifier_dropout

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read a config.json's contents; a field that is null or absent takes its default."""
        own = {entry.name: entry for entry in fields(cls) if entry.name not in ("labels", "extra")}
        given = {key: value for key, value in data.items() if key in own and value is not None}
        required = [name for name, entry in own.items() if entry.default is MISSING and name not in given]
        if required:
            raise ConfigError(
                f"A {cls.model_type} configuration needs {', '.join(required)}; config.json has no such key."
            )
        known = (*own, "model_type", *_LABEL_KEYS)
        extra = {key: value for key, value in data.items() if key not in known}
        if given.get("problem_type") not in PROBLEM_TYPES:  # such as "" or "ner": no loss asks for it
            extra |= {"problem_type": given.pop("problem_type")} if "problem_type" in given else {}
        try:
            labels = _read_labels(data)
        except ConfigError:  # for `check_labels`: most tasks need no labels
            labels, extra = (), extra | {key: data[key] for key in _LABEL_KEYS if key in data}
        return cls(**given, labels=labels, extra=extra)

    def check_labels(self) -> None:
        """ConfigError where config.json names labels that cannot be used; called for the tasks that need them."""
        if not self.labels:
            _read_labels(self.extra)
        if self.problem_type == "single_label_classification" and len(self.labels) == 1:
            raise ConfigError("A single_label_classification needs two labels or more, got 1: is it a regression?")

    def to_dict(self) -> dict[str, Any]:
        """The contents of config.json again: with the keys of `extra`, without None and default labels."""
        own = {entry.name: getattr(self, entry.name) for entry in fields(self) if entry.name not in ("labels", "extra")}
        given = {name: value for name, value in own.items() if value is not None}
        labels = {} if self.labels in (DEFAULT_LABELS, ()) else _write_labels(self.labels)
        return {**self.extra, "model_type": self.model_type, **given, **labels}


_LABEL_KEYS = ("id2label", "label2id", "num_labels")
_EXPECTED: Mapping[type, str] = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}
"""What a person calls the type of a field."""


@functools.cache
def _kinds_of(cls: type[Any]) -> Mapping[str, frozenset[type]]:
    """The plain fields of a configuration, and the types of _EXPECTED, or None's, that their values may have."""
    hints = get_type_hints(cls)
    kinds = {entry.name: frozenset(get_args(hints[entry.name]) or [hints[entry.name]]) for entry in fields(cls)}
    return {name: types for name, types in kinds.items() if types <= {*_EXPECTED, type(None)}}


def _check_field(name: str, kinds: frozenset[type], value: object) -> None:
    """Raise ConfigError where a value has the wrong type or lies beyond LIMITS."""
    numbers = kinds | ({int} if float in kinds else set())
    if type(value) not in numbers:
        expected = next(words for kind, words in _EXPECTED.items() if kind in kinds)
        raise ConfigError(f"{name}: expected {expected}, got {value!r}.")
    if name in LIMITS and isinstance(value, int | float):
        low, high = LIMITS[name]
        if not (math.isfinite(value) and low <= value <= high):
            raise ConfigError(f"{name}: expected {low:g} to {high:g}, got {value:g}.")


def _read_labels(data: Mapping[str, Any]) -> tuple[str, ...]:
    """The labels that config.json names, counts, or means by default; ConfigError for what is no list of names.

    Where the names are fewer or more than num_labels, the number is right, as in transformers: the names are often a
    default that somebody's script left in the file.
    """
    named, count = data.get("id2label"), data.get("num_labels")
    if count is not None and (not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= MAX_LABELS):
        raise ConfigError(f"num_labels: expected a whole number from 1 to {MAX_LABELS:,}, got {count!r}.")
    if named is None and count is None:
        return DEFAULT_LABELS
    if count is not None and (named is None or (isinstance(named, dict) and len(named) != count)):
        return tuple(f"LABEL_{number}" for number in range(count))
    if not isinstance(named, dict):
        raise ConfigError(f"id2label: expected an object of numbers and names, got a {type(named).__name__}.")
    if named.keys() != {str(number) for number in range(len(named))}:
        raise ConfigError(f"id2label: expected the keys 0 to {len(named) - 1}, got {', '.join(list(named)[:5])}.")
    if not 1 <= len(named) <= MAX_LABELS:
        raise ConfigError(f"labels: expected 1 to {MAX_LABELS:,} of them, got {len(named):,}.")
    wrong = [name for name in named.values() if not isinstance(name, str | int | float)]
    if wrong:
        raise ConfigError(f"id2label: expected names, got {wrong[0]!r}.")
    return tuple(str(named[str(number)]) for number in range(len(named)))


def _write_labels(labels: tuple[str, ...]) -> dict[str, Any]:
    return {
        "id2label": {str(number): name for number, name in enumerate(labels)},
        "label2id": {name: number for number, name in enumerate(labels)},
    }
