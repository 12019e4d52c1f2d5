"""Sizes, times and places of models, in words."""

from __future__ import annotations

from collections.abc import Mapping

SOURCES: Mapping[str, str] = {
    "bundled": "came with the lab",
    "hub": "Hugging Face",
    "folder": "a folder here",
    "adapted": "adapted in this lab",
}
"""Where a loaded model is from; anything else says itself."""
