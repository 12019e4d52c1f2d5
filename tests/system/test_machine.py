"""What this process may use of the machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from bortlab.system import machine


def test_limits_of_the_machine_are_plausible() -> None:
    assert 1 <= machine.cores() <= 4096
    assert machine.memory_allowed() > 2**26
    available = machine.memory_available()
    assert available is None or 0 <= available <= machine.memory_allowed()


@pytest.mark.parametrize("version", [1, 2])
def test_cgroup_limits_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: int) -> None:
    names = {
        1: {"cpu.cfs_quota_us": "100000\n", "cpu.cfs_period_us": "100000\n", "memory.limit_in_bytes": f"{2**30}\n",
            "memory.usage_in_bytes": f"{2**29}\n", "memory.stat": f"cache 5\ntotal_inactive_file {2**28}\n"},
        2: {"cpu.max": "150000 100000\n", "memory.max": f"{2**30}\n", "memory.current": f"{2**29}\n",
            "memory.stat": f"anon 3\ninactive_file {2**28}\n"},
    }  # fmt: skip
    for name, text in names[version].items():
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(machine, "_cgroup_folders", lambda controller: (tmp_path,))
    monkeypatch.setattr(machine, "_meminfo", lambda name: 2**36)
    assert machine.cores() == 1
    assert machine.memory_allowed() == 2**30
    assert machine.memory_available() == 2**29 + 2**28


def test_no_limits_no_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cpu.max").write_text("max 100000\n")
    (tmp_path / "memory.max").write_text("max\n")
    monkeypatch.setattr(machine, "_cgroup_folders", lambda controller: (tmp_path,))
    assert machine._cgroup_quotas() == [] and machine._cgroup_memory() == []
    monkeypatch.setattr(machine, "_read", lambda path: "")
    assert machine.memory_available() is None
    assert machine.memory_allowed() > 0
