"""The wheel, installed and used from a folder that is not the checkout: the library and the lab with their assets."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

import bortlab
from bortlab.system import assets
from bortlab.ui.startup import minis
from tests.load.protocol import Run, Visitor, in_a_thread

ROOT = Path(__file__).resolve().parents[1]
PATIENCE_S = 120

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("wheel")]


def pip(*arguments: str) -> None:
    """pip without a network: what it needs is installed."""
    command = [sys.executable, "-m", "pip", "--quiet", "--no-input", "--disable-pip-version-check", *arguments]
    finished = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert finished.returncode == 0, finished.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", str(folder), str(ROOT))
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with nothing but the installed wheel; its dependencies are those of the tests."""
    folder = tmp_path_factory.mktemp("installed")
    pip("install", "--no-deps", "--no-index", "--target", str(folder), str(wheel))
    return folder


@pytest.fixture
def elsewhere(installed: Path, tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    """elsewhere(*command): Python in an empty folder, for a user with an empty home, with bortlab as installed."""

    def start(*command: str) -> subprocess.Popen[str]:
        clean = {key: value for key, value in os.environ.items() if not key.startswith(("STREAMLIT_", "BORTLAB_"))}
        own = {"PYTHONPATH": str(installed), "HOME": str(tmp_path), "USERPROFILE": str(tmp_path)}
        return subprocess.Popen(
            [sys.executable, *command],
            cwd=tmp_path,
            env=clean | own,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return start


def test_the_wheel_holds_every_tracked_file_of_the_program_and_nothing_else(wheel: Path) -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "bortlab", "assets", "pages", "app.py", ".streamlit"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    inside = {"assets": "bortlab/assets", "bortlab": "bortlab"}
    expected = {
        f"{inside.get(first, f'bortlab/lab/{first}')}{bar}{rest}"
        for first, bar, rest in (path.partition("/") for path in tracked)
    }
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert names == expected
    assert "bortlab/py.typed" in names


def test_the_wheel_says_what_it_is(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
    lines = archive.read(name).decode().splitlines()
    assert f"Version: {bortlab.__version__}" in lines
    assert {"Provides-Extra: lab", "Provides-Extra: onnx", "Provides-Extra: dev"} <= set(lines)
    assert {"License-File: LICENSE", "License-File: NOTICE"} <= set(lines)
    scripts = archive.read(name.replace("METADATA", "entry_points.txt")).decode()
    assert "bortlab = bortlab.cli:main" in scripts


def test_the_library_works_from_elsewhere(elsewhere: Callable[..., subprocess.Popen[str]], installed: Path) -> None:
    code = (
        "import bortlab, sys; from bortlab.system import assets\n"
        "print(bortlab.__file__); print(assets.APP)\n"
        "print(bortlab.load('albert-mini').fill_mask('Paris is the [MASK] of France.'))\n"
        "assert not {'streamlit', 'plotly', 'captum', 'bertviz'} & set(sys.modules)"
    )
    with elsewhere("-c", code) as process:
        output, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, output
    package, app, *answer = output.splitlines()
    assert Path(package) == installed / "bortlab" / "__init__.py"
    assert Path(app) == installed / "bortlab" / "lab" / "app.py"
    text = "Paris is the [MASK] of France."
    assert "\n".join(answer) == str(bortlab.load("albert-mini").fill_mask(text))


def test_the_command_is_installed(elsewhere: Callable[..., subprocess.Popen[str]], installed: Path) -> None:
    with elsewhere(str(installed / "bin" / "bortlab"), "predict", "A [MASK].", "--model", "bort-mini") as process:
        output, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, output
    assert output.startswith("bort-mini (Bort")


def test_the_lab_serves_a_page_from_elsewhere(
    elsewhere: Callable[..., subprocess.Popen[str]], installed: Path, tmp_path: Path
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with elsewhere("-m", "bortlab", "lab", "--server.port", str(port)) as process:
        try:
            assert page(port, "_stcore/health", process) == "ok"
            assert "<title>" in page(port, "predict", process)
            run = in_a_thread(first_visit(port))
            assert run.finished and not run.exceptions and len(run.charts) == len(minis()), run.alerts
            opened = Path(f"/proc/{process.pid}/cwd")
            assert not opened.exists() or opened.resolve() == installed / "bortlab" / "lab"
        finally:
            process.terminate()
            output, _ = process.communicate(timeout=30)
    assert "Traceback" not in output, output


async def first_visit(port: int) -> Run:
    """What a visitor of the Predict page gets, by Streamlit's own protocol."""
    async with Visitor(port) as visitor:
        return await visitor.visit("predict", limit_s=PATIENCE_S)


def page(port: int, path: str, process: subprocess.Popen[str]) -> str:
    """What the server answers, once it does."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            with urlopen(f"http://127.0.0.1:{port}/{path}", timeout=10) as answer:
                text: str = answer.read().decode()
                return text
        except (URLError, OSError):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.2)


def test_in_a_checkout_the_files_are_those_of_the_checkout() -> None:
    assert assets.APP == ROOT / "app.py" and assets.ASSETS == ROOT / "assets"
