"""config.json: which family, and which sizes."""

from __future__ import annotations

import re
from pathlib import Path

from bortlab.checkpoint.files import MAX_CONFIG_BYTES, CheckpointError, read_json
from bortlab.models import FAMILIES, Config, ConfigError, Family

_DROPPED_KEYS = re.compile(
    r"auto_map|custom_pipelines|quantization_config|transformers_weights|.*implementation.*"  # may choose or run code
    r"|torch_dtype|dtype"  # say what one file was like, not what the model is
)
_FIXED_KEYS = {"is_decoder": False, "add_cross_attention": False, "position_embedding_type": "absolute"}
FAMILY_KEY = "bortlab_family"


def read_config(folder: Path, family: str | None = None) -> tuple[Family, Config]:
    """Read folder/config.json: the family by its model_type, or the one named where the file cannot tell.

    A published Bort says model_type "bert": pass family="bort" for it. Keys that could choose or run code are dropped.
    Raises CheckpointError for a file that is unreadable, of an unknown or another family, or absurd in its sizes.
    """
    data = read_json(folder, "config.json", MAX_CONFIG_BYTES)
    where = folder / "config.json"
    marked, model_type = data.pop(FAMILY_KEY, None), data.get("model_type")
    known = ", ".join(FAMILIES)
    if family is not None and family not in FAMILIES:
        raise CheckpointError(f"Unknown family {family!r}. Known: {known}.")
    name = family or marked or model_type
    match = FAMILIES.get(name) if isinstance(name, str) else None
    if match is None:
        raise CheckpointError(f"{where}: unknown model_type {model_type!r}. Known: {known}; or say family=...")
    if model_type not in (None, match.name, match.config.model_type) or marked not in (None, match.name):
        raise CheckpointError(
            f"{where} is of family {marked or model_type!r}, not {match.name!r}. Leave family out, or name that one."
        )
    for key, value in _FIXED_KEYS.items():
        if data.get(key) not in (None, value):
            raise CheckpointError(f"{where}: {key} is {data[key]!r}; only {value!r} is supported.")
    safe = {key: value for key, value in data.items() if not _DROPPED_KEYS.fullmatch(key)}
    try:
        return match, match.config.from_dict(safe)
    except ConfigError as error:
        raise CheckpointError(f"{where}: {error}") from error
