"""The contracts where none of the extras is installed: `python -m tests.without_extras [arguments of pytest]`.

A virtual environment of its own has links to all that is installed here but the packages that extras name. Engines and
files that need one have to say so, with the line that installs it, and nothing else may ask for it.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import tempfile
import tomllib
import venv
from importlib.metadata import packages_distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
NEEDED = ("lab", "dev")
"""Extras that the lab and its tests are not without."""
TESTS = ("tests/contract", "tests/runtimes", "tests/checkpoint/test_old_files.py")


def extras() -> set[str]:
    """The names of the packages that the other extras ask for."""
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    asked = {name for extra, packages in listed.items() if extra not in NEEDED for name in map(_name, packages)}
    return asked - {name for extra in NEEDED for name in map(_name, listed[extra])}


def modules_of(packages: set[str]) -> set[str]:
    """What these packages alone let one import."""
    installed = packages_distributions().items()
    return {module for module, names in installed if {canonicalize_name(name) for name in names} <= packages}


def environment(folder: Path, without: set[str]) -> Path:
    """Make an environment in which these modules are missing; its Python."""
    venv.create(folder, symlinks=True)
    inside = Path(sysconfig.get_path("purelib", "venv", {"base": str(folder)}))
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        if entry.name.partition(".")[0] not in without and not (inside / entry.name).exists():
            (inside / entry.name).symlink_to(entry)
    return Path(sysconfig.get_path("scripts", "venv", {"base": str(folder)})) / "python"


def main() -> int:
    """Run the tests there."""
    without = modules_of(extras())
    with tempfile.TemporaryDirectory() as folder:
        python = environment(Path(folder), without)
        look = f"import importlib.util as u; print(*[name for name in {sorted(without)} if u.find_spec(name)])"
        found = subprocess.run([python, "-c", look], capture_output=True, text=True, check=True).stdout.split()
        if not without or found:
            sys.exit(f"Expected an environment without {', '.join(sorted(without)) or 'extras'}, found {found} in it.")
        command = [python, "-m", "pytest", "-n", "auto", "--dist", "loadfile", "-p", "no:cacheprovider"]
        return subprocess.run([*command, *(sys.argv[1:] or TESTS)], cwd=ROOT, check=False).returncode


def _name(requirement: str) -> str:
    return canonicalize_name(Requirement(requirement).name)


if __name__ == "__main__":
    sys.exit(main())
