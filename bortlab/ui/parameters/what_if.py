"""Moving the sizes of a published configuration, and what sharing and factorising save."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

import streamlit as st

from bortlab import registry
from bortlab.analysis import flops
from bortlab.analysis import parameters as analysis
from bortlab.analysis.parameters import Sizes
from bortlab.models import Config, ConfigError
from bortlab.system.numbers import data_size, percent, short_count
from bortlab.ui import shared
from bortlab.ui.parameters.setting import (
    Setting,
    activation_memory,
    architectures,
    counted,
    family_of,
    title_of,
)
from bortlab.views import parameters as draw
from bortlab.views.escape import markdown
from bortlab.views.parameters import CountedModel

START = "albert-base-v2"
GROUPS, WIDTH = "num_hidden_groups", "embedding_size"
"""What the curves are about."""
PYTHON = """import bortlab
from bortlab import registry
from bortlab.analysis import flops, parameters

models = {{}}
for key in {keys!r}:
    family, config = registry.architecture(key)
    heads = family.network.tasks[{task!r}]
    models[key] = parameters.formula(config, heads)
    print(key, models[key].stored, flops.work(config, heads, batch={batch}, seq={seq}).flops)
print(parameters.frame(models))
"""


@st.fragment
def what_if(keys: Sequence[str], setting: Setting) -> None:
    """Move the sizes of a published configuration; the curves of sharing and factorising; take the numbers away."""
    with shared.sentences():
        base, changes = _moved()
        _answer(base, changes, setting)
        _curves(base, changes, setting)
        _take_away(keys, base, changes, setting)


def _moved() -> tuple[str, dict[str, int]]:
    """The configuration to start from, and what was changed."""
    st.header("What if?", anchor=False)
    options = architectures()

    def reset() -> None:
        config = registry.architecture(st.session_state["from"])[1]
        for knob in analysis.knobs(config):
            st.session_state[knob.field] = getattr(config, knob.field)

    with st.container(horizontal=True, vertical_alignment="bottom"):
        base = st.selectbox(
            "Start from",
            options,
            index=options.index(START),
            key="from",
            bind="query-params",
            persist_state="session",
            on_change=reset,
            width=280,
        )
        st.button("Back to the published sizes", on_click=reset)
    config = registry.architecture(base)[1]
    changes = {}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        for knob in analysis.knobs(config):
            published = int(getattr(config, knob.field))
            value = st.number_input(
                knob.label,
                value=published,
                step=knob.step,
                key=knob.field,
                bind="query-params",
                persist_state="session",
                width=150,
                help=f"{title_of(base)}: {published:,}",
            )
            if int(value) != published:
                changes[knob.field] = int(value)
    return base, changes


def _answer(base: str, changes: Mapping[str, int], setting: Setting) -> None:
    """The sizes and the work of the changed configuration beside those of the published one."""
    published = registry.architecture(base)[1]
    started = time.perf_counter()
    try:
        config = replace(published, **changes)  # type: ignore[arg-type]
    except ConfigError as error:
        _refusal(base, changes, error)
        return
    new = counted(base, config, setting, title=f"{title_of(base)}, changed" if changes else None)
    old = counted(base, published, setting)
    new_work, old_work = (_work(model, setting) for model in (new, old))
    milliseconds = 1000 * (time.perf_counter() - started)
    figures = zip(_figures(new, new_work), _figures(old, old_work), strict=True)
    for ((name, value), (_, before)), column in shared.grid(list(figures), 4):
        if value is not None and before is not None:
            change = f"{100 * (value / before - 1):+.1f}%" if value != before else None
            help_text = f"{value:,.0f}; published: {before:,.0f}"
            column.metric(name, short_count(value), change, delta_color="inverse", help=help_text)
    facts = [f"{data_size(new.sizes.n_bytes(setting.dtype))} of weights ({setting.dtype})"]
    if new_work is not None:
        memory = activation_memory(new.family, config, setting)
        facts.append(f"{short_count(new_work.flops)}FLOP for {setting.batch:,} × {setting.seq:,} pieces")
        facts.append(f"activations: {data_size(memory.peak)} at most, {data_size(memory.kept)} kept for training")
    st.caption(" · ".join([*facts, f"counted in {milliseconds:.1f} ms"]))
    shared.picture(draw.stacked_bars([old, new] if changes else [new], shared.look()), key="what-if-bars")


def _refusal(base: str, changes: Mapping[str, int], error: ConfigError) -> None:
    """Why there is no such model, and what would be one."""
    family, published = registry.architecture(base)
    labels = {knob.field: knob.label for knob in analysis.KNOBS}
    st.error(f"No {markdown(family.title)} has these sizes. {markdown(str(error))}")
    near = [
        f"{labels[name]} {' or '.join(f'{value:,}' for value in values)}"
        for name, values in analysis.nearest(published, changes).items()
    ]
    if near:
        st.markdown(f"Nearest values that fit: {'; '.join(near)}.")


def _figures(model: CountedModel, work: flops.Work | None) -> list[tuple[str, float | None]]:
    return [
        ("Stored", model.sizes.stored),
        ("Executed", model.sizes.executed),
        ("Effective", model.sizes.effective),
        ("Multiply-adds per piece", None if work is None else work.macs_per_piece),
    ]


def _work(model: CountedModel, setting: Setting) -> flops.Work | None:
    try:
        return flops.work(model.config, setting.heads(model.family), batch=setting.batch, seq=setting.seq)
    except ValueError:  # longer than its positions; the table above says so
        return None


# -- curves ------------------------------------------------------------------------------------------------------------


def _curves(base: str, changes: Mapping[str, int], setting: Setting) -> None:
    """What sharing and factorising save, for the moved configuration if its family does both, else for ALBERT base."""
    config = registry.architecture(base)[1]
    try:
        config = replace(config, **changes)  # type: ignore[arg-type]
    except ConfigError:
        return
    title = title_of(base) + (", changed" if changes else "")
    if not {GROUPS, WIDTH} <= {knob.field for knob in analysis.knobs(config)}:
        base, config, title = START, registry.architecture(START)[1], title_of(START)
    st.header("Sharing and factorising", anchor=False)
    left, right = st.columns(2, gap="medium")
    with left:
        st.markdown(f"**Groups of layers** · {markdown(title)}")
        _groups_curve(config, family_of(base), setting)
    with right:
        st.markdown(f"**Width of the words** · {markdown(title)}")
        _width_curve(config, family_of(base), setting)


def _groups_curve(config: Config, family: str, setting: Setting) -> None:
    groups = analysis.sweep(config, GROUPS, range(1, config.num_hidden_layers + 1), setting.heads(family))
    points = {value: sizes.stored for value, sizes in groups.items()}
    view = draw.curve(
        points,
        title="Stored weights by groups",
        here=int(getattr(config, GROUPS)),
        family=family,
        x="groups of layers that share a block",
        look=shared.look(),
    )
    shared.picture(view, key="groups-curve")
    st.markdown(groups_sentence(points, sum(groups[1].of_block(0).values())))


def groups_sentence(points: Mapping[int, int], block: int) -> str:
    """What sharing saves. points: stored weights by the number of groups, from 1; block: weights of one block."""
    if len(points) == 1:
        return f"There is one layer, so there is nothing to share: {short_count(points[1])} weights."
    return (
        f"From {short_count(points[1])} with one block to {short_count(points[max(points)])} with {max(points)}; "
        f"each extra group adds a block of {short_count(block)}. The work stays the same."
    )


def _width_curve(config: Config, family: str, setting: Setting) -> None:
    widths = [2**n for n in range(4, 14) if 2**n <= max(1024, config.hidden_size)]
    widths = sorted({*widths, config.embed_width, config.hidden_size})
    swept = analysis.sweep(config, WIDTH, widths, setting.heads(family))
    points = {value: _embeddings(sizes) for value, sizes in swept.items()}
    unfactorised = config.vocab_size * config.hidden_size
    view = draw.curve(
        points,
        title="Embeddings by E",
        here=config.embed_width,
        family=family,
        x="width of the words, E",
        look=shared.look(),
        bound=("not factorised, V·H", unfactorised),
    )
    shared.picture(view, key="width-curve")
    weights = points[config.embed_width]
    st.markdown(
        f"At E = {config.embed_width:,} the word table and its projection have {short_count(weights)} weights, "
        f"{percent(weights / unfactorised)} of the {short_count(unfactorised)} of a table as wide as the layers."
    )


def _embeddings(sizes: Sizes) -> int:
    """V·E + E·H + H."""
    return sum(share.stored for share in sizes.shares if share.name in ("embeddings.words", "embeddings.project"))


# -- taking it away ----------------------------------------------------------------------------------------------------


def _take_away(keys: Sequence[str], base: str, changes: Mapping[str, int], setting: Setting) -> None:
    """Table, CSV, link and Python."""
    models = {key: analysis.formula(registry.architecture(key)[1], setting.heads(family_of(key))) for key in keys}
    python = PYTHON.format(keys=list(keys), task=setting.task, batch=setting.batch, seq=setting.seq)
    try:
        config = replace(registry.architecture(base)[1], **changes)  # type: ignore[arg-type]
    except ConfigError:
        changes = {}
    if changes:
        models[f"{base}, changed"] = analysis.formula(config, setting.heads(family_of(base)))
        arguments = ", ".join(f"{name}={value}" for name, value in changes.items())
        python += (
            f"\nfrom dataclasses import replace\n\nfamily, config = registry.architecture({base!r})\n"
            f"heads = family.network.tasks[{setting.task!r}]\n"
            f"print(parameters.formula(replace(config, {arguments}), heads).stored)\n"
        )
    shared.take_away(
        analysis.frame(models),
        name="parameters",
        python=python,
        says={"architectures": list(keys) or [""], "from": base, "task": setting.task, **changes},
    )
