"""Sweeps on a real Ray of two workers: as in local processes, deaths included."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bortlab.work import sweeps
from bortlab.work.ray_crew import RayError
from tests import sweeps_work

SETTINGS = [{"seed": seed, "rate": 0.1, "die": seed % 2} for seed in range(4)]


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'bortlab[ray]'")
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=10**8)
    yield
    ray.shutdown()


@pytest.mark.usefixtures("cluster")
def test_ray_and_local_processes_give_the_same_numbers_though_workers_are_killed(tmp_path: Path) -> None:
    local = sweeps.run(sweeps_work.train, SETTINGS, tmp_path / "local", workers=2)
    messages: list[str] = []
    by_ray = sweeps.run(
        sweeps_work.train,
        SETTINGS,
        tmp_path / "ray",
        ray="auto",
        on_progress=lambda progress: messages.append(progress.message),
    )
    assert [outcome.result for outcome in by_ray] == [outcome.result for outcome in local]
    assert [outcome.deaths for outcome in by_ray] == [outcome.deaths for outcome in local] == [0, 1, 0, 1]
    assert {outcome.result["threads"] for outcome in by_ray} == {1}
    assert messages[-1] == "4 of 4 done." and any("step" in message for message in messages)

    kept = sweeps.run(sweeps_work.train, SETTINGS, tmp_path / "ray")  # a folder goes on with either
    assert [outcome.result for outcome in kept] == [outcome.result for outcome in local]


@pytest.mark.usefixtures("cluster")
def test_an_item_that_dies_three_times_or_raises_an_error_leaves_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "auto")
    outcomes = sweeps.run(sweeps_work.square, [{"number": number} for number in (7, 13, 4)], tmp_path)
    assert [outcome.result for outcome in outcomes] == [None, None, 16]
    assert outcomes[0].failed.startswith("Its worker died 3 times (WorkerCrashedError).")
    assert outcomes[1].failed == "Thirteen brings bad luck."


def test_without_ray_its_address_is_answered_by_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(RayError, match=r"pip install 'bortlab\[ray\]'"):
        sweeps.run(sweeps_work.square, [{"number": 1}], tmp_path, ray="auto")
