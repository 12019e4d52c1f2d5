"""Spaces of sizes: a configuration, and the values that some of its sizes may take.

A space belongs to no family: its sizes are fields of a configuration, and which combinations are models is for that
family's configuration to say ("hidden_size (512) must be a multiple of num_attention_heads (12)").
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

from bortlab import registry
from bortlab.analysis.latency.cases import OUTPUTS
from bortlab.analysis.parameters import KNOBS
from bortlab.models import Config, ConfigError, Family
from bortlab.search.costs import family_of

MOST_COMBINATIONS = 10_000
"""Combinations of sizes that a search looks at; more would take more than seconds to count."""
MOST_VALUES = 100
"""Values of one size."""
HEADS = "num_attention_heads"
"""The size that changes neither parameters nor operations."""
FEED_FORWARD = "intermediate_size"
"""The width of the feed-forward part."""
TOML_KEYS = ("base", "title", "output", "sizes")
LETTERS: Mapping[str, str] = {
    "num_hidden_layers": "D",
    "num_attention_heads": "A",
    "hidden_size": "H",
    "intermediate_size": "I",
    "embedding_size": "E",
    "vocab_size": "V",
    "num_hidden_groups": "N",
    "num_groups": "g",
    "head_ratio": "r",
    "conv_kernel_size": "k",
}
"""What papers call the sizes; D, A, H and I are those of OSE."""

ARCHITECTURE = (
    "num_hidden_layers",
    "num_attention_heads",
    "hidden_size",
    "intermediate_size",
    "embedding_size",
    "num_hidden_groups",
    "inner_group_num",
    "head_ratio",
    "conv_kernel_size",
    "num_groups",
)
"""The sizes of a model that are its architecture, not its vocabulary or its longest text."""


class SpaceError(ValueError):
    """A space that cannot be searched."""


@dataclass(frozen=True, slots=True)
class Subarchitecture:
    """One combination of a space's sizes: its configuration, and the values in the order of the space."""

    config: Config
    sizes: tuple[int, ...]

    @property
    def name(self) -> str:
        """The values with hyphens, as Bort's authors write D-A-H-I: "4-8-1024-768"."""
        return "-".join(map(str, self.sizes))


@dataclass(frozen=True, kw_only=True)
class Space:
    """The values that some sizes of a configuration may take.

    key: the model of the catalogue that all other sizes are taken from. sizes: field of its configuration -> values.
    output: "encoder" or "masked-lm", what is counted and timed.
    """

    name: str
    title: str
    key: str
    sizes: Mapping[str, tuple[int, ...]]
    output: str = "encoder"

    def __post_init__(self) -> None:
        if self.output not in OUTPUTS:
            raise SpaceError(f"output: expected {' or '.join(OUTPUTS)}, got {self.output!r}.")
        movable = {knob.field for knob in KNOBS} & {entry.name for entry in fields(self.base)}
        if not self.sizes:
            raise SpaceError(f"The space is empty: it names no size. Sizes of this family: {', '.join(movable)}.")
        for field, values in self.sizes.items():
            _check_values(field, values, movable, self.family.title)
        if self.n_combinations > MOST_COMBINATIONS:
            raise SpaceError(
                f"The space has {self.n_combinations:,} combinations; at most {MOST_COMBINATIONS:,} are searched. "
                "Leave out values, or search twice: coarsely first, then around the best."
            )

    @cached_property
    def base(self) -> Config:
        """The configuration that all other sizes are taken from."""
        return registry.architecture(self.key)[1]

    @property
    def family(self) -> Family:
        """The family whose configuration this is."""
        return family_of(self.base)

    @property
    def n_combinations(self) -> int:
        """Combinations of the values, those included that are no models."""
        return prod(len(set(values)) for values in self.sizes.values())

    @property
    def letters(self) -> tuple[str, ...]:
        """The letter of each size, in the order of a candidate's name."""
        return tuple(LETTERS[field] for field in self.sizes)

    @cached_property
    def candidates(self) -> tuple[Subarchitecture, ...]:
        """Every combination that is a model, each once.

        Raises:
            SpaceError: if none is, with the reason of one.
        """
        kept, reason = [], ""
        for sizes in product(*(sorted(set(values)) for values in self.sizes.values())):
            try:
                kept.append(self.at(sizes))
            except ConfigError as error:
                reason = str(error)
        if not kept:
            raise SpaceError(
                f"The space is empty: none of its {self.n_combinations:,} combinations is a model. {reason}"
            )
        return tuple(kept)

    @property
    def n_refused(self) -> int:
        """Combinations that the family refuses."""
        return self.n_combinations - len(self.candidates)

    def at(self, sizes: Iterable[int]) -> Subarchitecture:
        """The model with these sizes, in the space's order; ConfigError for what the family refuses."""
        values = tuple(sizes)
        changes: Any = dict(zip(self.sizes, values, strict=True))
        return Subarchitecture(replace(self.base, **changes), values)

    def model_of(self, config: Config) -> str:
        """The name under which the lab times such a configuration: "bort:hidden_size=768,num_hidden_layers=4"."""
        own = {field: getattr(config, field) for field in (*self.sizes, *ARCHITECTURE) if hasattr(config, field)}
        changed = [f"{field}={value}" for field, value in own.items() if value != getattr(self.base, field)]
        return f"{self.key}:{','.join(changed)}" if changed else self.key

    def named(self, name: str) -> Subarchitecture:
        """The candidate of a name such as "4-8-1024-768"; SpaceError for one that is not in the space."""
        by_name = {candidate.name: candidate for candidate in self.candidates}
        if name not in by_name:
            raise SpaceError(f"No candidate {name[:80]!r} in this space. Its names read {'-'.join(self.letters)}.")
        return by_name[name]


