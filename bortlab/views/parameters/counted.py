"""What is drawn: a model with its sizes; and the colour of each of its components."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bortlab.analysis.parameters import Sizes
from bortlab.models import Config
from bortlab.models.formula import COMPONENTS
from bortlab.views.theme import Look, Mode

COLOURS: Mapping[Mode, tuple[str, ...]] = {
    "light": ("#9aa3b5", "#5b8def", "#21a583", "#e8962e", "#c4ad10", "#c07ab8", "#e0665c"),
    "dark": ("#77819a", "#7ba4ff", "#34bd96", "#f0a04b", "#d6c23a", "#cf86c8", "#ff8a80"),
}
"""Of the components, in their order; neighbours in a bar differ in lightness too."""


@dataclass(frozen=True, slots=True)
class CountedModel:
    """A model in a picture: its title, the name of its family, its configuration, its sizes."""

    title: str
    family: str
    config: Config
    sizes: Sizes


def colour_of(component: str, look: Look) -> str:
    """The colour of a component."""
    return COLOURS[look.mode][COMPONENTS.index(component)]
