"""What this process may use of the machine: cores and memory."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path


def cores() -> int:
    """Cores this process may use: affinity mask and cgroup quota, at least 1."""
    affinity = getattr(os, "sched_getaffinity", None)
    n_cores: int = len(affinity(0)) if affinity else os.cpu_count() or 1
    for quota, period in _cgroup_quotas():
        n_cores = min(n_cores, quota // period)
    return max(1, n_cores)


def memory_allowed() -> int:
    """Bytes of memory this process may have in all: the machine's, or less where a cgroup says so."""
    limits = [limit for limit, _ in _cgroup_memory()]
    return min([_meminfo("MemTotal") or 4 * 2**30, *limits])


def memory_available() -> int | None:
    """Bytes of memory that are free, or can be made so; None where the system does not say."""
    available = _meminfo("MemAvailable")
    free = [limit - used for limit, used in _cgroup_memory()]
    return max(0, min([available, *free])) if available is not None else None


def _meminfo(name: str) -> int | None:
    lines = _read(Path("/proc/meminfo")).splitlines()
    line = next((line for line in lines if line.startswith(f"{name}:")), None)
    if line is not None:
        return int(line.split()[1]) * 1024
    if name == "MemTotal" and "SC_PHYS_PAGES" in getattr(os, "sysconf_names", {}):  # macOS
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return None


def _cgroup_quotas() -> list[tuple[int, int]]:
    """(quota, period) in microseconds of every cgroup above this process that has one; version 2, then 1."""
    found = [_read(folder / "cpu.max").split() for folder in _cgroup_folders("")]
    for folder in _cgroup_folders("cpu"):
        found.append([*_read(folder / "cpu.cfs_quota_us").split(), *_read(folder / "cpu.cfs_period_us").split()])
    return [(int(pair[0]), int(pair[1])) for pair in found if len(pair) == 2 and pair[0].isdigit() and int(pair[1])]


def _cgroup_memory() -> list[tuple[int, int]]:
    """(limit, bytes in use without files that can be dropped) of every cgroup above this process that has a limit."""
    pairs = []
    for controller, limit_name, used_name, files in (
        ("", "memory.max", "memory.current", "inactive_file "),
        ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file "),
    ):
        for folder in _cgroup_folders(controller):
            limit, used = _read(folder / limit_name).strip(), _read(folder / used_name).strip()
            if limit.isdigit() and used.isdigit() and int(limit) < 2**60:  # version 1 says "none" with a huge number
                lines = _read(folder / "memory.stat").splitlines()
                droppable = sum(int(line.split()[1]) for line in lines if line.startswith(files))
                pairs.append((int(limit), int(used) - droppable))
    return pairs


@lru_cache
def _cgroup_folders(controller: str) -> tuple[Path, ...]:
    """Folders of this process's cgroup and those above it; controller "": version 2, else a controller of version 1."""
    root = Path("/sys/fs/cgroup") / controller
    for line in _read(Path("/proc/self/cgroup")).splitlines():
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            own = root / path.lstrip("/")
            return tuple(folder for folder in (own, *own.parents) if folder.is_relative_to(root))
    return (root,)


def _read(path: Path) -> str:
    """A small system file's text; empty where there is none."""
    try:
        return path.read_text()
    except OSError:
        return ""
