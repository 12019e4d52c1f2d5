"""The Parameters page through Streamlit's test runner: any architecture, any sizes, any link."""

from __future__ import annotations

from functools import partial
from typing import Any

import pandas
import pytest
from streamlit.testing.v1 import AppTest

from bortlab import registry
from bortlab.analysis import parameters as analysis
from bortlab.models import FAMILIES
from bortlab.ui import parameters
from tests.pages.visiting import check, visit

lab = partial(visit, "parameters")
KEYS = [checkpoint.key for family in FAMILIES.values() for checkpoint in family.checkpoints]


def overview(at: AppTest) -> pandas.DataFrame:
    """One row a model."""
    return at.dataframe[0].value.set_index("model")


def metric(at: AppTest, label: str) -> Any:
    """One of the what-if's figures."""
    return next(m for m in at.metric if m.label == label)


def test_the_real_architectures_are_there_at_once() -> None:
    at = lab()
    assert not at.error and not at.warning and not at.info
    table = overview(at)
    assert table["stored"].to_dict() == {
        "ALBERT base v2": 11_683_584,
        "ConvBERT base": 105_680_520,
        "Bort": 75_107_328,
        "BERT base": 109_482_240,
        "BERT large": 335_141_888,
    }
    assert table.loc["ALBERT base v2", "executed"] == 89_650_176
    assert "sharing saves memory, not work" in at.markdown[1].value
    assert metric(at, "Stored").value == "11.7 M" and not metric(at, "Stored").delta
    claims = next(frame.value for frame in at.dataframe if "verdict" in frame.value).set_index("claim")
    assert claims.loc["Bort's parameters", "verdict"] == "✗ differs"


@pytest.mark.parametrize("task", parameters.TASKS)
def test_every_architecture_for_every_task(task: str) -> None:
    at = lab(architectures=KEYS, task=task, pieces="64", dtype="bfloat16", batch="3")
    assert not at.error and not at.warning
    table = overview(at)
    assert len(table) == len(KEYS)
    for key in KEYS:
        family, config = registry.architecture(key)
        found = table.loc[registry.find(key)[1].title]
        assert found["stored"] == analysis.formula(config, family.network.tasks[task]).stored


def test_a_size_is_moved_and_the_link_says_so() -> None:
    at = lab()
    at.number_input(key="num_hidden_groups").set_value(12)
    check(at.run())
    assert metric(at, "Stored").value == "89.7 M" and metric(at, "Stored").delta == "+667.3%"
    assert not metric(at, "Executed").delta  # the work stays the same
    link = next(code.value for code in at.code if "num_hidden_groups=12" in code.value and "?" in code.value)
    assert "from=albert-base-v2" in link
    python = next(code.value for code in at.code if "replace(config, num_hidden_groups=12)" in code.value)
    exec(compile(python, "python", "exec"), {})  # it runs in a notebook
    next(b for b in at.button if b.label.startswith("Back")).click()
    check(at.run())
    assert metric(at, "Stored").value == "11.7 M"


def test_another_start_brings_its_own_sizes() -> None:
    at = lab(**{"from": "conv-bert-medium-small", "hidden_size": "768", "num_attention_heads": "16"})
    assert at.number_input(key="hidden_size").value == 768 and at.number_input(key="num_groups").value == 2
    assert metric(at, "Stored").delta
    at.selectbox(key="from").set_value("bort")
    check(at.run())
    assert at.number_input(key="hidden_size").value == 1024 and at.number_input(key="intermediate_size").value == 768
    assert metric(at, "Stored").value == "75.1 M" and not metric(at, "Stored").delta
    assert {n.key for n in at.number_input} & {"num_groups", "embedding_size"} == set()


@pytest.mark.parametrize(
    ("query", "said", "near"),
    [
        ({"hidden_size": "770"}, "must be a multiple of num_attention_heads (12)", "768 or 780"),
        ({"num_hidden_layers": "0"}, "num_hidden_layers: expected 1 to 48, got 0", "1"),
        ({"hidden_size": "-3"}, "hidden_size: expected 1 to 8192, got -3", "12"),
        ({"vocab_size": "999999999999"}, "vocab_size: expected 1 to 300000", "300,000"),
        ({"from": "conv-bert-base", "conv_kernel_size": "4"}, "expected an odd number of taps, got 4", "3 or 5"),
        ({"num_hidden_groups": "13"}, "must not exceed", "12"),
    ],
)
def test_impossible_sizes_are_explained(query: dict[str, str], said: str, near: str) -> None:
    at = lab(**query)
    assert len(at.error) == 1 and said in plain(at.error[0].value)
    assert any(m.value.startswith("Nearest values that fit") and near in m.value for m in at.markdown)
    assert len(overview(at)) == len(parameters.DEFAULT)  # the rest of the page stands


def plain(text: str) -> str:
    """Markdown without its character references."""
    import html

    return html.unescape(text).replace("\u2060", "")


@pytest.mark.parametrize(
    "query",
    [
        {"architectures": "nonsense", "task": "nonsense", "from": "nonsense", "inside": "<script>"},
        {"hidden_size": "abc", "batch": "-1", "pieces": "0", "vocab_size": "1e3"},
        {"hidden_size": "1.5", "dtype": "int4", "kind": "pie"},
        {"hidden_size": "9" * 40},
        {"kind": "treemap", "architectures": ["bert-mini", "albert-mini"], "inside": "albert-mini"},
    ],
)
def test_any_link_is_survived(query: dict[str, Any]) -> None:
    at = lab(**query)
    assert overview(at).shape[0] >= 2


def test_nothing_chosen_and_too_long_a_text_are_said() -> None:
    at = lab()
    at.multiselect(key="architectures").set_value([])
    check(at.run())
    assert "Choose at least one architecture" in at.info[0].value and metric(at, "Stored").value
    at = lab(architectures=["bort", "bort-mini"], pieces="512")
    assert len(at.warning) == 1 and "positions for 1 to 128" in plain(at.warning[0].value)
    assert overview(at)["FLOPs in all"].notna().tolist() == [True, False]
