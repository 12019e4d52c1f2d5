"""The parts of the Attention page. Each view is a function of what was asked; `VIEWS` names them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import streamlit as st

from bortlab.analysis import attention as analysis
from bortlab.analysis import predict as words
from bortlab.analysis.attention import Attention
from bortlab.model import Model
from bortlab.system.numbers import percent
from bortlab.text import MASK
from bortlab.ui import opened, shared
from bortlab.views import attention as draw
from bortlab.views import bertviz
from bortlab.views.cards import model_heading
from bortlab.views.escape import markdown, visible
from bortlab.views.view import View

COLUMNS = 2
LEVELS = ("Words", "Pieces")
MASKABLE = 200
"""Words that can be chosen to be hidden."""

EXPLANATION = """
In each layer every **head** makes of each piece a *query*, a *key* and a *value*. A piece takes in the values of all
pieces, weighted by `softmax(query · keys / √size)`: these weights are the attention. Rows sum to 1.
(Vaswani et al. 2017, section 3.2)

* **Words**: attention *to* a word is the sum over its pieces, attention *from* a word their mean (Clark et al. 2019,
  section 4.1), so that models with other pieces can be compared. `[CLS]` and `[SEP]` belong to the template.
* **Entropy** says how spread out a head looks: 0 bits is one word, log₂(number of words) all alike. **Distance** is the
  mean of how many words lie between the one that looks and the one that is looked at. The numbers are means over the
  text's own words.
* **Alike**: the Jensen-Shannon divergence of two heads' rows, in bits, 0 for the same and 1 for nothing in common.
  Groups are made by joining the two nearest groups again and again (average linkage).
* **Rollout** multiplies the layers, half of each step being the residual connection; **flow** takes the layers for
  pipes and asks for the maximum flow (Abnar and Zuidema 2020, arXiv 2005.00928).
* Heads that look alike are what the three models save on. **ALBERT** uses one block in all layers. **ConvBERT** found
  many heads to look only at neighbours, and gave half of each block to a convolution. **Bort** kept few layers.
* Attention is not explanation: a head that looks at a word need not use it (Jain and Wallace 2019, arXiv 1902.10186).
* **BertViz** (Vig 2019, arXiv 1906.05714) is drawn with its own scripts; of a long text the strongest lines alone.
"""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the visitor wants to look at: a text through some models, cut off layers and heads that a model lacks."""

    models: Mapping[str, Model]
    text: str
    second: str | None

    def attention(self, key: str, level: str, text: str | None = None) -> Attention:
        """Of one model, by words or pieces; of another text if told."""
        said, pair = self.text if text is None else text, self.second
        make = analysis.of_words if level == LEVELS[0] else analysis.of_pieces
        question = ("attention", level, said, pair)
        return shared.ask(self.models[key], question, lambda model: make(model.trace(said, pair)))

    def heads(self, key: str, level: str) -> analysis.Heads:
        """All heads of one model, compared."""
        found = self.attention(key, level)
        question = ("heads", level, self.text, self.second)
        return shared.ask(self.models[key], question, lambda _: analysis.heads(found))


def look_at(keys: Sequence[str], text: str, second: str | None) -> Asked:
    """The models that can be asked; one that cannot says why in its place."""
    models = {}
    for key in keys:
        with shared.sentences():
            models[key] = opened.load(key)
    if not keys:
        st.info("Choose at least one model in the sidebar.")
    elif not text.strip() and second is None:
        st.info("The box is empty: only the template is left. Write a sentence.")
    return Asked(models, text, second)


# -- controls ----------------------------------------------------------------------------------------------------------


def _level() -> str:
    return (
        st.segmented_control(
            "Between", LEVELS, default=LEVELS[0], key="between", bind="query-params", required=True,
            help="A word may be several pieces, and each model cuts it in its own way.",
        )
        or LEVELS[0]
    )  # fmt: skip


def _layer(asked: Asked, name: str = "layer", label: str = "Layer") -> int:
    """A layer, from 0; models with fewer layers show their last."""
    deepest = max(model.config.depth for model in asked.models.values())
    _within(name, deepest)
    return int(st.selectbox(label, range(1, deepest + 1), key=name, bind="query-params", width=110)) - 1


def _heads(asked: Asked) -> list[int]:
    """Heads to average, from 0; none: all of them."""
    most = max(model.config.heads for model in asked.models.values())
    chosen = st.multiselect(
        "Heads", range(1, most + 1), default=[1], key="heads", bind="query-params", placeholder="all", width=300,
        help="Several heads are averaged; none means all. A model with fewer heads leaves out those it lacks.",
    )  # fmt: skip
    return [head - 1 for head in chosen]


