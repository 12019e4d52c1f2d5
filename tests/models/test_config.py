"""Configurations: what is read, what is kept, and what is refused, with the field and the rule in the message."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import FrozenInstanceError, fields, replace
from typing import Any

import pytest

from bortlab.models import FAMILIES, Config, ConfigError, Family
from bortlab.models.albert import AlbertConfig
from bortlab.models.base import LIMITS
from bortlab.models.bort import BortConfig
from bortlab.models.convbert import ConvBertConfig

FIELDS = [(family, entry) for family in FAMILIES.values() for entry in fields(family.config) if entry.name != "extra"]
NUMBERS = [(family, entry) for family, entry in FIELDS if entry.type in ("int", "float")]


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
        nothing = dict.fromkeys(entry.name for entry in fields(family.config) if entry.name != "extra")
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