def _check_values(field: str, values: Sequence[int], movable: set[str], family: str) -> None:
    if field not in movable:
        raise SpaceError(f"{family} has no size {field[:80]!r} to search over. It has: {', '.join(sorted(movable))}.")
    if not values:
        raise SpaceError(f"The space is empty: {field} has no values.")
    if len(values) > MOST_VALUES:
        raise SpaceError(f"{field}: expected at most {MOST_VALUES} values, got {len(values):,}.")
    for value in values:
        if type(value) is not int or value < 1:
            raise SpaceError(f"{field}: expected whole numbers from 1, got {str(value)[:40]}.")


# -- spaces that there are ---------------------------------------------------------------------------------------------


def _bort() -> Space:
    return Space(
        name="bort",
        title="Bort's space",
        key="bort",
        sizes={
            "num_hidden_layers": (2, 4, 6, 8, 10, 12),
            "num_attention_heads": (4, 8, 12, 16),
            "hidden_size": (512, 768, 1024),
            "intermediate_size": (256, 512, 768, 1024, 3072),
        },
    )


def _minis() -> Space:
    return Space(
        name="minis",
        title="Minis",
        key="bert-mini",
        sizes={
            "num_hidden_layers": (1, 2, 4, 6),
            "num_attention_heads": (4,),
            "hidden_size": (112, 224),
            "intermediate_size": (168, 448, 896),
        },
    )


def _minis_heads() -> Space:
    return Space(
        name="minis-heads",
        title="Heads of minis",
        key="bert-mini",
        sizes={
            "num_hidden_layers": (1, 2, 4),
            "num_attention_heads": (2, 4, 8),
            "hidden_size": (224,),
            "intermediate_size": (168,),
        },
    )


def _albert() -> Space:
    return derived("albert-base-v2", ("num_hidden_groups", "embedding_size", "hidden_size"), name="albert")


def _convbert() -> Space:
    return derived("conv-bert-base", ("head_ratio", "conv_kernel_size", "num_groups"), name="convbert")


SPACES = {"bort": _bort, "minis": _minis, "minis-heads": _minis_heads, "albert": _albert, "convbert": _convbert}
"""Spaces by name. Bort's are the 300 of its search; the minis' largest is `bert-mini`, which is trained; those of the
minis' heads are three of its shapes, of which the number of heads changes neither parameters nor operations."""


def space(name: str) -> Space:
    """A space by its name in SPACES, or from a TOML file."""
    if name in SPACES:
        return SPACES[name]()
    if name.endswith(".toml"):
        return read_space(Path(name))
    raise SpaceError(f"Unknown space {name[:200]!r}. Known: {', '.join(SPACES)}, or a file that ends in .toml.")


def derived(base: str, sizes: Sequence[str], *, name: str = "") -> Space:
    """A space around an architecture of the catalogue, whatever its family.

    sizes: fields to vary. Each takes the values of the family's published models, and those around the base's own: a
    quarter to four times a width, a few steps up and down for a count, if the family accepts them by themselves.
    """
    family, config = registry.architecture(base)
    steps = {knob.field: knob.step for knob in KNOBS}
    values: dict[str, tuple[int, ...]] = {}
    for field in sizes:
        if field not in steps or not hasattr(config, field):
            raise SpaceError(f"{family.title} has no size {field[:80]!r} to search over.")
        own = int(getattr(config, field))
        published = {
            int(getattr(checkpoint.config, field)) for checkpoint in family.checkpoints if checkpoint.config is not None
        }
        around = _around(own, steps[field]) | published
        values[field] = tuple(sorted(value for value in around if _is_model(config, field, value)))
    return Space(
        name=name or f"{base}, {', '.join(sizes)}",
        title=f"Around {registry.find(base)[1].title}",
        key=base,
        sizes=values,
    )


def _around(own: int, step: int) -> set[int]:
    """Values near one: a quarter to four times a width, which moves in large steps; a few steps for a count."""
    if step >= 64:
        return {own // 4, own // 2, own, 2 * own, 4 * own}
    return {own + step * number for number in range(-3, 4) if own + step * number >= 1}


def _is_model(config: Config, field: str, value: int) -> bool:
    try:
        replace(config, **{field: value})  # type: ignore[arg-type]
    except ConfigError:
        return False
    return True


# -- a space of one's own ----------------------------------------------------------------------------------------------


def read_space(path: Path) -> Space:
    """A space from a TOML file: base = a key of the catalogue, and a table [sizes] of fields and their values.

    Raises:
        SpaceError: for a file that is not TOML, or no space.
        OSError: for a file that cannot be read.
    """
    try:
        with path.open("rb") as file:
            data = tomllib.load(file)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SpaceError(f"{path} is not TOML: {error}.") from None
    return parse_space(data, name=path.stem)


def parse_space(data: Mapping[str, Any], *, name: str) -> Space:
    """A space from what a TOML file holds; SpaceError where it is none."""
    unknown = [key for key in data if key not in TOML_KEYS]
    if unknown:
        raise SpaceError(f"Unknown key {unknown[0][:80]!r} in the space. Known: {', '.join(TOML_KEYS)}.")
    base = data.get("base")
    if not isinstance(base, str):
        raise SpaceError(
            f'base: expected the key of a model to start from, as in base = "bert-base-uncased", got {base!r}.'
        )
    sizes = data.get("sizes")
    if not isinstance(sizes, Mapping) or not all(isinstance(values, list) for values in sizes.values()):
        raise SpaceError("A space has a table [sizes] with a list of values for each, as in hidden_size = [256, 512].")
    return Space(
        name=name,
        title=str(data.get("title", name))[:80],
        key=base,
        sizes={field: tuple(values) for field, values in sizes.items()},
        output=str(data.get("output", "encoder")),
    )
