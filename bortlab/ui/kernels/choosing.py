"""What the views of the Kernels page share: the kernels, the controls, and what stands at the end."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from bortlab.analysis import kernels as analysis
from bortlab.analysis.kernels import Kernels
from bortlab.model import Model
from bortlab.ui import opened, shared
from bortlab.views import kernels as draw
from bortlab.views.escape import visible
from bortlab.views.view import View

Views = list[View]


def kernels_of(model: Model, text: str) -> Kernels:
    """The kernels of a text."""
    return shared.ask(model, ("kernels", text), lambda model: analysis.of(model.trace(text)))


def choose_layer(model: Model) -> int:
    """A layer, from 0."""
    return shared.choose_number("Layer", "layer", model.config.depth)


def choose_head(model: Model) -> int:
    """A convolution head, from 0."""
    return shared.choose_number("Head", "head", model.config.heads)


def choose_token(kernels: Kernels) -> int:
    """One of the tokens, by its place."""
    own = kernels.own.nonzero().flatten().tolist()
    return shared.choose_place("Token", "token", [visible(unit.text) for unit in kernels.units], own[len(own) // 2])


def title(model: Model, *parts: str) -> str:
    """The title of a view."""
    return ", ".join([opened.title(model.key), *parts])


def beside_the_token_alone(
    model: Model, kernels: Kernels, alone: Tensor, where: tuple[int, int, int], *, name: str
) -> View:
    """A kernel over its neighbours, with the one that the token alone would make.

    alone: (layers, heads, tokens, taps). where: layer, head and token. name: the view's title.
    """
    return draw.laid_over(
        kernels.weights[where],
        kernels.units,
        where[-1],
        colour=shared.colour(model),
        look=shared.look(),
        title=name,
        other=("from the token alone", alone[where]),
    )


def take_away(model: Model, text: str, views: Sequence[View], *, imports: str = "", lines: str) -> None:
    """All views' numbers, to look at and to download, and how to make one of them in a notebook."""
    shared.take_away(
        shared.together([view.table.assign(view=view.title) for view in views], first=("view",)),
        name="kernels",
        views=views,
        python=(
            f"import bortlab\nfrom bortlab.analysis import kernels as analysis\n{imports}"
            "from bortlab.views import kernel_numbers\nfrom bortlab.views import kernels as draw\n"
            f"from bortlab.views.theme import Look\n\nmodel, look = {opened.python(model.key)}, "
            f"Look({shared.look().mode!r})\ncolour = look.family(model.family.name)\ntrace = model.trace({text!r})\n"
            f"{lines}"
        ),
    )
