"""The shipped settings: Streamlit reads them as they are meant, and what the process settles at its start holds."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import bortlab

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
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("STREAMLIT_", "OMP_", "MALLOC_"))}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        env=clean | {"HOME": str(home), "USERPROFILE": str(home)} | environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


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
    process = python(READ, home=tmp_path_factory.mktemp("home"))
    assert process.returncode == 0, process.stderr
    return process


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
    process = python(f"import os; os.chdir({str(tmp_path)!r})\n{READ}", home=tmp_path)
    assert '"server.adress" is not a valid config option' in process.stderr


# -- ways of starting --------------------------------------------------------------------------------------------------


def test_make_app_is_bortlab_lab() -> None:
    recipe = (ROOT / "Makefile").read_text().partition("\napp:")[2].splitlines()[1]
    assert "-m bortlab lab --server.port $(PORT)" in recipe


SEEN_BY_TORCH = """
import os, runpy, sys

class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            names = ("OMP_WAIT_POLICY", "MALLOC_ARENA_MAX", "THP_MEM_ALLOC_ENABLE")
            print(*map(os.environ.get, names), flush=True)
            os._exit(0)

sys.meta_path.insert(0, Watch())
sys.path.insert(0, os.getcwd())
way, sys.argv = sys.argv[1], ["bortlab", "lab"]
runpy.run_path("app.py", run_name="__main__") if way == "app.py" else runpy.run_module(way, run_name="__main__")
"""


@pytest.mark.parametrize("way", ["app.py", "bortlab"])
def test_waiting_threads_are_told_to_sleep_before_torch_is_there(way: str, tmp_path: Path) -> None:
    """OpenMP reads OMP_WAIT_POLICY once, when torch's library is loaded; and torch that it may use huge pages."""
    process = python(SEEN_BY_TORCH, way, home=tmp_path)
    waiting, _, huge_pages = process.stdout.split() or [process.stderr[-2000:]] * 3
    assert waiting == "PASSIVE" and huge_pages == "1"


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's heaps")
@pytest.mark.parametrize(("own", "kept"), [({}, "2"), ({"MALLOC_ARENA_MAX": "7"}, "7")])
def test_the_lab_runs_with_few_heaps(own: dict[str, str], kept: str, tmp_path: Path) -> None:
    """glibc reads MALLOC_ARENA_MAX when a process starts, so the command starts itself again with it, once."""
    process = python(
        f"import sys\nopen(sys.argv[2], 'a').write('x')\n{SEEN_BY_TORCH}",
        "bortlab",
        str(tmp_path / "starts"),
        home=tmp_path,
        **own,
    )
    assert process.stdout.split()[1] == kept, process.stderr[-2000:]
    assert (tmp_path / "starts").read_text() == ("x" if own else "xx")


# -- what warm_up settles ----------------------------------------------------------------------------------------------


