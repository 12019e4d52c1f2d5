"""A network as a folder in Hugging Face layout."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from bortlab.checkpoint.config import _DROPPED_KEYS, FAMILY_KEY
from bortlab.checkpoint.files import CheckpointError
from bortlab.checkpoint.loading import _TWO_OUTPUTS, WORDS
from bortlab.checkpoint.names import published_names
from bortlab.models import DEFAULT_LABELS, TASKS, Config, Family, Network
from bortlab.system.store import whole_folder
from bortlab.text import Tokenizer


def config_document(family: Family, config: Config, task: str) -> dict[str, Any]:
    """What config.json says of a network that was built for a task; its weights' type is for others to add."""
    if task in _TWO_OUTPUTS and len(config.labels) != len(DEFAULT_LABELS):
        config = replace(config, labels=DEFAULT_LABELS)
    data = {key: value for key, value in config.to_dict().items() if not _DROPPED_KEYS.fullmatch(key)} | {
        "architectures": [family.architecture.removesuffix(TASKS["masked-lm"]) + TASKS[task]],
    }
    return data | ({FAMILY_KEY: family.name} if family.name != config.model_type else {})


def save(
    folder: Path,
    family: Family,
    config: Config,
    network: Network,
    tokenizer: Tokenizer | None = None,
    *,
    dtype: torch.dtype | None = None,
) -> None:
    """Write config.json, model.safetensors and the tokenizer's files, so that transformers reads them back.

    Tied copies are left out, but for the bias beside a decoder of its own, where transformers looks for it. dtype is
    the network's own by default. Files are written beside the folder, made
    durable and then moved: a new folder appears at once and whole, in an old one each file is either old or new.
    Raises CheckpointError if the folder cannot be written.
    """
    folder = folder.resolve()
    names = published_names(family, network)
    if network.task == "encoder":
        names = {ours: name.removeprefix(family.prefix) for ours, name in names.items()}
    tensors = {
        names[ours]: tensor.detach().to("cpu", dtype or tensor.dtype).contiguous()
        for ours, tensor in network.state_dict().items()
    }
    if network.masked_lm is not None and network.masked_lm.own_decoder is not None:
        copies = {copy: names[ours] for copy, ours in family.tied.items() if ours in names and ours != WORDS}
        tensors |= {copy: tensors[name].clone() for copy, name in copies.items()}
    data = config_document(family, config, network.task)
    data["dtype"] = str(next(iter(tensors.values())).dtype).removeprefix("torch.")
    try:
        with whole_folder(folder, last="model.safetensors") as partial:
            (partial / "config.json").write_text(json.dumps(data, indent=2, sort_keys=True) + "\n", encoding="utf-8")
            save_file(tensors, partial / "model.safetensors", metadata={"format": "pt"})
            # safetensors makes its file private to its owner: give it the access that every other file has.
            (partial / "model.safetensors").chmod((partial / "config.json").stat().st_mode)
            if tokenizer is not None:
                tokenizer.save(partial)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"Cannot write {folder}: {error}.") from error
