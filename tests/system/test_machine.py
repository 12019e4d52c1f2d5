"""What this process may use of the machine."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from bortlab.system import machine


class Memory(NamedTuple):
    """What psutil.virtual_memory gives, as far as it is read."""

    total: int
    available: int


class ProcessOfMacOS:
    """psutil.Process on macOS: there are no affinity masks."""


class ProcessOfWindows:
    """psutil.Process on Windows, started for three of the cores."""

    def cpu_affinity(self) -> list[int]:
        return [0, 2, 5]


def test_limits_of_the_machine_are_plausible() -> None:
    assert 1 <= machine.cores() <= 4096
    assert machine.memory_allowed() > 2**26
    assert 0 <= machine.memory_available() <= machine.memory_allowed()


@pytest.mark.parametrize(("process", "expected"), [(ProcessOfMacOS, 10), (ProcessOfWindows, 3)])
def test_other_systems_tell_too(process: type, expected: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_read", lambda path: "")  # neither /proc nor /sys
    monkeypatch.setattr(psutil, "Process", process)
    monkeypatch.setattr(psutil, "cpu_count", lambda: 10)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: Memory(2**35, 2**33))
    machine._cgroup_folders.cache_clear()
    try:
        assert machine.cores() == expected
        assert (machine.memory_allowed(), machine.memory_available()) == (2**35, 2**33)
    finally:
        machine._cgroup_folders.cache_clear()


def test_a_machine_that_tells_nothing_has_a_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "Process", ProcessOfMacOS)
    monkeypatch.setattr(psutil, "cpu_count", lambda: None)
    assert machine.cores() == 1


@pytest.mark.parametrize("version", [1, 2])
def test_cgroup_limits_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: int) -> None:
    names = {
        1: {
            "cpu.cfs_quota_us": "100000\n",
            "cpu.cfs_period_us": "100000\n",
            "memory.limit_in_bytes": f"{2**30}\n",
            "memory.usage_in_bytes": f"{2**29}\n",
            "memory.stat": f"cache 5\ntotal_inactive_file {2**28}\n",
        },
        2: {
            "cpu.max": "150000 100000\n",
            "memory.max": f"{2**30}\n",
            "memory.current": f"{2**29}\n",
            "memory.stat": f"anon 3\ninactive_file {2**28}\n",
        },
    }
    for name, text in names[version].items():
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(machine, "_cgroup_folders", lambda controller: (tmp_path,))
    monkeypatch.setattr(psutil, "virtual_memory", lambda: Memory(2**36, 2**36))
    assert machine.cores() == 1
    assert machine.memory_allowed() == 2**30
    assert machine.memory_available() == 2**29 + 2**28


def test_no_limits_no_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cpu.max").write_text("max 100000\n")
    (tmp_path / "memory.max").write_text("max\n")
    monkeypatch.setattr(machine, "_cgroup_folders", lambda controller: (tmp_path,))
    assert machine._cgroup_quotas() == [] and machine._cgroup_memory() == []
    monkeypatch.setattr(psutil, "virtual_memory", lambda: Memory(2**36, 2**34))
    assert (machine.memory_allowed(), machine.memory_available()) == (2**36, 2**34)


def test_the_processor_is_named_with_its_vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    cpuinfo = "processor\t: 0\nmodel name\t: A Chip 7\nflags\t\t: fpu avx2 sse avx512f amx_tile\n\n"
    plain = machine.processor.__wrapped__
    monkeypatch.setattr(machine, "_read", lambda path: 2 * cpuinfo)
    assert plain() == "A Chip 7 avx2 avx512f amx_tile"
    monkeypatch.setattr(machine, "_read", lambda path: "")
    monkeypatch.setattr(machine.platform, "processor", lambda: "")
    monkeypatch.setattr(machine.platform, "machine", lambda: "arm64")
    assert plain() == "arm64"


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's heaps")
def test_what_was_freed_is_given_back() -> None:
    """Blocks below one that stays: glibc keeps them for later."""
    process = psutil.Process()
    blocks = [bytes([1]) * 60_000 for _ in range(2_000)]
    del blocks[:-1]
    kept = process.memory_info().rss
    machine.give_back_memory()
    assert kept - process.memory_info().rss > 60_000_000
