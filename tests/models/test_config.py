"""Configurations: what is read, what is kept, and what is refused, with the field and the rule in the message."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import FrozenInstanceError, fields, replace
from typing import Any

import pytest

from bortlab.models import FAMILIES, LIMITS, Config, ConfigError, Family
from bortlab.models.albert import AlbertConfig
from bortlab.models.bort import BortConfig
from bortlab.models.convbert import ConvBertConfig

FIELDS = [
    (family, entry)
    for family in FAMILIES.values()
    for entry in fields(family.config)
    if entry.name not in ("labels", "extra")
]
NUMBERS = [(family, entry) for family, entry in FIELDS if str(entry.type).startswith(("int", "float"))]


def name_of(value: object) -> str:
    return getattr(value, "name", str(value))


@pytest.mark.parametrize("family", FAMILIES.values(), ids=name_of)
class TestEachFamily:
    def test_round_trip_keeps_every_key(self, family: Family, tiny_config: Callable[..., Config]) -> None:
        config = tiny_config(family)
        written = config.to_dict() | {"gap_size": 0, "task_specific": {"glue": [1, 2]}}
        read = family.config.from_dict(json.loads(json.dumps(written)))
        assert read == config
        assert read.extra == {"gap_size": 0, "task_specific": {"glue": [1, 2]}}
        assert read.to_dict() == written

    def test_null_and_absent_take_the_default(self, family: Family) -> None:
        nothing = dict.fromkeys([entry.name for other, entry in FIELDS if other is family] + ["id2label", "num_labels"])
        assert family.config.from_dict(nothing) == family.config.from_dict({}) == family.config()

    def test_is_frozen(self, family: Family) -> None:
        with pytest.raises(FrozenInstanceError):
            family.mini.hidden_size = 1  # type: ignore[misc]

    def test_unknown_activation_names_the_known_ones(self, family: Family) -> None:
        with pytest.raises(ConfigError, match=r"Unknown hidden_act 'gelo'.*gelu_new"):
            replace(family.mini, hidden_act="gelo")


@pytest.mark.parametrize(("family", "entry"), NUMBERS, ids=name_of)
def test_each_number_is_checked(family: Family, entry: Any) -> None:
    low, high = LIMITS[entry.name]  # a number without limits would be a way in for absurd files
    wrong: list[Any] = ["7", [7], True, low - 1, high * 2 + 1, -math.inf, math.nan]
    for value in wrong + ([1.5] if entry.type == "int" else []):
        with pytest.raises(ConfigError, match=rf"^{entry.name}: expected"):
            replace(family.mini, **{entry.name: value})


@pytest.mark.parametrize(
    ("config", "changes", "message"),
    [
        (AlbertConfig, {"hidden_size": 10, "num_attention_heads": 3}, r"hidden_size \(10\).*num_attention_heads \(3\)"),
        (AlbertConfig, {"num_hidden_groups": 13}, r"num_hidden_groups \(13\) must not exceed num_hidden_layers \(12\)"),
        (
            BortConfig,
            {"num_attention_heads": 7},
            r"hidden_size \(1024\) must be a multiple of num_attention_heads \(7\)",
        ),
        (
            ConvBertConfig,
            {"hidden_size": 6, "num_attention_heads": 4},
            r"hidden_size \(6\).*2 heads that remain.*4.*ratio 2",
        ),
        (ConvBertConfig, {"conv_kernel_size": 8}, "conv_kernel_size: expected an odd number of taps, got 8"),
        (ConvBertConfig, {"num_groups": 5}, r"hidden_size \(768\) must be a multiple of num_groups \(5\)"),
        (ConvBertConfig, {"intermediate_size": 3073, "num_groups": 2}, r"intermediate_size \(3073\).*num_groups \(2\)"),
    ],
)
def test_fields_that_do_not_fit_together(config: type[Config], changes: dict[str, int], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        config(**changes)  # type: ignore[arg-type]


def test_a_text_field_wants_a_text() -> None:
    with pytest.raises(ConfigError, match="hidden_act: expected a text, got 3"):
        AlbertConfig(hidden_act=3)  # type: ignore[arg-type]


# -- labels ------------------------------------------------------------------------------------------------------------

LABELS: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "none": ({}, ("LABEL_0", "LABEL_1")),
    "named": ({"id2label": {"1": "yes", "0": "no", "2": "maybe"}}, ("no", "yes", "maybe")),
    "more than nine": ({"id2label": {str(n): f"x{n}" for n in range(12)}}, tuple(f"x{n}" for n in range(12))),
    "alike": ({"id2label": {"0": "a", "1": "a"}}, ("a", "a")),
    "numbers for names": ({"id2label": {"0": 1, "1": 2.5}}, ("1", "2.5")),
    "counted": ({"num_labels": 3}, ("LABEL_0", "LABEL_1", "LABEL_2")),
    "named and counted otherwise": (
        {"id2label": {"0": "one"}, "num_labels": 3},
        ("LABEL_0", "LABEL_1", "LABEL_2"),
    ),  # so too
    "the other way alone": ({"label2id": {"a": 0, "b": 1, "c": 2}}, ("LABEL_0", "LABEL_1")),  # as transformers has it
    "a key of our own": ({"labels": ["x"]}, ("LABEL_0", "LABEL_1")),
}


@pytest.mark.parametrize(("data", "labels"), LABELS.values(), ids=LABELS)
def test_labels_are_read_and_written(data: dict[str, Any], labels: tuple[str, ...]) -> None:
    config = AlbertConfig.from_dict(data)
    assert config.labels == labels
    written = json.loads(json.dumps(config.to_dict()))
    assert AlbertConfig.from_dict(written) == config
    named = written.get("id2label", {"0": "LABEL_0", "1": "LABEL_1"})
    assert [named[str(number)] for number in range(len(named))] == list(labels)
    assert written.get("label2id", {}).keys() <= set(labels)
    assert "num_labels" not in written


WRONG_LABELS: dict[str, tuple[dict[str, Any], str]] = {
    "no object": ({"id2label": ["a", "b"]}, "id2label: expected an object of numbers and names, got a list"),
    "gaps": ({"id2label": {"0": "a", "2": "b"}}, "id2label: expected the keys 0 to 1, got 0, 2"),
    "no numbers": ({"id2label": {"zero": "a"}}, "id2label: expected the keys 0 to 0, got zero"),
    "padded numbers": ({"id2label": {"00": "a", "01": "b"}}, "expected the keys 0 to 1"),
    "no names": ({"id2label": {"0": None, "1": "b"}}, "id2label: expected names, got None"),
    "nested": ({"id2label": {"0": ["a"]}}, r"id2label: expected names, got \['a'\]"),
    "empty": ({"id2label": {}}, "labels: expected 1 to 10,000 of them, got 0"),
    "too many": ({"id2label": {str(n): "x" for n in range(10_001)}}, "got 10,001"),
    "absurd": ({"num_labels": 10**9}, "num_labels: expected a whole number from 1 to 10,000, got 1000000000"),
    "none at all": ({"num_labels": 0}, "num_labels: expected"),
    "true": ({"num_labels": True}, "num_labels: expected a whole number .*, got True"),
    "text": ({"num_labels": "3"}, "num_labels: expected"),
    "one class": ({"problem_type": "single_label_classification", "num_labels": 1}, "needs two labels or more, got 1"),
}


@pytest.mark.parametrize("config", [AlbertConfig, BortConfig, ConvBertConfig])
@pytest.mark.parametrize(("data", "message"), WRONG_LABELS.values(), ids=WRONG_LABELS)
def test_labels_that_are_none(config: type[Config], data: dict[str, Any], message: str) -> None:
    """They stop nobody who needs no labels, and what could not be read is written back as it was."""
    read = config.from_dict(data)
    with pytest.raises(ConfigError, match=message):
        read.check_labels()
    if not read.labels:
        written = read.to_dict()
        assert {key: written[key] for key in data} == data


@pytest.mark.parametrize("problem", ["", "ner", 7])
def test_a_problem_that_is_none_is_kept_and_not_used(problem: object) -> None:
    read = AlbertConfig.from_dict({"problem_type": problem})
    assert read.problem_type is None and read.to_dict()["problem_type"] == problem


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"summary_type": "attn"}, r"Unknown summary_type 'attn'\. Known: last, first, mean"),
        ({"summary_activation": "gelo"}, "Unknown summary_activation 'gelo'"),
        ({"summary_use_proj": 1}, "summary_use_proj: expected true or false, got 1"),
        ({"summary_use_proj": True, "summary_proj_to_labels": True}, "summary_proj_to_labels is true"),
        ({"classifier_dropout": "x"}, "classifier_dropout: expected a number"),
    ],
)
def test_summaries_of_convbert(data: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ConvBertConfig.from_dict(data)


def test_dropout_of_heads() -> None:
    """transformers: ALBERT says its own; the others may, and else take the encoder's."""
    assert AlbertConfig(classifier_dropout_prob=0.3).head_dropout == 0.3
    for config in (BortConfig, ConvBertConfig):
        assert config(hidden_dropout_prob=0.2).head_dropout == 0.2
        assert config(hidden_dropout_prob=0.2, classifier_dropout=0.0).head_dropout == 0.0


def test_convbert_keeps_at_least_one_head() -> None:
    assert [ConvBertConfig(head_ratio=ratio).heads for ratio in (1, 2, 4, 12, 128)] == [12, 6, 3, 1, 1]


def test_albert_groups_follow_the_published_division() -> None:
    assert [AlbertConfig(num_hidden_groups=4).group_of(i) for i in range(12)] == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]
    uneven = AlbertConfig(num_hidden_layers=5, num_hidden_groups=2)
    assert [uneven.group_of(i) for i in range(5)] == [0, 0, 0, 1, 1]
    assert AlbertConfig(inner_group_num=2).depth == 24


def test_groups_stay_in_range_for_every_allowed_size() -> None:
    for layers in range(1, 49):
        for groups in range(1, layers + 1):
            config = AlbertConfig(num_hidden_layers=layers, num_hidden_groups=groups)
            used = [config.group_of(i) for i in range(layers)]
            assert used == sorted(used)
            assert used[0] == 0
            assert used[-1] == groups - 1
