"""Spaces: which combinations are models, what is refused and why, files, any family."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bortlab import registry
from bortlab.analysis import parameters
from bortlab.analysis.latency.cases import architecture
from bortlab.checkpoint import meta_network
from bortlab.models import FAMILIES
from bortlab.search import SPACES, Space, SpaceError, derived, parse_space, space
from bortlab.search.costs import costs


def test_borts_space_has_300_candidates_and_90_distinct_costs() -> None:
    where = space("bort")
    assert (where.n_combinations, len(where.candidates), where.n_refused) == (360, 300, 60)
    assert len({costs(candidate.config, "encoder", 512) for candidate in where.candidates}) == 90


def test_heads_change_neither_size_nor_operations() -> None:
    where = space("bort")
    own = {name: costs(where.named(name).config, "encoder", 128) for name in ("4-4-1024-768", "4-16-1024-768")}
    assert len(set(own.values())) == 1


@pytest.mark.parametrize("name", SPACES)
def test_the_formulas_give_what_the_networks_of_a_space_hold(name: str) -> None:
    """The smallest, a middle one and the largest of each space, counted in their tensors."""
    where = space(name)
    for candidate in (where.candidates[0], where.candidates[len(where.candidates) // 2], where.candidates[-1]):
        for output in ("encoder", "masked-lm"):
            network = meta_network(where.family, candidate.config, output)
            assert costs(candidate.config, output, 64).parameters == parameters.count(network).stored


@pytest.mark.parametrize("key", [family.mini_key for family in FAMILIES.values()])
def test_any_family_has_a_space_around_each_of_its_models(key: str) -> None:
    sizes = [knob.field for knob in parameters.knobs(registry.architecture(key)[1])]
    for field in sizes:
        where = derived(key, [field])
        own = getattr(where.base, field)
        assert own in where.sizes[field] and len(where.candidates) == len(where.sizes[field])


def test_a_candidate_is_timed_under_a_name_that_the_harness_reads() -> None:
    where = space("bort")
    candidate = where.named("4-4-512-768")
    model = where.model_of(candidate.config)
    assert model == "bort:num_attention_heads=4,hidden_size=512"
    assert architecture(model)[1] == candidate.config
    assert where.model_of(where.base) == "bort"


BAD = {
    "no sizes": ({"base": "bort", "sizes": {}}, "names no size"),
    "no values": ({"base": "bort", "sizes": {"hidden_size": []}}, "has no values"),
    "no such size": ({"base": "bort", "sizes": {"bread": [1]}}, "no size 'bread'"),
    "another family's": ({"base": "bort", "sizes": {"num_groups": [1]}}, "Bort has no size 'num_groups'"),
    "no model": ({"base": "bort", "sizes": {"hidden_size": [100], "num_attention_heads": [7]}}, "is a model. hid"),
    "a million": (
        {
            "base": "bort",
            "sizes": {f: list(range(1, 101)) for f in ("num_hidden_layers", "hidden_size", "intermediate_size")},
        },
        "1,000,000 combinations; at most 10,000",
    ),
    "many values": ({"base": "bort", "sizes": {"hidden_size": list(range(1, 200))}}, "at most 100 values"),
    "words": ({"base": "bort", "sizes": {"hidden_size": ["wide"]}}, "whole numbers from 1, got wide"),
    "below one": ({"base": "bort", "sizes": {"hidden_size": [0]}}, "whole numbers from 1, got 0"),
    "truth": ({"base": "bort", "sizes": {"hidden_size": [True]}}, "whole numbers from 1, got True"),
    "no base": ({"sizes": {"hidden_size": [64]}}, "key of a model to start from"),
    "unknown base": ({"base": "brot", "sizes": {"hidden_size": [64]}}, "brot"),
    "unknown key": ({"base": "bort", "size": {}}, "Unknown key 'size'"),
    "no table": ({"base": "bort", "sizes": 3}, "table [sizes]"),
    "no list": ({"base": "bort", "sizes": {"hidden_size": 64}}, "table [sizes]"),
    "another output": ({"base": "bort", "output": "bread", "sizes": {"hidden_size": [64]}}, "output: expected"),
}


@pytest.mark.parametrize(("data", "words"), BAD.values(), ids=BAD)
def test_what_is_no_space_is_refused_with_a_sentence(data: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_space(data, name="mine").candidates  # noqa: B018
    assert words in str(caught.value) and len(str(caught.value)) < 400


def test_a_file_is_read_and_bad_ones_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('base = "conv-bert-small"\ntitle = "Mine"\n[sizes]\nhead_ratio = [2, 4]\nnum_groups = [1, 2]\n')
    where = space(str(path))
    assert (where.title, where.family.name) == ("Mine", "convbert")
    assert [candidate.name for candidate in where.candidates] == ["2-1", "2-2", "4-1", "4-2"]
    path.write_text("base = ")
    with pytest.raises(SpaceError, match="is not TOML"):
        space(str(path))
    with pytest.raises(SpaceError, match=r"Unknown space 'brot'. Known: bort"):
        space("brot")
    with pytest.raises(FileNotFoundError):
        space(str(tmp_path / "none.toml"))


@settings(max_examples=40, deadline=None)
@given(
    heads=st.lists(st.integers(1, 16), min_size=1, max_size=4),
    widths=st.lists(st.integers(1, 300), min_size=1, max_size=4),
)
def test_every_combination_is_a_candidate_or_refused(heads: list[int], widths: list[int]) -> None:
    where = Space(
        name="x", title="x", key="bort", sizes={"num_attention_heads": tuple(heads), "hidden_size": tuple(widths)}
    )
    fits = {(a, h) for a in heads for h in widths if h % a == 0}
    if fits:
        assert {candidate.sizes for candidate in where.candidates} == fits
        assert where.n_refused == len(set(heads)) * len(set(widths)) - len(fits)
    else:
        with pytest.raises(SpaceError, match="The space is empty"):
            where.candidates  # noqa: B018
