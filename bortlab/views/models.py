"""Sizes, times and places of models, in words."""

from __future__ import annotations

from collections.abc import Mapping

SOURCES: Mapping[str, str] = {"bundled": "came with the lab", "hub": "Hugging Face", "folder": "a folder here"}
"""Where a loaded model is from; anything else says itself."""


def size(n_bytes: float) -> str:
    """Bytes as a person reads them: 12.3 MB, 1.34 GB."""
    if n_bytes >= 1e9:
        return f"{n_bytes / 1e9:.2f} GB"
    if n_bytes >= 1e6:
        return f"{n_bytes / 1e6:.1f} MB"
    return f"{n_bytes / 1e3:.1f} kB"


def ago(seconds: float) -> str:
    """How long ago: just now, 40 s ago, 12 min ago, 3 h ago, 2 d ago."""
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length:.0f} {unit} ago"
    return f"{seconds:.0f} s ago" if seconds >= 5 else "just now"
