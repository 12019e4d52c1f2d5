"""Models that were adapted on this machine: Hugging Face folders in the user's cache, which `load` knows by key."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bortlab.system.settings import cache_folder

ADAPTED = "adapted"
"""`Model.source` of such a model."""
LARGEST_CARD = 1_000_000
_KEY = re.compile(r"[a-z0-9][a-z0-9.-]{0,120}")


def adapted_folder(key: str) -> Path:
    """Where the model of a key lies, if there is one."""
    return cache_folder() / "adapted" / key


def is_adapted(key: object) -> bool:
    """Is this the key of a model that was adapted here?"""
    return isinstance(key, str) and bool(_KEY.fullmatch(key)) and (adapted_folder(key) / "config.json").is_file()


def adapted_keys() -> list[str]:
    """The keys of all of them, the latest first."""
    try:
        folders = [path for path in (cache_folder() / "adapted").iterdir() if is_adapted(path.name)]
    except OSError:
        return []
    return [path.name for path in sorted(folders, key=lambda path: -path.stat().st_mtime)]


def adapted_card(key: str) -> Mapping[str, Any]:
    """What is known of how it was made; empty where that cannot be read."""
    try:
        with (adapted_folder(key) / "card.json").open("rb") as file:
            card = json.loads(file.read(LARGEST_CARD))
    except (OSError, ValueError):
        return {}
    return card if isinstance(card, dict) else {}


def remove_adapted(key: str) -> None:
    """Delete the model of a key, if there is one."""
    if is_adapted(key):
        shutil.rmtree(adapted_folder(key), ignore_errors=True)
