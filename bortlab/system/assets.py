"""Where the files that come with bortlab lie: beside the package in a checkout, inside it once it is installed."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
CHECKOUT = PACKAGE.parent
"""The folder that holds the package: the checkout, or site-packages."""
INSTALLED = (PACKAGE / "assets").is_dir()
"""Whether the files lie inside the package; looked at first, for site-packages may hold an `assets` of another's."""
ASSETS = PACKAGE / "assets" if INSTALLED else CHECKOUT / "assets"
CHECKPOINTS = ASSETS / "checkpoints"
"""The bundled checkpoints, one folder a key."""
LENSES = ASSETS / "lenses"
"""The tuned lenses of the bundled models, one folder a key."""
CORPUS = ASSETS / "corpus"
TASKS = ASSETS / "tasks"
"""The bundled tasks: labelled examples made from the corpus."""
JAVASCRIPT = ASSETS / "javascript"
NOTEBOOKS = ASSETS / "notebooks"
LESSONS = ASSETS / "lessons"
"""The bundled lessons, a file each."""
EXPERIMENTS = ASSETS / "experiments"
"""What experiments gave, with their commands and machines."""
LATENCY = ASSETS / "latency"
"""Latencies that were recorded on named machines."""
LAB = PACKAGE / "lab" if INSTALLED else CHECKOUT
"""The folder of `app.py`, `pages` and `.streamlit`, the lab's settings."""
APP = LAB / "app.py"
"""What Streamlit runs."""
