"""An exported folder, run as somebody would who has neither torch nor bortlab."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def run_apart(folder: Path, *arguments: str) -> list[str]:
    """The lines that a folder's run.py prints where neither torch nor bortlab can be imported."""
    blocked = folder.parent / "blocked"
    for package in ("torch", "transformers", "bortlab"):
        (blocked / package).mkdir(parents=True, exist_ok=True)
        (blocked / package / "__init__.py").write_text(f"raise ImportError('{package} is not to be imported')")
    environment = os.environ | {"PYTHONPATH": str(blocked)}
    command = [sys.executable, str(folder / "run.py"), *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()
