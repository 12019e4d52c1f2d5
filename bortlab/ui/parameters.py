"""The parts of the Parameters page."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import streamlit as st
import torch

from bortlab import registry
from bortlab.analysis import claims, flops
from bortlab.analysis import parameters as analysis
from bortlab.analysis.parameters import Sizes
from bortlab.models import FAMILIES, Config, ConfigError
from bortlab.models.formula import SYMBOLS, readable
from bortlab.system.numbers import data_size, percent, short_count
from bortlab.ui import shared
from bortlab.views import parameters as view
from bortlab.views.escape import markdown
from bortlab.views.figures import CONFIG
from bortlab.views.parameters import Shown

DEFAULT = ("albert-base-v2", "conv-bert-base", "bort", "bert-base-uncased", "bert-large-uncased")
START = "albert-base-v2"
TASKS = ("encoder", "masked-lm", "sequence-classification", "token-classification", "question-answering",
         "multiple-choice")  # fmt: skip
"""What every family can be built for."""
COLUMNS = 3
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

EXPLANATION = """
* **Stored**: every tensor once; what a file holds and memory needs.
* **Tied**: what is used again instead of being stored again. ALBERT's one block serves all layers (section 3.1 of its
  paper); a masked-LM head's decoder is the word table.
* **Executed**: every use counted. It is what work grows with: an ALBERT is small, not fast.
* **Effective size**: stored weights without the embeddings (Bort's paper). Word tables are large, but looking up a word
  costs next to nothing.
* **Factorised embeddings**: `V·E + E·H` instead of `V·H` (ALBERT, section 3.1).
* **Multiply-adds** (MACs) are those of matrix products and convolutions; a FLOP is one multiplication or one addition,
  so FLOPs are twice the MACs. Norms, activations and softmax are left out, as torch's own counter does. With a head for
  masked words, every piece gets a probability for each word of the vocabulary.
* **Activation memory**: measured by running the network without numbers (torch's meta device), with fused attention.
  *Peak* is the most that is alive at once while predicting; *training* is what is kept for the backward pass. Weights,
  gradients, the optimiser's state and a kernel's scratch memory come on top.
* **int8** counts a byte for each weight; its scales come on top.

The formulas are each family's own, from its configuration; tests hold them equal to the tensors of the networks.
"""


@dataclass(frozen=True, slots=True)
class Setting:
    """What the page counts for."""

    task: str
    dtype: str
    batch: int
    seq: int

    def heads(self, family: str) -> tuple[str, ...]:
        """What stands on a family's body for the task."""
        return FAMILIES[family].network.tasks[self.task]


def choose() -> list[str]:
    """The architectures to compare, in the sidebar and in the link: all real ones, and the minis."""
    options = [checkpoint.key for family in FAMILIES.values() for checkpoint in family.checkpoints]
    return st.sidebar.multiselect(
        "Architectures",
        options,
        default=list(DEFAULT),
        key="architectures",
        bind="query-params",
        persist_state="session",
        help="Sizes need no weights: every published architecture is here, and nothing is downloaded.",
    )


def _title(key: str) -> str:
    return registry.find(key)[1].title


def settings(keys: Sequence[str]) -> Setting:
    """What to count for: one row of controls."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        task = st.selectbox(
            "Built for", TASKS, key="task", bind="query-params", width=240,
            help="The encoder has a pooler where its family has one; each task has its own head.",
        )  # fmt: skip
        dtype = st.selectbox("Weights as", list(analysis.BYTES), key="dtype", bind="query-params", width=130)
        batch = st.number_input("Texts at once", 1, 4096, 1, key="batch", bind="query-params", width=130)
        longest = max((registry.architecture(key)[1].max_position_embeddings for key in keys), default=512)
        seq = st.number_input(
            "Pieces each", 1, 4096, 128, key="pieces", bind="query-params", width=130,
            help=f"Up to {longest:,}, the positions of these models.",
        )  # fmt: skip
    return Setting(task or "encoder", dtype or "float32", int(batch), int(seq))


def count(keys: Sequence[str], setting: Setting) -> dict[str, Shown]:
    """The sizes of each architecture."""
    if not keys:
        st.info("Choose at least one architecture in the sidebar.")
    return {key: _shown(key, registry.architecture(key)[1], setting) for key in keys}


def _shown(key: str, config: Config, setting: Setting, title: str | None = None) -> Shown:
    family = registry.architecture(key)[0].name
    return Shown(title or _title(key), family, config, analysis.formula(config, setting.heads(family)))


# -- several models ----------------------------------------------------------------------------------------------------


def show(models: Mapping[str, Shown], setting: Setting) -> None:
    """All models as bars, what can be read from them, and the numbers."""
    if not models:
        return
    shown = list(models.values())
    st.plotly_chart(
        view.stacked_bars(shown, shared.look()), theme=None, config=CONFIG, key="bars",
        alt=view.bars_alternative(shown),
    )  # fmt: skip
    st.caption("Thick: stored. Thin: executed, with every use of a block, and of the word table, counted.")
    st.markdown(_said(models))
    st.dataframe(
        _overview(models, setting),
        hide_index=True,
        width="stretch",
        column_config={
            name: st.column_config.NumberColumn(name, format="localized")
            for name in ("stored", "tied", "executed", "effective size")
        },
        alt="Sizes, work and memory of each model",
    )


def _said(models: Mapping[str, Shown]) -> str:
    by_stored = sorted(models.values(), key=lambda shown: shown.sizes.stored)
    small = by_stored[0]
    said = [f"**{markdown(small.title)}** stores least, {short_count(small.sizes.stored)} weights."]
    if len(by_stored) > 1:
        large = by_stored[-1]
        said[0] = (
            f"**{markdown(small.title)}** stores least, {short_count(small.sizes.stored)} weights, "
            f"{large.sizes.stored / small.sizes.stored:.1f} times fewer than **{markdown(large.title)}**."
        )
    again = max(models.values(), key=lambda shown: shown.sizes.executed / shown.sizes.stored)
    if again.sizes.tied:
        times = again.sizes.executed / again.sizes.stored
        said.append(
            f"A text passes through {short_count(again.sizes.executed)} weights in {markdown(again.title)}, "
            f"{times:.1f} times what it stores: sharing saves memory, not work."
        )
    tables = {s.title: s.sizes.by_component()["embeddings"] / s.sizes.stored for s in models.values()}
    most = max(tables, key=tables.__getitem__)
    said.append(f"Embeddings are {percent(tables[most])} of {markdown(most)}" + (
        f", {percent(min(tables.values()))} of {markdown(min(tables, key=tables.__getitem__))}." if len(tables) > 1
        else "."))  # fmt: skip
    return " ".join(said)


def _overview(models: Mapping[str, Shown], setting: Setting) -> object:
    import pandas

    rows, unread = [], []
    for key, shown in models.items():
        row: dict[str, object] = {
            "model": shown.title, "stored": shown.sizes.stored, "tied": shown.sizes.tied,
            "executed": shown.sizes.executed, "effective size": shown.sizes.effective,
            f"weights, {setting.dtype}": data_size(shown.sizes.n_bytes(setting.dtype)),
        }  # fmt: skip
        try:
            row |= _costs(key, shown.config, setting)
        except ValueError as error:
            unread.append(f"{markdown(shown.title)}: {markdown(str(error))}")
        rows.append(row)
    for line in unread:
        st.warning(line)
    return pandas.DataFrame(rows)


def _costs(key: str, config: Config, setting: Setting) -> dict[str, object]:
    family = registry.architecture(key)[0]
    done = flops.work(config, setting.heads(family.name), batch=setting.batch, seq=setting.seq)
    memory = _memory(family.name, config, setting)
    return {
        "MACs a piece": short_count(done.macs_per_piece),
        "FLOPs in all": f"{short_count(done.flops)}FLOP",
        "peak activations": data_size(memory.peak),
        "training keeps": data_size(memory.kept),
    }


@lru_cache(maxsize=512)
def _memory(family: str, config: Config, setting: Setting) -> flops.Activations:
    dtype = {"bfloat16": torch.bfloat16, "float16": torch.float16}.get(setting.dtype, torch.float32)
    return flops.activations(FAMILIES[family], config, setting.task, batch=setting.batch, seq=setting.seq, dtype=dtype)


def architectures(models: Mapping[str, Shown]) -> None:
    """Every model drawn to the same scale."""
    if not models:
        return
    st.subheader("Drawn to one scale", anchor=False)
    shown = list(models.values())
    look, scale = shared.look(), view.scale_of(shown)
    for start in range(0, len(shown), COLUMNS):
        for one, column in zip(shown[start : start + COLUMNS], st.columns(COLUMNS, gap="medium"), strict=False):
            with column:
                st.markdown(f"**{markdown(one.title)}**")
                drawn = view.stack(one, look, scale)
                st.image(drawn.svg, width="stretch", alt=drawn.alt)
    st.caption("A row is a layer: attention, H wide, below feed-forward, I wide. Pale: a block that is used again.")


# -- one model ---------------------------------------------------------------------------------------------------------


def inside(models: Mapping[str, Shown], setting: Setting) -> None:
    """One model: its proportions, its block, its formula, its layers."""
    if not models:
        return
    st.subheader("Inside one model", anchor=False)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        key = st.selectbox("Model", list(models), key="inside", bind="query-params", width=280)
        kind = st.segmented_control(
            "As", ("sunburst", "treemap"), default="sunburst", key="picture", bind="query-params", required=True
        )
    one, look = models[key if key in models else next(iter(models))], shared.look()
    left, right = st.columns(2, gap="medium")
    with left:
        st.plotly_chart(
            view.proportions(one, look, "treemap" if kind == "treemap" else "sunburst"), theme=None, config=CONFIG,
            key="proportions", alt=view.proportions_alternative(one),
        )  # fmt: skip
        st.caption("A click goes inside; the middle, or the top, leads out again.")
    with right:
        drawn = view.one_block(one, look)
        st.image(drawn.svg, width="stretch", alt=drawn.alt)
        st.caption("One block, from below, with the shapes of its matrices.")
    for tie in one.sizes.ties:
        st.markdown(f"* Stored once, used {tie.uses} times: {tie.what}, {tie.weights:,} weights.")
    _formula(one, setting)
    with st.expander("Layer by layer"):
        st.dataframe(
            analysis.layers_frame(one.sizes), hide_index=True, width="stretch",
            alt=f"The block that each layer of {one.title} uses",
        )  # fmt: skip


def _formula(one: Shown, setting: Setting) -> None:
    import pandas

    written = analysis.formulas(one.config, setting.heads(one.family))
    inside_blocks = {part.component for part in one.config.block_parts}
    rows = [
        {
            "component": component,
            "formula": f"N × ({readable(text)})" if component in inside_blocks else readable(text),
            "weights": one.sizes.by_component()[component],
        }
        for component, text in written.items()
    ]
    with st.expander("The closed formula", expanded=False):
        st.dataframe(
            pandas.DataFrame(rows), hide_index=True, width="stretch",
            column_config={"weights": st.column_config.NumberColumn(format="localized")},
            alt=f"The closed formula of {one.title}",
        )  # fmt: skip
        letters = {letter for text in (*written.values(), "N") for letter in text if letter in SYMBOLS}
        symbols = one.config.symbols
        st.caption(
            " · ".join(f"{letter} = {symbols[letter]:,}, {SYMBOLS[letter]}" for letter in SYMBOLS if letter in letters)
        )


# -- claims ------------------------------------------------------------------------------------------------------------


def claimed() -> None:
    """The papers' numbers beside ours, and their quality tables as quoted."""
    st.subheader("Claims, checked", anchor=False)
    checked = claims.sizes()
    by_verdict = {v: sum(claim.verdict == v for claim in checked) for v in claims.VERDICTS}
    st.markdown(
        f"{by_verdict['holds']} of the papers' numbers hold, {by_verdict['nearly']} nearly, "
        f"**{by_verdict['differs']} differ**; {by_verdict['open']} cannot be checked by counting. What differs is "
        f"mostly Bort: the paper's ratios are those of a width of 768 and a feed-forward part of 1,024 "
        f"({claims.millions(analysis.formula(claims.swapped_bort(), ('masked-lm', 'pooler')).stored)}), the released "
        f"model has 1,024 and 768 ({claims.millions(analysis.formula(claims.released_bort(), ('masked-lm',)).stored)})."
    )
    marks = {"holds": "✓ holds", "nearly": "≈ nearly", "differs": "✗ differs", "open": "· open"}
    table = claims.frame(checked)
    table["verdict"] = table["verdict"].map(marks)
    st.dataframe(
        table, hide_index=True, width="stretch", row_height=92, height=600,
        column_config={
            "claim": st.column_config.TextColumn(width="medium"),
            "reason": st.column_config.TextColumn(width="large"),
            "url": st.column_config.LinkColumn("link", display_text="open"),
        },
        alt="Claims of the papers about sizes, beside what is counted here",
    )  # fmt: skip
    meanings = "; ".join(f"{marks[verdict]}: {meaning}" for verdict, meaning in claims.VERDICTS.items())
    st.caption(f"{meanings}. Claims about speed are a matter of measuring, not of counting.")
    with st.expander("Published quality, as quoted"):
        st.caption("The authors' numbers, from the sources named; nothing here was measured by this lab.")
        for quoted in claims.QUOTED:
            st.markdown(f"**{quoted.title}** · [{quoted.source}]({quoted.url})")
            st.dataframe(quoted.frame(), hide_index=True, width="content", alt=f"{quoted.title}, as quoted")
            st.caption(quoted.note)


# -- what if -----------------------------------------------------------------------------------------------------------


@st.fragment
def what_if(keys: Sequence[str], setting: Setting) -> None:
    """Move the sizes of a real configuration; the curves of sharing and factorising; take the numbers away."""
    with shared.sentences():
        base, changes = _moved()
        _answer(base, changes, setting)
        _curves(base, changes, setting)
        _take_away(keys, base, changes, setting)


def _moved() -> tuple[str, dict[str, int]]:
    """The configuration to start from, and what was changed."""
    st.subheader("What if?", anchor=False)
    options = [checkpoint.key for family in FAMILIES.values() for checkpoint in family.checkpoints]

    def reset() -> None:
        config = registry.architecture(st.session_state["from"])[1]
        for knob in analysis.knobs(config):
            st.session_state[knob.field] = getattr(config, knob.field)

    with st.container(horizontal=True, vertical_alignment="bottom"):
        base = st.selectbox(
            "Start from", options, index=options.index(START), key="from", bind="query-params",
            persist_state="session", on_change=reset, width=280,
        )  # fmt: skip
        st.button("Back to the published sizes", on_click=reset)
    config = registry.architecture(base)[1]
    changes = {}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        for knob in analysis.knobs(config):
            published = int(getattr(config, knob.field))
            value = st.number_input(
                knob.label, value=published, step=knob.step, key=knob.field, bind="query-params",
                persist_state="session", width=150, help=f"{_title(base)}: {published:,}",
            )  # fmt: skip
            if int(value) != published:
                changes[knob.field] = int(value)
    return base, changes


def _answer(base: str, changes: Mapping[str, int], setting: Setting) -> None:
    """The sizes and the work of the changed configuration beside those of the published one."""
    family, published = registry.architecture(base)
    labels = {knob.field: knob.label for knob in analysis.KNOBS}
    started = time.perf_counter()
    try:
        config = replace(published, **changes)  # type: ignore[arg-type]
    except ConfigError as error:
        st.error(f"No {markdown(family.title)} has these sizes. {markdown(str(error))}")
        near = analysis.nearest(published, changes)
        said = [f"{labels[name]} {' or '.join(f'{v:,}' for v in values)}" for name, values in near.items()]
        if said:
            st.markdown(f"Next values that fit: {'; '.join(said)}.")
        return
    new = _shown(base, config, setting, title=f"{_title(base)}, changed" if changes else None)
    old = _shown(base, published, setting)
    done, before = (_work(shown, setting) for shown in (new, old))
    spent = 1000 * (time.perf_counter() - started)
    for column, (name, now), then in zip(st.columns(4), _figures(new, done), _figures(old, before), strict=True):
        if now is None or then[1] is None:
            continue
        change = f"{100 * (now / then[1] - 1):+.1f} %" if now != then[1] else None
        column.metric(
            name, short_count(now), change, delta_color="inverse", help=f"{now:,.0f}; published: {then[1]:,.0f}"
        )
    facts = [f"{data_size(new.sizes.n_bytes(setting.dtype))} of weights ({setting.dtype})"]
    if done is not None:
        memory = _memory(family.name, config, setting)
        facts.append(f"{short_count(done.flops)}FLOP for {setting.batch:,} × {setting.seq:,} pieces")
        facts.append(f"activations {data_size(memory.peak)} at most, {data_size(memory.kept)} kept in training")
    st.caption(" · ".join([*facts, f"counted in {spent:.1f} ms"]))
    both = [old, new] if changes else [new]
    st.plotly_chart(
        view.stacked_bars(both, shared.look()), theme=None, config=CONFIG, key="what-if-bars",
        alt=view.bars_alternative(both),
    )  # fmt: skip


def _figures(shown: Shown, done: flops.Work | None) -> list[tuple[str, float | None]]:
    return [
        ("Stored", shown.sizes.stored),
        ("Executed", shown.sizes.executed),
        ("Effective", shown.sizes.effective),
        ("Multiply-adds a piece", None if done is None else done.macs_per_piece),
    ]


def _work(shown: Shown, setting: Setting) -> flops.Work | None:
    try:
        return flops.work(shown.config, setting.heads(shown.family), batch=setting.batch, seq=setting.seq)
    except ValueError:  # longer than its positions; the table above says so
        return None


def _curves(base: str, changes: Mapping[str, int], setting: Setting) -> None:
    """What sharing and factorising save, for the moved configuration where its family does it, else for ALBERT base."""
    config = registry.architecture(base)[1]
    try:
        config = replace(config, **changes)  # type: ignore[arg-type]
    except ConfigError:
        return
    if not {GROUPS, WIDTH} <= {knob.field for knob in analysis.knobs(config)}:
        base, config = START, registry.architecture(START)[1]
    family = registry.architecture(base)[0].name
    heads, look = setting.heads(family), shared.look()
    groups = analysis.sweep(config, GROUPS, range(1, config.num_hidden_layers + 1), heads)
    widths = [2**n for n in range(4, 14) if 2**n <= max(1024, config.hidden_size)]
    widths = sorted({*widths, config.embed_width, config.hidden_size})
    tables = analysis.sweep(config, WIDTH, widths, heads)
    shared_title = f"{_title(base)}{', changed' if changes and base in (st.session_state.get('from'),) else ''}"
    st.subheader("Sharing and factorising", anchor=False)
    left, right = st.columns(2, gap="medium")
    with left:
        st.markdown(f"**Groups of layers** · {markdown(shared_title)}")
        points = {value: sizes.stored for value, sizes in groups.items()}
        here = int(getattr(config, GROUPS))
        st.plotly_chart(
            view.curve(points, here=here, family=family, x="groups of layers that share a block", look=look),
            theme=None, config=CONFIG, key="groups-curve", alt=_curve_said("Stored weights by groups", points),
        )  # fmt: skip
        st.markdown(
            f"From {short_count(points[1])} with one block to {short_count(points[max(points)])} with {max(points)}; "
            f"each extra group adds a block of {short_count(sum(groups[1].of_block(0).values()))}. "
            "The work stays the same."
        )
    with right:
        st.markdown(f"**Width of the words** · {markdown(shared_title)}")
        made = {value: _tables(sizes) for value, sizes in tables.items()}
        plain = config.vocab_size * config.hidden_size
        st.plotly_chart(
            view.curve(made, here=config.embed_width, family=family, x="width of the words, E", look=look,
                       bound=("not factorised, V·H", plain)),
            theme=None, config=CONFIG, key="width-curve", alt=_curve_said("Embeddings by E", made),
        )  # fmt: skip
        now = made[config.embed_width]
        st.markdown(
            f"At E = {config.embed_width:,} the word table and its projection have {short_count(now)} weights, "
            f"{percent(now / plain)} of the {short_count(plain)} of a table as wide as the layers."
        )


def _tables(sizes: Sizes) -> int:
    """V·E + E·H + H."""
    return sum(share.stored for share in sizes.shares if share.name in ("embeddings.words", "embeddings.project"))


def _curve_said(what: str, points: Mapping[int, int]) -> str:
    return f"{what}: " + ", ".join(f"{value}: {short_count(weights)}" for value, weights in points.items()) + "."


def _take_away(keys: Sequence[str], base: str, changes: Mapping[str, int], setting: Setting) -> None:
    """Table, CSV, link and Python."""
    models = {key: analysis.formula(registry.architecture(key)[1], setting.heads(_family(key))) for key in keys}
    python = PYTHON.format(keys=list(keys), task=setting.task, batch=setting.batch, seq=setting.seq)
    try:
        config = replace(registry.architecture(base)[1], **changes)  # type: ignore[arg-type]
    except ConfigError:
        changes = {}
    if changes:
        models[f"{base}, changed"] = analysis.formula(config, setting.heads(_family(base)))
        said = ", ".join(f"{name}={value}" for name, value in changes.items())
        python += (
            f"\nfrom dataclasses import replace\n\nfamily, config = registry.architecture({base!r})\n"
            f"heads = family.network.tasks[{setting.task!r}]\n"
            f"print(parameters.formula(replace(config, {said}), heads).stored)\n"
        )
    shared.take_away(
        analysis.frame(models),
        name="parameters",
        python=python,
        says={"architectures": list(keys) or [""], "from": base, "task": setting.task, **changes},
    )


def _family(key: str) -> str:
    return registry.architecture(key)[0].name