WARM = """
import gc, json, sys
from bortlab.ui.startup import warm_up
early = sorted({"torch", "pandas", "captum"} & sys.modules.keys())
warm_up()
import torch
from bortlab import registry
from bortlab.ui.startup import minis
frozen, tracked = gc.get_freeze_count(), len(gc.get_objects())
warm_up()
print(json.dumps({
    "threads": torch.get_num_threads(), "automatic": gc.isenabled(), "frozen": frozen, "tracked": tracked,
    "frozen again": gc.get_freeze_count(), "plotly": "plotly.graph_objects" in sys.modules,
    "compiler": "torch._dynamo" in sys.modules, "early": early, "captum": "captum.attr" in sys.modules,
    "loaded": [registry.load(key) is registry.load(key) for key in minis()],
}))
"""


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A process after warm_up."""
    process = python(WARM, home=tmp_path_factory.mktemp("home"))
    assert process.returncode == 0, process.stderr
    facts: dict[str, Any] = json.loads(process.stdout.splitlines()[-1])
    return facts


def test_each_worker_computes_with_one_thread(warm: dict[str, Any]) -> None:
    assert warm["threads"] == 1


def test_what_never_dies_is_out_of_the_collectors_sight(warm: dict[str, Any]) -> None:
    """The modules and models: hundreds of thousands of objects, which each full collection would walk."""
    assert warm["automatic"]  # what pages leave behind is still collected
    assert warm["frozen"] > 200_000
    assert warm["tracked"] < warm["frozen"] / 20
    assert warm["frozen again"] == warm["frozen"]  # once a process


def test_the_frame_of_the_lab_needs_no_slow_import(warm: dict[str, Any]) -> None:
    assert warm["early"] == []


def test_slow_imports_and_models_are_there(warm: dict[str, Any]) -> None:
    assert warm["plotly"]
    assert warm["captum"]
    assert all(warm["loaded"])


def test_torchs_compiler_is_not_imported_which_takes_seconds(warm: dict[str, Any]) -> None:
    assert not warm["compiler"]


# -- requirements ------------------------------------------------------------------------------------------------------


def pins(*names: str) -> dict[str, Requirement]:
    """What these files install, by canonical name, comments left out."""
    lines = [line.split("#")[0].strip() for name in names for line in (ROOT / name).read_text().splitlines()]
    return by_name(filter(None, lines))


def by_name(lines: Iterable[str]) -> dict[str, Requirement]:
    """Requirements by canonical name, but for those that their markers leave out on this machine."""
    requirements = map(Requirement, lines)
    return {canonicalize_name(r.name): r for r in requirements if r.marker is None or r.marker.evaluate()}


PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
APP = pins("requirements.txt")
ALL = pins("requirements.txt", "tests/requirements.txt")
INSTALLED = ALL | pins("tests/models.txt")


@pytest.mark.parametrize("pin", INSTALLED.values(), ids=INSTALLED)
def test_what_is_installed_is_what_is_required(pin: Requirement) -> None:
    """The tests that pass here pass with the versions that `make app` and `make test` install."""
    installed = version(pin.name)
    assert pin.specifier.contains(installed, prereleases=True), f"{pin}, installed {installed}"


@pytest.mark.parametrize(
    ("ranges", "pinned"),
    [
        ([*PROJECT["dependencies"], *EXTRAS["lab"]], APP),
        ([text for extra in EXTRAS.values() for text in extra], ALL),
    ],
    ids=["make app", "make test"],
)
def test_the_projects_ranges_and_the_pins_name_the_same_packages(
    ranges: list[str], pinned: dict[str, Requirement]
) -> None:
    """And what is installed, by these pins, lies in the range: pyproject.toml and requirements cannot drift."""
    needed = by_name(ranges)
    if pinned is ALL:
        needed |= by_name(PROJECT["dependencies"])
    assert needed.keys() == pinned.keys()
    for requirement in needed.values():
        assert requirement.specifier.contains(version(requirement.name)), requirement


def test_torch_is_pinned_exactly_where_it_is_installed_and_a_range_for_users() -> None:
    """The Makefile installs this very line first and alone; a range could bring gigabytes of CUDA."""
    line = next(line for line in (ROOT / "requirements.txt").read_text().splitlines() if line.startswith("torch"))
    assert re.match(r"torch==[0-9.]+\s", line)
    (torch,) = [text for text in PROJECT["dependencies"] if text.startswith("torch")]
    assert "==" not in torch


def test_the_library_does_not_ask_for_the_lab() -> None:
    """`pip install bortlab` brings no Streamlit, no plotting and nothing that only one page uses."""
    assert not {Requirement(text).name for text in PROJECT["dependencies"]} & {
        Requirement(text).name for extra in EXTRAS.values() for text in extra
    }


def test_the_version_has_one_source() -> None:
    assert PROJECT["dynamic"] == ["version"] and "version" not in PROJECT
    assert re.fullmatch(r"\d+\.\d+\.\d+", bortlab.__version__)
    assert f"## [{bortlab.__version__}]" in (ROOT / "CHANGELOG.md").read_text()
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == bortlab.__version__


# -- tools -------------------------------------------------------------------------------------------------------------


def test_pre_commit_runs_what_make_lint_runs() -> None:
    recipe = (ROOT / "Makefile").read_text().partition("\nlint:")[2].split("\n\n")[0]
    lint = [line.strip().removeprefix("$(BIN)/") for line in recipe.splitlines()[1:]]
    (local,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert local["repo"] == "local"
    assert [hook["entry"] for hook in local["hooks"]] == [f".venv/bin/{command}" for command in lint]
    assert all(hook["language"] == "system" and hook["pass_filenames"] is False for hook in local["hooks"])
