"""Environment variables: all in one place, documented, and in force everywhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from bortlab.system import settings
from bortlab.system.assets import CHECKOUT
from bortlab.system.settings import SETTINGS

SOURCES = [CHECKOUT / "app.py", *(CHECKOUT / "bortlab").rglob("*.py"), *(CHECKOUT / "pages").rglob("*.py")]
HOME = Path(settings.__file__)


def test_nothing_else_touches_the_environment() -> None:
    touching = [
        path for path in SOURCES if re.search(r"os\.environ|getenv|putenv|\benviron\b", path.read_text("utf-8"))
    ]
    assert touching == [HOME]


def test_every_variable_that_is_named_is_a_setting() -> None:
    names = {setting.name for setting in SETTINGS}
    named = {
        name for path in SOURCES for name in re.findall(r"\bBORTLAB_[A-Z_]+|\bHF_[A-Z_]+", path.read_text("utf-8"))
    }
    assert named - names <= {"HF_TOKEN"}  # named to say that it is not read
    assert len(names) == len(SETTINGS)


def test_the_documentation_has_this_table() -> None:
    page = (CHECKOUT / "docs" / "settings.md").read_text("utf-8")
    assert settings.table() in page, "docs/settings.md is old: paste bortlab.system.settings.table() into it"


def test_the_cache_holds_everything_that_bortlab_makes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from bortlab.analysis import latency
    from bortlab.registry import lenses
    from bortlab.work.jobs import jobs_folder

    monkeypatch.delenv(settings.RUNS.name, raising=False)
    monkeypatch.setenv(settings.CACHE.name, str(tmp_path))
    for folder in (jobs_folder(), latency.runs_folder(), lenses.folder_of("bort", "main"), settings.runs_folder()):
        assert folder.is_relative_to(tmp_path)
    monkeypatch.setenv(settings.RUNS.name, "~/elsewhere")
    assert settings.runs_folder() == Path.home() / "elsewhere"
    monkeypatch.setenv(settings.CACHE.name, "")
    assert settings.cache_folder() == Path.home() / ".cache" / "bortlab"


def test_a_process_of_our_own_inherits_and_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(settings.OPENMP_WAIT.name, raising=False)
    monkeypatch.setenv("PYTHONPATH", "here")
    environment = settings.environment_for(Path("there"), EXTRA="1")
    assert environment["EXTRA"] == "1" and environment[settings.OPENMP_WAIT.name] == "PASSIVE"
    assert environment[settings.HUGE_PAGES.name] == "1"
    assert re.fullmatch("there.here", environment["PYTHONPATH"])
    monkeypatch.setenv(settings.OPENMP_WAIT.name, "ACTIVE")
    assert settings.environment_for(Path())[settings.OPENMP_WAIT.name] == "ACTIVE"


def test_few_heaps_are_kept_on_linux_unless_told(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[tuple[object, ...]] = []
    monkeypatch.setattr("os.execv", lambda *arguments: started.append(arguments))
    for platform, value in (("win32", ""), ("darwin", ""), ("linux", "4")):
        monkeypatch.setattr(sys, "platform", platform)
        monkeypatch.setenv(settings.MALLOC_ARENAS.name, value)
        settings.keep_few_heaps()
    assert not started
    monkeypatch.setenv(settings.MALLOC_ARENAS.name, "")
    settings.keep_few_heaps()
    assert len(started) == 1 and settings.MALLOC_ARENAS.read() == "2"


KERNELS = """
import psutil
from bortlab.system import settings

settings.keep_few_kernels()

import torch
import bortlab

torch.set_num_threads(1)
network = bortlab.load("bert-mini").network

def megabytes(texts):
    with torch.inference_mode():
        for number in texts:
            for pieces in range(8, 24):
                network(torch.full((number, pieces), 7))
    return psutil.Process().memory_info().rss / 1e6

print(-megabytes(range(1, 5)) + megabytes(range(5, 11)))
"""


def test_shapes_that_were_computed_once_leave_little_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """96 further shapes of texts: the memory grows by 50 MB, and by 160 where a thousand kernels are kept."""
    for variable in (settings.ONEDNN_KERNELS, settings.TORCH_KERNELS):
        monkeypatch.delenv(variable.name, raising=False)
    environment = settings.environment_for(CHECKOUT, OMP_NUM_THREADS="1", MALLOC_ARENA_MAX="2")
    done = subprocess.run([sys.executable, "-c", KERNELS], env=environment, capture_output=True, text=True, check=True)
    assert float(done.stdout) < 100
