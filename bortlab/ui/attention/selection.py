"""What the visitor looks at on the Attention page, the controls that choose it, and the page around its views."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import streamlit as st
from torch import Tensor

from bortlab.analysis import attention as analysis
from bortlab.analysis import heads as heads_of
from bortlab.analysis.attention import Attention
from bortlab.analysis.heads import Heads
from bortlab.model import Model
from bortlab.text import MASK
from bortlab.ui import opened, shared
from bortlab.views.escape import visible
from bortlab.views.view import View

COLUMNS = 2
LEVELS = ("Words", "Pieces")

ViewsByModel = Mapping[str, Sequence[View]]


@dataclass(frozen=True, slots=True)
class Selection:
    """A text, or a pair of texts, through some models."""

    models: Mapping[str, Model]
    text: str
    second: str | None

    @property
    def first(self) -> str:
        """The key of the first model."""
        return next(iter(self.models))

    def attention(self, key: str, level: str, text: str | None = None) -> Attention:
        """Of one model, by words or pieces; of another text if there is one."""
        text, second = self.text if text is None else text, self.second
        make = analysis.of_words if level == LEVELS[0] else analysis.of_pieces
        question = ("attention", level, text, second)
        return shared.ask(self.models[key], question, lambda model: make(model.trace(text, second)))

    def heads(self, key: str, level: str) -> Heads:
        """All heads of one model, compared."""
        attention = self.attention(key, level)
        question = ("heads", level, self.text, self.second)
        return shared.ask(self.models[key], question, lambda _: heads_of.of(attention))


# -- controls ----------------------------------------------------------------------------------------------------------


def choose_level() -> str:
    """Words or pieces."""
    level = st.segmented_control(
        "Between",
        LEVELS,
        default=LEVELS[0],
        key="between",
        bind="query-params",
        required=True,
        help="A word may be several pieces, and each model cuts it in its own way.",
    )
    return level or LEVELS[0]


def choose_layer(selection: Selection) -> int:
    """A layer, from 0; models with fewer layers show their last."""
    return shared.choose_number("Layer", "layer", max(model.config.depth for model in selection.models.values()))


def choose_head(selection: Selection) -> int:
    """A head, from 0; models with fewer heads show their last."""
    return shared.choose_number("Head", "head", max(model.config.heads for model in selection.models.values()))


def choose_heads(selection: Selection) -> list[int]:
    """Heads to average, from 0; none: all of them."""
    most = max(model.config.heads for model in selection.models.values())
    heads = st.multiselect(
        "Heads",
        range(1, most + 1),
        default=[1],
        key="heads",
        bind="query-params",
        placeholder="all",
        width=300,
        help="Several heads are averaged; none means all. A model with fewer heads leaves out those it lacks.",
    )
    return [head - 1 for head in heads]


def choose_unit(attention: Attention, label: str, key: str) -> int:
    """One of the words or pieces, by its place; a blank, or one in the middle, unless chosen."""
    own = [place for place, unit in enumerate(attention.units) if not unit.template] or [0]
    usual = next((place for place in own if attention.units[place].text == MASK), own[len(own) // 2])
    return shared.choose_place(label, key, [visible(text) for text in attention.texts], usual)


class HeadChoice(NamedTuple):
    """A layer and heads that a model has, None for all heads; heads are in ascending order."""

    layer: int
    heads: list[int] | None
    title: str

    def matrix(self, attention: Attention) -> Tensor:
        """(query, key): the mean of these heads."""
        return attention.mean(self.layer, self.heads)


def heads_of_model(selection: Selection, key: str, layer: int, heads: Sequence[int]) -> HeadChoice:
    """The chosen layer and heads, as far as a model has them: its last instead of those it lacks."""
    config = selection.models[key].config
    layer = min(layer, config.depth - 1)
    own = sorted(head for head in heads if head < config.heads)
    if heads and not own:
        own = [config.heads - 1]
    numbers = ", ".join(str(head + 1) for head in own)
    name = f"head{'s' if len(own) > 1 else ''} {numbers}" if own else "all heads"
    return HeadChoice(layer, own or None, f"{opened.title(key)}, layer {layer + 1}, {name}")


def same_unit(attention: Attention, place: int, other: Attention) -> int | None:
    """Where the other model has this unit; None if it did not read that far, or cuts the text into other pieces."""
    unit = attention.units[place]
    if unit.key[0] == "piece":
        places = [n for n, own in enumerate(other.units) if (own.text, own.key) == (unit.text, unit.key)]
    else:
        places = [n for n, own in enumerate(other.units) if own.key == unit.key]
    return places[0] if places else None


# -- the page around views ---------------------------------------------------------------------------------------------


def side_by_side(selection: Selection, show: Callable[[str], Iterable[View]]) -> ViewsByModel:
    """Each model's views below its name; key -> views."""
    shown: dict[str, Sequence[View]] = {}
    for key, column in shared.grid(list(selection.models), COLUMNS):
        with column, shared.sentences():
            shared.heading(selection.models[key])
            shown[key] = list(show(key))
    return shown


def take_away(
    selection: Selection, shown: ViewsByModel, *, name: str, imports: str = "", lines: Callable[[str], str]
) -> None:
    """All views' numbers, to look at and to download, and how to make each model's in a notebook.

    lines: the Python that makes `view` of the model of a key.
    """
    views = [view for of_model in shown.values() for view in of_model]
    if not views:
        return
    tables = [view.table.assign(model=key, view=view.title) for key, of_model in shown.items() for view in of_model]
    pair = "" if selection.second is None else f", {selection.second!r}"
    blocks = [
        f"\nmodel = {opened.python(key)}\ncolour = look.family(model.family.name)\n"
        f"trace = model.trace({selection.text!r}{pair})\n{lines(key)}view.show()\n"
        for key, of_model in shown.items()
        if of_model
    ]
    shared.take_away(
        shared.together(tables, first=("model", "view")),
        name=name,
        views=views,
        python=(
            f"import bortlab\nfrom bortlab.analysis import attention as analysis\n{imports}"
            "from bortlab.views import attention as draw\nfrom bortlab.views.theme import Look\n\n"
            f"look = Look({shared.look().mode!r})\n{''.join(blocks)}"
        ),
    )
