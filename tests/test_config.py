"""The shipped settings: Streamlit reads them as they are meant, and what the process settles at its start holds."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
TOML = ROOT / ".streamlit" / "config.toml"

MATTERS = {
    "server.address": "127.0.0.1",  # one machine, unless a teacher says otherwise
    "server.headless": True,
    "server.fileWatcherType": "none",
    "server.enableXsrfProtection": True,
    "server.enableCORS": True,  # checks the origin of websockets too
    "server.allowedHosts": ["localhost", "127.0.0.1"],  # DNS rebinding
    "server.maxUploadSize": 5,
    "server.maxMessageSize": 50,
    "server.enableStaticServing": False,
    "client.showErrorDetails": "type",  # no traceback in a student's browser
    "client.showErrorLinks": False,
    "client.toolbarMode": "viewer",
    "browser.gatherUsageStats": False,
    "browser.serverAddress": "localhost",  # else Streamlit asks the internet for its own address
    "runner.postScriptGC": False,  # else every rerun walks every object, 0.2 s under Python's lock
    "runner.magicEnabled": False,
}


def python(code: str, *arguments: str, home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh interpreter that knows nothing but what this repository ships."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("STREAMLIT_", "OMP_"))}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT, env=clean | {"HOME": str(home), "USERPROFILE": str(home)} | environment,
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


# -- config.toml -------------------------------------------------------------------------------------------------------


READ = """
import json
from streamlit import config
config.get_config_options(force_reparse=True)
options = {key: [option.value, option.where_defined] for key, option in config.get_config_options().items()}
print(json.dumps(options, default=str))
"""


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    """What Streamlit itself makes of the shipped file."""
    done = python(READ, home=tmp_path_factory.mktemp("home"))
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture(scope="module")
def options(read: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """Every option that Streamlit knows, as [value, where it is set]."""
    known: dict[str, Any] = json.loads(read.stdout)
    return known


def entries(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The file's settings as ("server.port", 8501) and so on."""
    for key, value in table.items():
        if isinstance(value, dict):
            yield from entries(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


@pytest.mark.parametrize("key", MATTERS)
def test_settings_that_matter_are_shipped(options: dict[str, Any], key: str) -> None:
    value, where = options[key]
    assert value == MATTERS[key]
    assert Path(where) == TOML  # not Streamlit's default, which may change


def test_streamlit_knows_every_setting_and_takes_its_value(options: dict[str, Any]) -> None:
    """A setting that Streamlit has dropped, renamed or converts to something else would do nothing."""
    shipped = dict(entries(tomllib.loads(TOML.read_text())))
    assert shipped.keys() <= options.keys()
    assert {key: options[key][0] for key in shipped} == shipped


def test_streamlit_has_nothing_to_say_about_the_settings(read: subprocess.CompletedProcess[str]) -> None:
    """No warning about an unknown, deprecated or contradictory option."""
    assert read.stderr == ""


def test_an_unknown_setting_would_be_seen(tmp_path: Path) -> None:
    """The test above can fail: Streamlit's warnings do come on standard error."""
    (tmp_path / ".streamlit").mkdir()
    (tmp_path / ".streamlit" / "config.toml").write_text("[server]\nadress = '127.0.0.1'\n")
    done = python(f"import os; os.chdir({str(tmp_path)!r})\n{READ}", home=tmp_path)
    assert '"server.adress" is not a valid config option' in done.stderr


# -- ways of starting --------------------------------------------------------------------------------------------------


def test_make_app_sets_what_must_stand_before_python_starts() -> None:
    recipes = [
        line for line in (ROOT / "Makefile").read_text().splitlines() if re.search(r"streamlit run|bortlab\.ui", line)
    ]
    assert len([line for line in recipes if line.startswith("\t")]) == 1
    assert {"OMP_WAIT_POLICY=PASSIVE", "MALLOC_ARENA_MAX=2"} <= set(recipes[-1].split())


SEEN_BY_TORCH = """
import os, runpy, sys

class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            print(os.environ.get("OMP_WAIT_POLICY"), flush=True)
            os._exit(0)

sys.meta_path.insert(0, Watch())
sys.path.insert(0, os.getcwd())
way, sys.argv = sys.argv[1], ["bortlab"]
runpy.run_path("app.py", run_name="__main__") if way == "app.py" else runpy.run_module(way, run_name="__main__")
"""


@pytest.mark.parametrize(
    "way",
    [
        "app.py",
        "bortlab.ui",
    ],
)
def test_waiting_threads_are_told_to_sleep_before_torch_is_there(way: str, tmp_path: Path) -> None:
    """OpenMP reads OMP_WAIT_POLICY once, when torch's library is loaded."""
    done = python(SEEN_BY_TORCH, way, home=tmp_path)
    assert done.stdout.strip() == "PASSIVE", done.stderr[-2000:]


# -- what warm_up settles ----------------------------------------------------------------------------------------------


WARM = """
import gc, json, sys
from bortlab.ui.startup import warm_up
warm_up()
import torch
from bortlab import registry
from bortlab.ui.startup import bundled
frozen, tracked = gc.get_freeze_count(), len(gc.get_objects())
warm_up()
print(json.dumps({
    "threads": torch.get_num_threads(), "automatic": gc.isenabled(), "frozen": frozen, "tracked": tracked,
    "frozen again": gc.get_freeze_count(), "plotly": "plotly.graph_objects" in sys.modules,
    "compiler": "torch._dynamo" in sys.modules,
    "loaded": [registry.load(key) is registry.load(key) for key in bundled()],
}))
"""


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A process after warm_up."""
    done = python(WARM, home=tmp_path_factory.mktemp("home"))
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_each_worker_computes_with_one_thread(warm: dict[str, Any]) -> None:
    assert warm["threads"] == 1


def test_what_never_dies_is_out_of_the_collectors_sight(warm: dict[str, Any]) -> None:
    """The modules and models: hundreds of thousands of objects, which each full collection would walk."""
    assert warm["automatic"]  # what pages leave behind is still collected
    assert warm["frozen"] > 200_000
    assert warm["tracked"] < warm["frozen"] / 20
    assert warm["frozen again"] == warm["frozen"]  # once a process


def test_slow_imports_and_models_are_there(warm: dict[str, Any]) -> None:
    assert warm["plotly"]
    assert all(warm["loaded"])


def test_torchs_compiler_is_not_imported_which_takes_seconds(warm: dict[str, Any]) -> None:
    assert not warm["compiler"]


# -- requirements ------------------------------------------------------------------------------------------------------


def requirements(name: str) -> list[Requirement]:
    """The file's requirements, comments left out."""
    lines = [line.split("#")[0].strip() for line in (ROOT / name).read_text().splitlines()]
    return [Requirement(line) for line in lines if line]


@pytest.mark.parametrize("requirement", requirements("requirements.txt"), ids=lambda r: r.name)
def test_what_is_installed_is_what_is_required(requirement: Requirement) -> None:
    """The tests that pass here pass with the versions that `make app` installs."""
    installed = version(requirement.name)
    assert requirement.specifier.contains(installed, prereleases=True), f"{requirement}, installed {installed}"


def test_torch_is_pinned_exactly() -> None:
    """The Makefile installs this very line first and alone; a range could bring gigabytes of CUDA."""
    line = next(line for line in (ROOT / "requirements.txt").read_text().splitlines() if line.startswith("torch"))
    assert re.match(r"torch==[0-9.]+\s", line)
