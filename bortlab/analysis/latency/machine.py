"""The machine that something was measured on: what it is, and how busy other programs kept it meanwhile."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import torch

from bortlab.system import settings
from bortlab.system.machine import cores, installed_version, memory_allowed

PACKAGES = ("torch", "onnxruntime", "numpy")


def environment() -> dict[str, Any]:
    """What times depend on, as JSON: processor, cores, memory, accelerators, power, versions, date."""
    return {
        "processor": processor(),
        "cores": cores(),
        "machine": f"{platform.system()} {platform.machine()}",
        "virtual": "hypervisor" in _cpuinfo("flags").split(),
        "vector_instructions": torch.backends.cpu.get_cpu_capability(),
        "memory_bytes": memory_allowed(),
        "accelerators": accelerators(),
        "power": power(),
        "openmp_wait": settings.OPENMP_WAIT.read() or "system's own",
        "python": platform.python_version(),
        "versions": {name: version for name in PACKAGES if (version := installed_version(name))},
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def processor() -> str:
    """The processor's name, as the system gives it."""
    if sys.platform == "darwin":
        return _output("sysctl", "-n", "machdep.cpu.brand_string") or platform.processor()
    return _cpuinfo("model name") or platform.processor() or platform.machine()


def accelerators() -> list[str]:
    """Names of the accelerators that torch can use."""
    gpus = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
    return [*gpus, *(["Apple GPU (MPS)"] if torch.backends.mps.is_available() else [])]


def power() -> dict[str, str]:
    """Hints that the processor may not run at full speed: battery, governor, low power mode. {} without any."""
    hints = {}
    battery = psutil.sensors_battery() if hasattr(psutil, "sensors_battery") else None
    if battery is not None and battery.power_plugged is not None:
        hints["supply"] = "mains" if battery.power_plugged else "battery"
    frequency = Path("/sys/devices/system/cpu/cpu0/cpufreq")
    for name, file in (
        ("governor", frequency / "scaling_governor"),
        ("preference", frequency / "energy_performance_preference"),
    ):
        if setting := _text(file):
            hints[name] = setting
    if _text(Path("/sys/devices/system/cpu/intel_pstate/no_turbo")) == "1":
        hints["turbo"] = "off"
    if sys.platform == "darwin" and "lowpowermode 1" in " ".join(_output("pmset", "-g").split()):
        hints["low power mode"] = "on"
    return hints


def chosen_cpus(threads: int) -> list[int] | None:
    """The processors that so many threads are pinned to, no two on one core where there are enough; None: not pinned.

    Threads that wander between cores, or share one, are the most common reason for times that cannot be repeated.
    """
    if not hasattr(os, "sched_getaffinity"):
        return None
    allowed = sorted(os.sched_getaffinity(0))
    if threads > len(allowed):
        return None
    first_of_core: list[int] = []
    others: list[int] = []
    cores_in_use: set[str] = set()
    for cpu in allowed:
        siblings = _text(Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")) or str(cpu)
        (others if siblings in cores_in_use else first_of_core).append(cpu)
        cores_in_use.add(siblings)
    return sorted([*first_of_core, *others][:threads])


# -- how busy it is ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Noise:
    """What else happened during a measurement: load averages before and after it, and how much other programs took.

    others: processor time of other programs as a share of all there was, 0 to 1; None where the system does not say.
    """

    load_before: float | None
    load_after: float | None
    others: float | None


UNKNOWN = Noise(None, None, None)
BUSY = 0.15
"""Share of the machine that others may take before a measurement counts as disturbed."""


@dataclass(slots=True)
class Watch:
    """Counts what other programs take from now on."""

    _load: float = field(default_factory=lambda: load())
    _busy: float = field(default_factory=lambda: _busy_seconds())
    _started: float = field(default_factory=time.monotonic)

    def noise(self, own_seconds: float) -> Noise:
        """own_seconds: processor time of the measurement itself."""
        elapsed = time.monotonic() - self._started
        others = None
        if elapsed > 0:
            taken = _busy_seconds() - self._busy - own_seconds
            others = min(1.0, max(0.0, taken / (elapsed * (psutil.cpu_count() or 1))))
        return Noise(self._load, load(), others)


def load() -> float:
    """Load average of the last minute."""
    last_minute: float = psutil.getloadavg()[0]
    return round(last_minute, 2)


def _busy_seconds() -> float:
    """Processor time that was not idle since the system started, including what a hypervisor took."""
    times = psutil.cpu_times()._asdict()
    counted_elsewhere = ("idle", "iowait", "guest", "guest_nice")  # guests are part of user and nice
    return float(sum(seconds for name, seconds in times.items() if name not in counted_elsewhere))


# -- memory ------------------------------------------------------------------------------------------------------------


def forget_peak() -> None:
    """Let `peak_rss` count from now on, where the system can (Linux)."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_rss() -> int | None:
    """The most memory this process had, in bytes, since `forget_peak` or its start."""
    for line in _text(Path("/proc/self/status")).splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    if sys.platform == "win32":
        return int(psutil.Process().memory_info().peak_wset)
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


# -- asking the system -------------------------------------------------------------------------------------------------


def described(environment: Mapping[str, Any]) -> str:
    """A machine in a few words: AMD EPYC, 2 cores."""
    cores = environment.get("cores", "?")
    gpus = environment.get("accelerators") or []
    return ", ".join(
        [str(environment.get("processor", "?")), f"{cores} core{'' if cores == 1 else 's'}", *map(str, gpus)]
    )


def _cpuinfo(name: str) -> str:
    lines = _text(Path("/proc/cpuinfo")).splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.partition(":")[0].strip() == name), "")


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except (OSError, ValueError):
        return ""


def _output(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=5, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""
