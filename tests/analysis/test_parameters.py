"""Sizes: the closed formulas are the counts, the counts are what is published, and impossible sizes are explained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bortlab import registry
from bortlab.analysis import parameters
from bortlab.analysis.parameters import Sizes, count, formula
from bortlab.checkpoint import meta_network
from bortlab.models import FAMILIES, Config, ConfigError, Family
from bortlab.models.formula import COMPONENTS, SYMBOLS, add, evaluate, readable, terms

KEYS = [checkpoint.key for family in FAMILIES.values() for checkpoint in family.checkpoints]
each_family = pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)


def sizes(key: str, *heads: str, **changes: int) -> Sizes:
    """The formula's sizes of a known architecture."""
    return formula(replace(registry.architecture(key)[1], **changes), heads)


def same(one: Sizes, two: Sizes) -> bool:
    """Equal but for the order of the modules."""
    return one.layers == two.layers and sorted(map(repr, one.shares)) == sorted(map(repr, two.shares))


# -- formula = count ---------------------------------------------------------------------------------------------------

DRAWN = {
    "vocab_size": st.integers(1, 300),
    "hidden_size": st.integers(1, 24).map(lambda n: 4 * n),
    "embedding_size": st.integers(1, 100),
    "num_hidden_layers": st.integers(1, 7),
    "num_hidden_groups": st.integers(1, 7),
    "inner_group_num": st.integers(1, 3),
    "num_attention_heads": st.integers(1, 12),
    "intermediate_size": st.integers(1, 30).map(lambda n: 4 * n),
    "num_groups": st.integers(1, 4),
    "head_ratio": st.integers(1, 6),
    "conv_kernel_size": st.integers(0, 7).map(lambda n: 2 * n + 1),
    "max_position_embeddings": st.integers(1, 50),
    "type_vocab_size": st.integers(1, 4),
    "summary_use_proj": st.booleans(),
    "labels": st.integers(1, 6).map(lambda n: tuple(map(str, range(n)))),
}


@st.composite
def configs(draw: st.DrawFn, family: Family) -> Config:
    """Any configuration that the family allows."""
    own = {entry.name for entry in fields(family.config)}
    values = {name: draw(strategy) for name, strategy in DRAWN.items() if name in own}
    try:
        return family.config(**values)
    except ConfigError:  # make it fit, and keep the rest as drawn
        heads = values["num_attention_heads"]
        remaining = max(1, heads // values.get("head_ratio", 1))
        fitting = {"hidden_size": 8 * heads * remaining, "num_groups": 4, "intermediate_size": 24}
        if "num_hidden_groups" in own:
            fitting["num_hidden_groups"] = min(values["num_hidden_groups"], values["num_hidden_layers"])
        return family.config(**values | {name: value for name, value in fitting.items() if name in own})


@each_family
@settings(max_examples=60)
@given(data=st.data())
def test_the_closed_formula_is_the_count(family: Family, data: st.DataObject) -> None:
    config = data.draw(configs(family))
    task = data.draw(st.sampled_from(family.tasks))
    network = meta_network(family, config, task)
    counted, computed = count(network), formula(config, family.network.tasks[task])
    assert same(counted, computed), set(counted.shares) ^ set(computed.shares)
    assert counted.stored == computed.stored == sum(p.numel() for p in network.parameters())
    assert computed.executed - computed.stored == computed.tied >= 0


@pytest.mark.parametrize("key", KEYS)
def test_every_known_architecture_is_counted_without_memory(key: str) -> None:
    family, config = registry.architecture(key)
    for task in family.tasks:
        assert same(count(meta_network(family, config, task)), formula(config, family.network.tasks[task]))


@each_family
def test_formulas_are_written_as_they_are_computed(family: Family) -> None:
    heads = family.network.tasks["masked-lm"]
    written, symbols = parameters.formulas(family.mini, heads), family.mini.symbols
    found = formula(family.mini, heads).by_component()
    inside = {part.component for part in family.mini.block_parts}
    assert list(written) == list(found) and set(found) <= set(COMPONENTS)
    for component, text in written.items():
        copies = family.mini.n_blocks if component in inside else 1
        assert copies * evaluate(text, symbols) == found[component]
        assert {letter for letter in text if letter.isalpha()} <= symbols.keys() <= SYMBOLS.keys()


def test_a_formula_says_what_it_means() -> None:
    assert terms("4HH + 2HI/g + 3") == ((4, "HH", ""), (2, "HI", "g"), (3, "", ""))
    assert evaluate("4HH + 2HI/g + 3", {"H": 6, "I": 4, "g": 2}) == 144 + 24 + 3
    assert add("HH + H", "HH", "HI", "IH + 1") == "2HH + H + 2HI + 1"
    assert readable("4HH + 2HI/g + 3 + V") == "4 H² + 2 H·I/g + 3 + V"
    for wrong in ("", "H-1", "H + ", "H/", "2*H", "H/2"):
        with pytest.raises(ValueError, match="sum of products"):
            terms(wrong)


# -- what is published -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "heads", "stored"),
    [
        ("albert-base-v2", ("pooler",), 11_683_584),
        ("albert-base-v2", ("masked-lm",), 11_221_680),
        ("albert-large-v2", ("pooler",), 17_683_968),
        ("albert-large-v2", ("masked-lm",), 16_795_824),
        ("albert-xlarge-v2", ("pooler",), 58_724_864),
        ("albert-xlarge-v2", ("masked-lm",), 54_821_040),
        ("albert-xxlarge-v2", ("pooler",), 222_595_584),
        ("albert-xxlarge-v2", ("masked-lm",), 206_368_944),
        ("conv-bert-small", (), 13_143_768),
        ("conv-bert-medium-small", (), 17_475_888),
        ("conv-bert-base", (), 105_680_520),
        ("bort", (), 75_107_328),
        ("bort", ("pooler",), 76_156_928),
        ("bort", ("masked-lm",), 76_209_241),
        ("bert-base-uncased", ("pooler",), 109_482_240),
        ("bert-large-uncased", ("pooler",), 335_141_888),
    ],
)
def test_sizes_are_the_published_ones(key: str, heads: tuple[str, ...], stored: int) -> None:
    assert sizes(key, *heads).stored == stored


