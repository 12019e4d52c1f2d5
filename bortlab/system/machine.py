"""What this process may use of the machine: cores, memory, installed packages.

psutil knows the machine, on Linux, macOS and Windows alike. It does not know the limits of a container (a cgroup); they
are read here, where there are any.
"""

from __future__ import annotations

import ctypes
import platform
from functools import lru_cache
from importlib import metadata
from pathlib import Path

import psutil

VECTORS = ("avx2", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile")
"""Instructions that decide how fast a processor multiplies matrices, by the names that Linux has for them."""


def cores() -> int:
    """Cores this process may use: affinity mask (where the system has one) and cgroup quota, at least 1."""
    process = psutil.Process()
    n_cores: int = len(process.cpu_affinity()) if hasattr(process, "cpu_affinity") else psutil.cpu_count() or 1
    for quota, period in _cgroup_quotas():
        n_cores = min(n_cores, quota // period)
    return max(1, n_cores)


def memory_allowed() -> int:
    """Bytes of memory this process may have in all: the machine's, or less where a cgroup says so."""
    limits = [limit for limit, _ in _cgroup_memory()]
    total: int = psutil.virtual_memory().total
    return min([total, *limits])


def memory_available() -> int:
    """Bytes of memory that are free, or can be made so."""
    below_limits = [limit - used for limit, used in _cgroup_memory()]
    available: int = psutil.virtual_memory().available
    return max(0, min([available, *below_limits]))


def give_back_memory() -> None:
    """Return to the system what was freed and glibc keeps for later; elsewhere than on glibc nothing is done.

    For the moments after a large piece of work that does not come again soon. It takes some milliseconds.
    """
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)


@lru_cache
def processor() -> str:
    """The processor's name, and those of VECTORS that it has, where the system tells them."""
    pairs = (line.partition(":") for line in reversed(_read(Path("/proc/cpuinfo")).splitlines()))
    facts = {key.strip(): value.strip() for key, _, value in pairs}
    flags = facts.get("flags", "").split()
    name = facts.get("model name") or platform.processor() or platform.machine()
    return " ".join([name, *(flag for flag in VECTORS if flag in flags)])


def installed_version(package: str) -> str:
    """The version of a package; empty where it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _cgroup_quotas() -> list[tuple[int, int]]:
    """(quota, period) in microseconds of every cgroup above this process that has one; version 2, then 1."""
    quotas = [_read(folder / "cpu.max").split() for folder in _cgroup_folders("")]
    for folder in _cgroup_folders("cpu"):
        quotas.append([*_read(folder / "cpu.cfs_quota_us").split(), *_read(folder / "cpu.cfs_period_us").split()])
    return [(int(pair[0]), int(pair[1])) for pair in quotas if len(pair) == 2 and pair[0].isdigit() and int(pair[1])]


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
