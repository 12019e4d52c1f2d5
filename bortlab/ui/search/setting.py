"""What the page searches: the space, the maximum point, the error, the stride, the length, what p counts."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import streamlit as st

from bortlab import registry
from bortlab.analysis import parameters
from bortlab.models import FAMILIES
from bortlab.search import (
    ERRORS,
    LARGEST,
    SIZES,
    SPACES,
    Extraction,
    MaximumPointError,
    Space,
    derived,
    maximum_point,
    search,
    space,
)

AROUND = "around a model"
"""The space that is made of a model and some of its sizes."""
SPACES_HELP = """bort: the layers, heads and widths of Bort's own search
minis: small BERTs, whose largest is bert-mini
minis-heads: three of them with 2, 4 or 8 heads
albert: groups of layers and widths
convbert: head ratio, taps and groups
around a model: of your choice, any family"""
MAXIMUM = "bert-large-uncased"
"""The maximum point that the page begins with, where the space admits it."""
LENGTHS = (512, 256, 128, 64, 32)


@dataclass(frozen=True, slots=True)
class Setting:
    """The visitor's choices. base, sizes: of a space around a model."""

    space: str
    maximum: str
    error: str
    stride: int
    length: int
    size: str
    base: str = ""
    sizes: tuple[str, ...] = ()

    @property
    def python(self) -> str:
        """The same search in Python."""
        where = f"search.derived({self.base!r}, {list(self.sizes)!r})" if self.space == AROUND else f"{self.space!r}"
        return (
            "from bortlab import search\n\n"
            f"result = search.search(\n    {where},\n    stride={self.stride},\n    maximum={self.maximum!r},\n"
            f"    error={self.error!r},\n    seq={self.length},\n    size={self.size!r},\n)\n"
            "print([row.name for row in result.best])\n"
            "print(result.frame())\n"
        )


def settings() -> Setting:
    """Two rows of controls."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.selectbox(
            "Space",
            [*SPACES, AROUND],
            key="space",
            bind="query-params",
            width=190,
            help=SPACES_HELP.replace("\n", "  \n"),
        )
        base, sizes = _around() if name == AROUND else ("", ())
        where = space_of(name, base, sizes)
        maximum = _maximum(where)
        error = st.selectbox(
            "Error",
            list(ERRORS),
            index=list(ERRORS).index("power"),
            key="error",
            bind="query-params",
            width=160,
            help="  \n".join(f"{name}: {entry.formula}, {entry.about}." for name, entry in ERRORS.items()),
        )
        stride = st.number_input(
            "Stride (ε)",
            1,
            100_000,
            1,
            key="stride",
            bind="query-params",
            width=120,
            help="One of so many neighbours in size is looked at; 1 looks at all.",
        )
        length = _length(where)
        size = st.selectbox(
            "p counts",
            SIZES,
            key="counts",
            bind="query-params",
            width=160,
            help="parameters: all weights  \neffective: those without the embeddings, half of a small model",
        )
    return Setting(name, maximum, error, int(stride), length, size, base, sizes)


def extract(setting: Setting) -> Extraction:
    """The search that was asked for; equal ones are computed once. ValueError for one that cannot be."""
    return _extract(setting)


@functools.lru_cache(maxsize=64)
def _extract(setting: Setting) -> Extraction:
    return search(
        space_of(setting.space, setting.base, setting.sizes),
        stride=setting.stride,
        maximum=setting.maximum,
        error=setting.error,
        seq=setting.length,
        size=setting.size,
    )


@functools.lru_cache(maxsize=64)
def space_of(name: str, base: str, sizes: tuple[str, ...]) -> Space:
    """A space by its name, or around a model."""
    return derived(base, sizes) if name == AROUND else space(name)


def _around() -> tuple[str, tuple[str, ...]]:
    """A model, and which of its sizes are moved."""
    keys = [checkpoint.key for family in FAMILIES.values() for checkpoint in family.checkpoints]
    base = st.selectbox(
        "Model", keys, index=keys.index("conv-bert-small"), key="around", bind="query-params", width=230
    )
    labels = {knob.field: knob.label for knob in parameters.knobs(registry.architecture(base)[1])}
    if not set(st.session_state.get("sizes", ())) <= set(labels):
        del st.session_state["sizes"]  # of another family
    chosen = st.multiselect(
        "Sizes that move",
        list(labels),
        default=[field for field in ("num_hidden_layers", "intermediate_size") if field in labels],
        key="sizes",
        bind="query-params",
        width=300,
    )
    return base, tuple(chosen)


def _maximum(where: Space) -> str:
    """The maximum point: the largest of the space, or a published model that no candidate exceeds."""
    options = [LARGEST, *maxima(where)]
    if st.session_state.get("maximum", LARGEST) not in options:
        del st.session_state["maximum"]  # of another space
    return st.selectbox(
        "Maximum point (T)",
        options,
        index=options.index(MAXIMUM) if MAXIMUM in options else 0,
        key="maximum",
        bind="query-params",
        width=230,
        help="What every candidate is measured against: the largest of the space, or the sizes of a published model "
        "with the space's own vocabulary.",
    )


def maxima(where: Space) -> list[str]:
    """Models of the catalogue that no candidate exceeds, each architecture once."""
    return list(_maxima(where.key, tuple(where.sizes.items()), where.output))


@functools.lru_cache(maxsize=64)
def _maxima(key: str, sizes: tuple[tuple[str, tuple[int, ...]], ...], output: str) -> tuple[str, ...]:
    where = Space(name="", title="", key=key, sizes=dict(sizes), output=output)
    by_costs: dict[tuple[float, float], str] = {}
    length = min(LENGTHS[0], where.base.max_position_embeddings)
    for family in sorted(FAMILIES.values(), key=lambda family: not family.reference):  # BERT's names first
        for checkpoint in family.checkpoints:
            try:
                point = maximum_point(where, checkpoint.key, seq=length)
            except (MaximumPointError, ValueError):
                continue
            by_costs.setdefault((point.parameters, point.operations), checkpoint.key)
    return tuple(by_costs.values())


def _length(where: Space) -> int:
    options = [length for length in LENGTHS if length <= where.base.max_position_embeddings]
    if st.session_state.get("length", options[0]) not in options:
        del st.session_state["length"]  # longer than this space reads
    return int(
        st.selectbox(
            "Pieces",
            options,
            key="length",
            bind="query-params",
            width=110,
            help="Length of the text that operations are counted for.",
        )
    )
