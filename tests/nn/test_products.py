"""Which product is fastest here: what follows from a measurement, when there is one, and what is kept of it."""

from __future__ import annotations

import json
import math
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from bortlab.nn import linear, products
from bortlab.nn.linear import linear_map
from bortlab.nn.products import ROWS, WAYS, Products, onednn_pays, onednn_product, products_here
from bortlab.system import settings

pytestmark = pytest.mark.skipif(not products.HAS_ONEDNN, reason="this build of torch has no oneDNN")


def times(onednn: list[float], packed: list[float], *, steady: bool = True) -> Products:
    """By torch's time, at each of ROWS."""
    rows = zip(onednn, packed, strict=True)
    return Products(tuple({"torch": 1.0, "onednn": one, "packed": other} for one, other in rows), steady)


HERE = times([0.5, 0.6, 1.2], [0.4, 0.7, 0.9])


@pytest.fixture
def measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """As in a new process with an empty cache, where a measurement gives HERE; a 1 for each measurement."""
    found: list[int] = []
    monkeypatch.setenv(settings.CACHE.name, str(tmp_path))
    monkeypatch.delenv(settings.PRODUCTS.name, raising=False)
    monkeypatch.setattr(products, "_known", {})
    monkeypatch.setattr(products, "measure", lambda: found.append(1) or HERE)
    return found


@pytest.mark.parametrize(
    ("rows", "pays"), [(1, True), (16, True), (45, True), (200, True), (300, False), (4096, False)]
)
def test_onednn_is_taken_where_it_pays_at_the_nearest_number_of_rows(rows: int, pays: bool) -> None:
    assert HERE.onednn_pays(rows) == pays


def test_onednn_has_to_be_faster_by_more_than_a_little() -> None:
    assert not times([0.96, 1, 1], [1, 1, 1]).onednn_pays(16)


@pytest.mark.parametrize(
    ("onednn", "packed", "rows"),
    [
        ([0.5, 0.5, 0.5], [0.4, 0.4, 0.5], math.inf),
        ([0.5, 0.5, 0.5], [0.4, 0.4, 0.6], 128),
        ([0.5, 0.5, 0.5], [0.4, 0.6, 0.4], 16),
        ([0.5, 0.5, 0.5], [0.6, 0.4, 0.4], 0),
        ([1.4, 1.4, 1.4], [0.9, 1.1, 1.1], 16),  # MKL is the one to beat
        ([1.4, 1.4, 1.4], [1.2, 1.2, 1.2], 0),
    ],
)
def test_packing_pays_where_it_beats_the_faster_of_the_others(
    onednn: list[float], packed: list[float], rows: float
) -> None:
    assert times(onednn, packed).packing_pays_up_to == rows


def test_a_processor_is_measured_once(measured: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert products_here() == products_here() == HERE and len(measured) == 1
    monkeypatch.setattr(products, "_known", {})  # another process
    assert products_here() == HERE and len(measured) == 1
    monkeypatch.setattr(torch, "get_num_threads", lambda: 77)
    assert products_here() == HERE and len(measured) == 2  # other threads, another measurement


@pytest.mark.parametrize("content", ["", "[1, 2]", "[1, 2, -3]", "{}", "7", '[{"torch": 1}]', "\x00"])
def test_what_cannot_be_read_is_measured_again(content: str, measured: list[int], tmp_path: Path) -> None:
    products_here()
    (file,) = (tmp_path / "engines").iterdir()
    file.write_text(content)
    products._known.clear()
    assert products_here() == HERE and len(measured) == 2


def test_times_that_are_not_steady_are_used_and_not_kept(
    measured: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(products, "measure", lambda: times([0.5] * 3, [0.4] * 3, steady=False))
    assert products_here().onednn_pays(16)
    assert not (tmp_path / "engines").exists()


def test_threads_that_ask_at_once_wait_for_one_measurement(
    measured: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = threading.Barrier(8)

    def ask(_: int) -> Products:
        begun.wait()
        return products_here()

    with ThreadPoolExecutor(8) as pool:
        assert set(map(id, pool.map(ask, range(8)))) == {id(products_here())}
    assert len(measured) == 1


@pytest.mark.parametrize(("said", "pays"), [("torch", False), ("onednn", True)])
def test_a_setting_decides_without_a_measurement(
    said: str, pays: bool, measured: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(settings.PRODUCTS.name, said)
    assert [products_here().onednn_pays(rows) for rows in ROWS] == [pays] * len(ROWS)
    assert products_here().packing_pays_up_to == (math.inf if pays else 0)
    assert not measured
    products._known.clear()
    monkeypatch.setattr(products, "HAS_ONEDNN", False)
    assert not products_here().onednn_pays(16)


def test_a_setting_that_names_nothing_is_refused(measured: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(settings.PRODUCTS.name, "cuda")
    with pytest.raises(ValueError, match="BORTLAB_PRODUCTS is 'cuda', expected torch or onednn"):
        products_here()


def test_a_real_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "WIDTH", 32)
    found = products.measure()
    assert len(found.ratios) == len(ROWS)
    for ratio in found.ratios:
        assert set(ratio) == set(WAYS) and ratio["torch"] == 1 and all(0 < value < math.inf for value in ratio.values())
    assert tuple(json.loads(json.dumps(found.ratios))) == found.ratios


def test_a_measurement_makes_its_tensors_on_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever the caller makes those of a network."""
    monkeypatch.setattr(products, "WIDTH", 32)
    with torch.device("meta"):
        found = products.measure()
    assert all(0 < value < math.inf for ratio in found.ratios for value in ratio.values())


def test_nothing_is_measured_in_the_middle_of_a_network(measured: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    assert not onednn_pays(16) and not measured
    products_here()
    assert onednn_pays(16) and not onednn_pays(512) and len(measured) == 1
    monkeypatch.setattr(torch, "get_num_threads", lambda: 77)
    assert onednn_pays(16) and len(measured) == 1  # by what is known of other numbers of threads


@pytest.mark.parametrize("onednn", [True, False])
def test_a_linear_map_goes_the_faster_way(onednn: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[int] = []
    here = times([0.5 if onednn else 1.5] * 3, [2.0] * 3)
    monkeypatch.setattr(linear, "WORTHWHILE", 0)
    monkeypatch.setattr(linear, "onednn_pays", here.onednn_pays)
    monkeypatch.setattr(linear, "onednn_product", lambda *parts: used.append(1) or onednn_product(*parts))
    x, weight, bias = torch.randn(2, 3, 4), torch.randn(5, 4), torch.randn(5)
    with torch.no_grad():
        result = linear_map(x, weight, bias)
    torch.testing.assert_close(result, x @ weight.T + bias)
    assert bool(used) == onednn