def test_bort_both_ways() -> None:
    released, swapped = sizes("bort"), sizes("bort", hidden_size=768, intermediate_size=1024)
    assert released.by_component()["embeddings"] == 51_998_720 and released.effective == 23_108_608
    assert swapped.stored == 54_759_424 and swapped.by_component()["embeddings"] == 38_999_040
    assert swapped.effective == 15_760_384
    assert sizes("bort", "pooler", hidden_size=768, intermediate_size=1024).stored == 55_350_016
    assert sizes("bort", "masked-lm", hidden_size=768, intermediate_size=1024).stored == 55_401_817


def test_alberts_sharing_table() -> None:
    config = registry.architecture("albert-base-v2")[1]
    swept = parameters.sweep(config, "num_hidden_groups", range(14), ("pooler",))
    assert list(swept) == list(range(1, 13))  # 0 and 13 groups cannot be
    rounded = {groups: round(swept[groups].stored / 1e6, 2) for groups in (1, 2, 3, 4, 6, 12)}
    assert rounded == {1: 11.68, 2: 18.77, 3: 25.86, 4: 32.95, 6: 47.12, 12: 89.65}
    assert len({sizes.executed for sizes in swept.values()}) == 1  # sharing saves no work
    assert swept[1].executed == swept[12].stored == swept[12].executed


# -- three ways --------------------------------------------------------------------------------------------------------


def test_what_is_used_again() -> None:
    shared = sizes("albert-base-v2", "masked-lm")
    table, block = shared.ties
    assert (table.weights, table.uses) == (30_000 * 128, 2)
    assert (block.weights, block.uses) == (7_087_872, 12)
    assert shared.tied == table.weights + 11 * block.weights
    assert not sizes("bert-base-uncased", "pooler").ties and not sizes("bert-base-uncased", "pooler").tied
    assert [tie.uses for tie in sizes("albert-base-v2", num_hidden_groups=5).ties] == [3, 2, 3, 2, 2]


def test_bytes_and_tables() -> None:
    one = sizes("albert-base-v2", "pooler", num_hidden_groups=3)
    assert [one.n_bytes(dtype) // one.stored for dtype in parameters.BYTES] == [4, 2, 2, 1]
    with pytest.raises(ValueError, match="Unknown dtype 'int4'"):
        one.n_bytes("int4")
    table = parameters.frame({"a": one, "b": sizes("bort")})
    assert table.groupby("model")["stored"].sum().to_dict() == {"a": one.stored, "b": 75_107_328}
    assert table["float32 bytes"].sum() == 4 * table["stored"].sum()
    layers = parameters.layers_frame(one)
    assert layers["block"].tolist() == [1] * 4 + [2] * 4 + [3] * 4 and layers["new weights"].sum() == 3
    assert parameters.frame({}).empty


# -- what if -----------------------------------------------------------------------------------------------------------


@each_family
def test_knobs_are_sizes_of_the_family(family: Family) -> None:
    for knob in parameters.knobs(family.mini):
        assert isinstance(getattr(family.mini, knob.field), int)
    assert {"vocab_size", "hidden_size"} <= {knob.field for knob in parameters.knobs(family.mini)}


@pytest.mark.parametrize(
    ("key", "changes", "near"),
    [
        ("albert-base-v2", {"hidden_size": 770}, {"hidden_size": (768, 780)}),
        ("albert-base-v2", {"num_hidden_groups": 13}, {"num_hidden_groups": (12,)}),
        ("bert-base-uncased", {"num_hidden_layers": 0}, {"num_hidden_layers": (1, 2)}),
        ("bert-base-uncased", {"hidden_size": -5}, {"hidden_size": (12,)}),
        ("bert-base-uncased", {"hidden_size": 10**9}, {"hidden_size": (8184,)}),
        ("conv-bert-base", {"conv_kernel_size": 4}, {"conv_kernel_size": (3, 5)}),
        ("conv-bert-medium-small", {"num_groups": 5}, {"num_groups": (4, 6)}),
        ("bort", {"num_attention_heads": 7}, {"num_attention_heads": (4, 8)}),
    ],
)
def test_impossible_sizes_lead_to_possible_ones(
    key: str, changes: dict[str, int], near: dict[str, tuple[int, ...]]
) -> None:
    config = registry.architecture(key)[1]
    with pytest.raises(ConfigError):
        replace(config, **changes)
    found = parameters.nearest(config, changes)
    assert found == near
    for name, values in found.items():
        for value in values:
            replace(config, **changes | {name: value})


def test_no_single_size_may_help() -> None:
    config = registry.architecture("albert-base-v2")[1]
    assert parameters.nearest(config, {"hidden_size": 0, "num_hidden_layers": 0}) == {}


@pytest.mark.parametrize("function", [registry.architecture, registry.find])
def test_an_unknown_architecture_is_named(function: Callable[[str], object]) -> None:
    with pytest.raises(registry.UnknownModelError, match="Did you mean"):
        function("albert-bass-v2")
