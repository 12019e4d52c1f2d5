"""Where the files that come with bortlab lie: beside the package in a checkout, inside it once it is installed."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
CHECKOUT = PACKAGE.parent
"""The folder that holds the package: the checkout, or site-packages."""
ASSETS = next(folder for folder in (CHECKOUT / "assets", PACKAGE / "assets") if folder.is_dir())
CHECKPOINTS = ASSETS / "checkpoints"
"""The bundled checkpoints, one folder a key."""
CORPUS = ASSETS / "corpus"
JAVASCRIPT = ASSETS / "javascript"
LATENCY = ASSETS / "latency"
"""Latencies that were recorded on named machines."""
