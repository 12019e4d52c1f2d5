"""Where known architectures stand in a space, and how the answer of a search moves with what it was asked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import TYPE_CHECKING, Any

from bortlab.models import Config, ConfigError
from bortlab.search.costs import Costs, costs
from bortlab.search.extraction import Extraction, search
from bortlab.search.objective import LARGEST, MaximumPointError, size_of
from bortlab.search.space import Space

if TYPE_CHECKING:
    import pandas

SHAPE = ("num_hidden_layers", "num_attention_heads", "hidden_size", "intermediate_size")
STRIDES = (1, 2, 3, 4, 6)
LENGTHS = (128, 512)


@dataclass(frozen=True, slots=True)
class Landmark:
    """A published architecture, by its D, A, H and I, and where the sizes are from."""

    title: str
    shape: tuple[int, int, int, int]
    source: str


LANDMARKS = (
    Landmark("Bort, as released", (4, 8, 1024, 768), "https://huggingface.co/amazon/bort"),
    Landmark("Bort, 768 wide", (4, 12, 768, 1024), "https://github.com/alexa/bort"),
    Landmark("TinyBERT", (4, 12, 312, 1200), "https://arxiv.org/abs/1909.10351"),
    Landmark("MiniLM", (6, 12, 384, 1536), "https://arxiv.org/abs/2002.10957"),
    Landmark("DistilBERT", (6, 12, 768, 3072), "https://arxiv.org/abs/1910.01108"),
    Landmark("BERT base", (12, 12, 768, 3072), "https://arxiv.org/abs/1810.04805"),
)
"""All of them as plain blocks with the space's own vocabulary, so that only the shape differs."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A landmark among the candidates. factor: None for one that is larger than the maximum point.

    needed: its error must be below so many times the error of the candidate with the largest factor for it to win
    against that one; None where there is no factor.
    """

    landmark: Landmark
    config: Config
    costs: Costs
    factor: float | None
    needed: float | None

    @property
    def name(self) -> str:
        """D-A-H-I."""
        return "-".join(map(str, self.landmark.shape))


def standings(extraction: Extraction) -> tuple[Standing, ...]:
    """Where the landmarks stand; none for a space whose blocks are not plain ones."""
    base = extraction.space.base
    if "k" in base.symbols or base.projects:
        return ()
    most = max(row.factor for row in extraction.rows)
    return tuple(_standing(extraction, landmark, most) for landmark in LANDMARKS if _config(base, landmark))


def _config(base: Config, landmark: Landmark) -> Config | None:
    changes: Any = dict(zip(SHAPE, landmark.shape, strict=True))
    try:
        return replace(base, **changes)
    except ConfigError:
        return None


def _standing(extraction: Extraction, landmark: Landmark, most: float) -> Standing:
    config = _config(extraction.space.base, landmark)
    assert config is not None
    entry = costs(config, extraction.space.output, extraction.seq)
    size, point = size_of(entry, extraction.size), extraction.maximum
    if size > point.parameters or entry.operations > point.operations:
        return Standing(landmark, config, entry, None, None)
    factor = point.factor(size, entry.operations)
    return Standing(landmark, config, entry, factor, factor / most if most else None)


# -- how the winner moves ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Answer:
    """What one search said: the winners' names, their costs, and their W."""

    maximum: str
    seq: int
    stride: int
    winners: tuple[str, ...]
    costs: Costs
    w: float

    @property
    def written(self) -> str:
        """The winners as one name, where they differ in a size that nothing tells apart: "2-4/8/16-512-1024"."""
        places = [tuple(dict.fromkeys(values)) for values in zip(*(n.split("-") for n in self.winners), strict=True)]
        if prod(map(len, places)) != len(self.winners):
            return ", ".join(self.winners)
        return "-".join("/".join(values) for values in places)


def answers(
    where: Space,
    *,
    maxima: Iterable[str] = (LARGEST, "bert-large-uncased"),
    lengths: Sequence[int] = LENGTHS,
    strides: Sequence[int] = STRIDES,
    error: Any = "power",
    size: str = "parameters",
) -> tuple[Answer, ...]:
    """The winners under each maximum point, length and stride that the space admits."""
    given = []
    n = len(where.candidates)
    for maximum in maxima:
        for seq in lengths:
            if seq > where.base.max_position_embeddings:
                continue
            for stride in (number for number in strides if number <= n):
                try:
                    result = search(where, stride=stride, maximum=maximum, error=error, seq=seq, size=size)
                except MaximumPointError:
                    continue
                names = tuple(row.name for row in result.best)
                first = result.best[0]
                given.append(Answer(result.maximum.title, seq, stride, names, first.costs, first.w or 0.0))
    return tuple(given)


def answers_frame(given: Iterable[Answer]) -> pandas.DataFrame:
    """One row a maximum point and length, one column a stride."""
    import pandas

    rows: dict[tuple[str, int], dict[str, object]] = {}
    for answer in given:
        row = rows.setdefault((answer.maximum, answer.seq), {"maximum point": answer.maximum, "pieces": answer.seq})
        row[f"stride {answer.stride}"] = answer.written
    return pandas.DataFrame(list(rows.values()))