def _within(name: str, most: int) -> None:
    """A choice from before that is too large for the models of now."""
    if isinstance(now := st.session_state.get(name), int) and now > most:
        st.session_state[name] = most


def _unit(attention: Attention, label: str, key: str) -> int:
    """One of the words or pieces, by its place."""
    texts = [f"{n + 1}  {visible(text)}" for n, text in enumerate(attention.texts)]
    _within(key, len(texts) - 1)
    own = [n for n, unit in enumerate(attention.units) if not unit.template] or [0]
    first = next((n for n in own if attention.units[n].text == MASK), own[len(own) // 2])
    chosen = st.selectbox(
        label, range(len(texts)), index=first, format_func=texts.__getitem__, key=key, bind="query-params", width=220
    )
    return int(chosen)


# -- the page around views ---------------------------------------------------------------------------------------------


def _columns(asked: Asked, show: Callable[[str], Iterable[View]]) -> dict[str, list[View]]:
    """Each model's views below its name, side by side."""
    shown: dict[str, list[View]] = {}
    keys = list(asked.models)
    for start in range(0, len(keys), COLUMNS):
        row = keys[start : start + COLUMNS]
        for key, column in zip(row, st.columns(len(row), gap="medium"), strict=True):
            with column, shared.sentences():
                heading(asked.models[key])
                shown[key] = list(show(key))
    return shown


def heading(model: Model) -> None:
    """A model's name, and what is peculiar to its layers and heads."""
    layers, heads = model.config.depth, model.config.heads
    used = len(set(model.config.blocks))
    facts = [f"{layers} layers of {heads} attention heads"]
    if used < layers:
        facts.append(f"{'one block' if used == 1 else f'{used} blocks'}, used {layers} times")
    if heads < model.config.num_attention_heads:
        facts.append(f"{heads} of {model.config.num_attention_heads} heads remain, convolution does the rest")
    st.html(model_heading(opened.title(model.key), model.family.name, head=None, facts=facts, look=shared.look()))


def _clamp(asked: Asked, key: str, layer: int, heads: Sequence[int]) -> tuple[int, list[int] | None, str]:
    """Layer and heads that this model has, and how to call them."""
    model = asked.models[key]
    found = min(layer, model.config.depth - 1)
    some = [head for head in heads if head < model.config.heads] or ([] if not heads else [model.config.heads - 1])
    if not some:
        said = "all heads"
    elif len(some) == 1:
        said = f"head {some[0] + 1}"
    else:
        said = f"heads {', '.join(str(head + 1) for head in sorted(some))}"
    return found, some or None, f"{opened.title(key)}, layer {found + 1}, {said}"


def _colour(model: Model) -> str:
    return shared.look().family(model.family.name)


def _take_away(asked: Asked, shown: Mapping[str, Sequence[View]], *, name: str, lines: str) -> None:
    """All views' numbers, to look at and to download, and how to make one of them in a notebook."""
    views = [view for several in shown.values() for view in several]
    if not views:
        return
    tables = [view.table.assign(model=key, view=view.title) for key, several in shown.items() for view in several]
    table = shared.together(tables, first=("model", "view"))
    key = next(iter(shown))
    pair = "" if asked.second is None else f", {asked.second!r}"
    shared.take_away(
        table,
        name=name,
        views=views,
        python=(
            "import bortlab\nfrom bortlab.analysis import attention as analysis\n"
            "from bortlab.views import attention as draw\nfrom bortlab.views.theme import Look\n\n"
            f"model, look = {opened.python(key)}, Look({shared.look().mode!r})\n"
            f"trace = model.trace({asked.text!r}{pair})\n{lines}view.show()\n"
        ),
    )


# -- views -------------------------------------------------------------------------------------------------------------


def one_head(asked: Asked) -> None:
    """The heat map of a head, or the mean of several, and what one word looks at."""
    if not asked.models:
        return
    with st.container(horizontal=True):
        level, layer, heads = _level(), _layer(asked), _heads(asked)
        first = asked.attention(next(iter(asked.models)), level)
        position = _unit(first, "From", "from")
    look = shared.look()

    def show(key: str) -> Iterable[View]:
        model, found = asked.models[key], asked.attention(key, level)
        at, some, title = _clamp(asked, key, layer, heads)
        matrix = found.mean(at, some)
        view = draw.heat(matrix, found.units, colour=_colour(model), look=look, title=title)
        shared.picture(view, f"heat-{key}")
        st.markdown(_said(analysis.statistics(found), at, some))
        yield view
        place = _same(first, position, found)
        if place is not None:
            bars = draw.from_one(
                matrix, found.units, place, colour=_colour(model), look=look,
                title=f"{title}, from {found.units[place].text}",
            )  # fmt: skip
            with st.expander(f"From {markdown(found.units[place].text)}", expanded=len(found.units) <= 20):
                shared.picture(bars, f"from-{key}")

    shown = _columns(asked, show)
    key = next(iter(asked.models))
    at, some, title = _clamp(asked, key, layer, heads)
    make = "of_words" if level == LEVELS[0] else "of_pieces"
    _take_away(
        asked, shown, name="attention",
        lines=f"found = analysis.{make}(trace)\nview = draw.heat(found.mean({at}, {some}), found.units, "
        f"colour=look.family(model.family.name), look=look, title={title!r})\n",
    )  # fmt: skip


def _same(first: Attention, position: int, other: Attention) -> int | None:
    """The place in another model of the first model's unit; a piece has none but in the same cut."""
    unit = first.units[position]
    if unit.key[0] == "piece":
        there = [n for n, one in enumerate(other.units) if (one.text, one.key) == (unit.text, unit.key)]
    else:
        there = [n for n, one in enumerate(other.units) if one.key == unit.key]
    return there[0] if there else None


def _said(found: analysis.HeadStatistics, layer: int, heads: Sequence[int] | None) -> str:
    """What a head, or the mean of several, does, in a sentence."""
    some = list(heads) if heads is not None else slice(None)
    shares = {
        "to the template": found.template, "to the one before": found.previous, "to the next one": found.following,
        "to the one that looks": found.itself,
    }  # fmt: skip
    numbers = {name: float(values[layer][some].mean()) for name, values in shares.items()}
    best = max(numbers, key=numbers.__getitem__)
    entropy, distance = float(found.entropy[layer][some].mean()), float(found.distance[layer][some].mean())
    return f"**{percent(numbers[best])}** goes {best}; entropy {entropy:.1f} bits, mean distance {distance:.1f}."


def all_heads(asked: Asked) -> None:
    """Thumbnails of every head; a click opens one."""
    if not asked.models:
        return
    level = _level()
    st.caption("Rows look at columns. A click on a head opens it. Shades are square roots of the weights.")
    look = shared.look()

    def opens(key: str) -> Callable[[], None]:
        def callback() -> None:
            points = (st.session_state.get(f"grid-{key}") or {}).get("selection", {}).get("points", [])
            if points:
                layer, head = points[0]["customdata"]
                st.session_state["layer"], st.session_state["heads"] = int(layer) + 1, [int(head) + 1]
                st.session_state["view"] = "One head"

        return callback

    def show(key: str) -> Iterable[View]:
        model, found = asked.models[key], asked.attention(key, level)
        compared = asked.heads(key, level)
        uses = model.config.blocks
        shared_block = len(set(uses)) < len(uses)
        rows = [
            f"use {uses[: n + 1].count(block)}" + (f" of {block + 1}" if max(uses) else "") if shared_block
            else f"layer {n + 1}" for n, block in enumerate(uses)
        ]  # fmt: skip
        title = f"{opened.title(key)}, all heads"
        view = draw.thumbnails(found, compared, colour=_colour(model), look=look, title=title, rows=rows)
        shared.picture(view, f"grid-{key}", on_select=opens(key))
        st.markdown(_grouped(compared))
        yield view

    shown = _columns(asked, show)
    make = "of_words" if level == LEVELS[0] else "of_pieces"
    _take_away(
        asked, shown, name="all-heads",
        lines=f"found = analysis.{make}(trace)\nview = draw.thumbnails(found, analysis.heads(found), "
        "colour=look.family(model.family.name), look=look, title=model.key)\n",
    )  # fmt: skip


def _grouped(found: analysis.Heads) -> str:
    """How many heads do what, and how many have a twin."""
    sizes: dict[str, int] = {}
    for group in found.groups:
        sizes[found.kinds[group]] = sizes.get(found.kinds[group], 0) + 1
    said = shared.names([f"{n} {kind}" for kind, n in sorted(sizes.items(), key=lambda item: -item[1])])
    nearest = found.nearest
    if not len(nearest):
        return f"Of {len(found.groups)} heads {said}."
    twins = int((nearest < 0.1).sum())
    return f"Of {len(found.groups)} heads {said}. **{twins}** have a twin, another head less than 0.1 bits away."


def what_heads_do(asked: Asked) -> None:
    """Numbers of every head, how alike they are, and groups of them."""
    if not asked.models:
        return
    level = _level()
    look = shared.look()

    def show(key: str) -> Iterable[View]:
        model, found = asked.models[key], asked.heads(key, level)
        colour, title = _colour(model), opened.title(key)
        st.markdown(_grouped(found))
        view = draw.measures(found, colour=colour, look=look, title=f"{title}, what its heads do")
        shared.picture(view, f"measures-{key}")
        st.markdown("**How alike heads are**: faint is alike. Heads are numbered layer.head.")
        alike = draw.likeness(found, colour=colour, look=look, title=f"{title}, how alike its heads are")
        shared.picture(alike, f"alike-{key}")
        st.markdown("**Groups**: heads as points, near where they look alike.")
        shared.picture(draw.head_map(found, look=look, title=f"{title}, its heads as points"), f"map-{key}")
        yield view
        yield alike

    shown = _columns(asked, show)
    _take_away(
        asked, shown, name="heads",
        lines="found = analysis.heads(analysis.of_words(trace))\n"
        "view = draw.measures(found, colour=look.family(model.family.name), look=look, title=model.key)\n",
    )  # fmt: skip


def through_layers(asked: Asked) -> None:
    """Rollout and flow to one word."""
    if not asked.models:
        return
    first = asked.attention(next(iter(asked.models)), LEVELS[0])
    position = _unit(first, "To the end, at", "at")
    look = shared.look()

    def show(key: str) -> Iterable[View]:
        model, found = asked.models[key], asked.attention(key, LEVELS[0])
        place = _same(first, position, found)
        if place is None:
            st.info("This model did not read that far.")
            return
        flows = None
        if found.weights.shape[0] * len(found.units) ** 2 <= analysis.FLOW_EDGES:
            question = ("flow", asked.text, asked.second, place)
            flows = shared.ask(model, question, lambda _: analysis.flow(found, place))
        else:
            st.caption("The text is too long for flow here; rollout is shown.")
        word = found.units[place].text
        view = draw.through(
            found, place, flows, colour=_colour(model), look=look, title=f"{opened.title(key)}, what is in {word}"
        )
        shared.picture(view, f"through-{key}")
        if model.config.heads < model.config.num_attention_heads:
            st.caption("Only the attention half counts here; what the convolution mixes in is not among these numbers.")
        steps = analysis.rollout(found)[-1]
        rows = draw.heat(steps, found.units, colour=_colour(model), look=look, title=f"{opened.title(key)}, rollout")
        with st.expander("Rollout of all words"):
            shared.picture(rows, f"rollout-{key}")
        own = float(steps[place, place])
        st.markdown(
            f"By rollout **{percent(own)}** of what stands at **{markdown(word)}** at the end came from itself."
        )
        yield view
        yield rows

    shown = _columns(asked, show)
    _take_away(
        asked, shown, name="rollout",
        lines=f"found = analysis.of_words(trace)\nview = draw.through(found, {position}, analysis.flow(found, "
        f"{position}), colour=look.family(model.family.name), look=look, title=model.key)\n",
    )  # fmt: skip


def compare(asked: Asked) -> None:
    """Two models, or one model with a word hidden, and the difference."""
    if not asked.models:
        return
    with st.container(horizontal=True):
        what = st.segmented_control(
            "Compare", ("Two models", "A word hidden"), default="Two models", key="compare", bind="query-params",
            required=True,
        )  # fmt: skip
        layer, heads = _layer(asked), _heads(asked)
    if what == "A word hidden":
        _hidden(asked, layer, heads)
    else:
        _two_models(asked, layer, heads)


def _two_models(asked: Asked, layer: int, heads: Sequence[int]) -> None:
    keys = list(asked.models)
    if len(keys) < 2:
        st.info("Choose at least two models in the sidebar.")
        return
    with st.container(horizontal=True):
        names = {key: visible(opened.title(key)) for key in keys}
        one, two = (
            st.selectbox(
                label, keys, index=place, format_func=names.__getitem__, key=name, bind="query-params", width=220
            )
            for place, (label, name) in enumerate((("First", "first"), ("Second", "other")))
        )
    look = shared.look()
    pairs, titles = [], []
    for key in (one, two):
        found = asked.attention(key, LEVELS[0])
        at, some, title = _clamp(asked, key, layer, heads)
        pairs.append((found, found.mean(at, some)))
        titles.append(title)
    compared = analysis.compare(*pairs)
    largest = float(max(compared.first.max(), compared.second.max()))
    views: dict[str, list[View]] = {}
    sides = (compared.first, compared.first_units), (compared.second, compared.second_units)
    for number, (key, title, (matrix, units), column) in enumerate(
        zip((one, two), titles, sides, st.columns(2), strict=True)
    ):
        with column:
            heading(asked.models[key])
            view = draw.heat(matrix, units, colour=_colour(asked.models[key]), look=look, title=title, largest=largest)
            shared.picture(view, f"one-of-two-{number}")
    view = draw.difference(compared, look=look, title=f"{titles[1]}, less {titles[0]}", names=("first", "second"))
    st.markdown(
        f"**Second less first**: blue where {markdown(names[two])} looks more, orange where {markdown(names[one])} "
        "does. "
        f"{markdown(shared.sentence(view))}"
    )
    shared.picture(view, "difference")
    views[two] = [view]
    _take_away(
        asked, views, name="difference",
        lines=f"a = analysis.of_words(trace)\nb = analysis.of_words({opened.python(one)}.trace({asked.text!r}))\n"
        f"compared = analysis.compare((b, b.mean({layer})), (a, a.mean({layer})))\n"
        "view = draw.difference(compared, look=look, title='difference', names=('first', 'second'))\n",
    )  # fmt: skip


def _hidden(asked: Asked, layer: int, heads: Sequence[int]) -> None:
    choices = [word for word in words.words_of(asked.text) if not word.is_mask][:MASKABLE]
    if not choices:
        st.info("There is no word to hide: write a sentence.")
        return
    labels = [f"{n + 1}  {visible(word.text)}" for n, word in enumerate(choices)]
    _within("hide", len(choices) - 1)
    longer = next((n for n, word in enumerate(choices) if len(word.text) > 3), 0)
    number = st.selectbox(
        "Hide",
        range(len(choices)),
        index=longer,
        format_func=labels.__getitem__,
        key="hide",
        bind="query-params",
        width=220,
    )
    hidden = words.blank_out(asked.text, choices[number])
    number_of = words.words_of(asked.text).index(choices[number])
    look = shared.look()

    def show(key: str) -> Iterable[View]:
        before, after = asked.attention(key, LEVELS[0]), asked.attention(key, LEVELS[0], hidden)
        at, some, title = _clamp(asked, key, layer, heads)
        compared = analysis.compare((before, before.mean(at, some)), (after, after.mean(at, some)))
        view = draw.difference(
            compared, look=look, title=f"{title}, with {choices[number].text} hidden", names=("before", "hidden")
        )
        shared.picture(view, f"hidden-{key}")
        moved = float(compared.difference.abs().sum(-1).mean()) / 2
        place = next((n for n, unit in enumerate(compared.first_units) if unit.key == ("word", number_of)), None)
        column = ""
        if place is not None:
            points = 100 * float(compared.difference[:, place].mean())
            column = f" It is looked at **{abs(points):.1f} points** {'more' if points >= 0 else 'less'}."
        st.markdown(f"On average **{percent(moved)}** of a word's attention moved.{column}")
        yield view

    shown = _columns(asked, show)
    _take_away(
        asked, shown, name="hidden-word",
        lines=f"a, b = analysis.of_words(trace), analysis.of_words(model.trace({hidden!r}))\n"
        f"compared = analysis.compare((a, a.mean({layer})), (b, b.mean({layer})))\n"
        "view = draw.difference(compared, look=look, title='hidden', names=('before', 'hidden'))\n",
    )  # fmt: skip


def query_and_key(asked: Asked) -> None:
    """Why a piece looks where it looks, feature by feature."""
    if not asked.models:
        return
    with st.container(horizontal=True):
        layer = _layer(asked)
        most = max(model.config.heads for model in asked.models.values())
        _within("head", most)
        head = int(st.selectbox("Head", range(1, most + 1), key="head", bind="query-params", width=110)) - 1
        first = asked.attention(next(iter(asked.models)), LEVELS[0])
        position = _unit(first, "Query of", "query")
    look = shared.look()

    def show(key: str) -> Iterable[View]:
        model, found = asked.models[key], asked.attention(key, LEVELS[0])
        at, some, title = _clamp(asked, key, layer, [head])
        place = _same(first, position, found)
        if place is None or some is None:
            st.info("This model did not read that far.")
            return
        question = ("query and key", asked.text, asked.second, at, some[0], place)
        record = shared.ask(
            model, question,
            lambda model: _query_key(model, asked.text, asked.second, at, some[0], found.units[place]),
        )  # fmt: skip
        view = draw.query_key(record, colour=_colour(model), look=look, title=title)
        shared.picture(view, f"query-{key}")
        best = int(record.weights.argmax())
        st.markdown(
            f"**{markdown(record.units[record.position].text)}** looks most at **{markdown(record.units[best].text)}** "
            f"({percent(float(record.weights[best]))}): score {float(record.scores[best]):.2f}, "
            f"{int((record.products[best] > 0).sum())} of {len(record.query)} features pull towards it."
        )
        yield view

    shown = _columns(asked, show)
    _take_away(
        asked, shown, name="query-and-key",
        lines=f"found = analysis.query_key(model, trace, {layer}, {head}, position=1)\n"
        "view = draw.query_key(found, colour=look.family(model.family.name), look=look, title=model.key)\n",
    )  # fmt: skip


def _query_key(
    model: Model, text: str, pair: str | None, layer: int, head: int, unit: analysis.Unit
) -> analysis.QueryKey:
    """Of a word's first piece."""
    trace = model.trace(text, pair)
    units, members = analysis.word_units(trace.encoding)
    row = [one.key for one in units].index(unit.key)
    return analysis.query_key(model, trace, layer, head, int(members[row].argmax()))


def bertviz_heads(asked: Asked) -> None:
    """BertViz's head view."""
    _bertviz(asked, "head")


def bertviz_model(asked: Asked) -> None:
    """BertViz's model view."""
    _bertviz(asked, "model")


def _bertviz(asked: Asked, kind: bertviz.Kind) -> None:
    if not asked.models:
        return
    keys = list(asked.models)
    names = {key: visible(opened.title(key)) for key in keys}
    with st.container(horizontal=True):
        key = st.selectbox("Model", keys, format_func=names.__getitem__, key="bertviz", bind="query-params", width=220)
        found = asked.attention(key, LEVELS[1])
        layers, fit = len(found.weights), bertviz.layers_that_fit(found)
        chosen = st.multiselect(
            "Layers", range(1, layers + 1), default=list(range(1, fit + 1)), max_selections=fit, width="stretch",
            key=f"layers-{key}-{fit}",
            help=f"A text of {len(found.units)} pieces leaves room for {fit} layers at once." if fit < layers else None,
        )  # fmt: skip
    if not chosen:
        st.info("Choose a layer.")
        return
    heading(asked.models[key])
    look, title, some = shared.look(), opened.title(key), [layer - 1 for layer in sorted(chosen)]
    if kind == "head":
        st.caption(
            "Point at a word to see its lines; a click on a colour switches a head off or on, a double click leaves "
            "it alone."
        )
        view = bertviz.head_view(found, look=look, title=title, layers=some)
    else:
        st.caption("A click on a thumbnail enlarges it.")
        view = bertviz.model_view(found, look=look, title=title, layers=some)
    shared.picture(view, f"bertviz-{kind}")
    if found.weights[0].numel() * len(some) > bertviz.MOST_LINES:
        st.caption(f"The strongest {bertviz.MOST_LINES:,} lines are drawn, each head's share of them.")
    statistics = analysis.statistics(found)
    st.markdown(f"In layer {chosen[0]}, heads on average: {_said(statistics, chosen[0] - 1, None)}")
    pair = "" if asked.second is None else f", {asked.second!r}"
    shared.take_away(
        view.table,
        name=f"bertviz-{kind}",
        views=[view],
        python=(
            "import bortlab\nfrom bortlab.analysis import attention as analysis\nfrom bortlab.views import bertviz\n"
            f"from bortlab.views.theme import Look\n\nmodel = {opened.python(key)}\n"
            f"found = analysis.of_pieces(model.trace({asked.text!r}{pair}))\n"
            f"bertviz.{kind}_view(found, look=Look({look.mode!r}), title=model.key).show()\n"
        ),
    )


VIEWS: dict[str, Callable[[Asked], None]] = {
    "One head": one_head,
    "All heads": all_heads,
    "What heads do": what_heads_do,
    "Through the layers": through_layers,
    "Compare": compare,
    "Query and key": query_and_key,
    "BertViz heads": bertviz_heads,
    "BertViz model": bertviz_model,
}
