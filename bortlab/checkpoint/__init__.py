"""Checkpoint folders in Hugging Face layout: read with suspicion, load strictly, save.

A folder may come from anywhere, so nothing in it is trusted: only regular files inside it are opened, sizes are checked
before anything is built or read, no key of config.json and no pickle can run code, and whatever is wrong ends in a
`CheckpointError` that says what. Weights are read into memory of our own: a file that changes later changes nothing.
"""

from bortlab.checkpoint.config import read_config
from bortlab.checkpoint.files import MAX_CONFIG_BYTES, CheckpointError
from bortlab.checkpoint.loading import MAX_PARAMETERS, Loaded, check_weights, load_network, meta_network, own_heads
from bortlab.checkpoint.names import published_names
from bortlab.checkpoint.opening import SHARDED, WEIGHTS, index_of, missing_library
from bortlab.checkpoint.saving import config_document, save
from bortlab.checkpoint.weights import MAX_HEADER_BYTES

__all__ = [
    "MAX_CONFIG_BYTES",
    "MAX_HEADER_BYTES",
    "MAX_PARAMETERS",
    "SHARDED",
    "WEIGHTS",
    "CheckpointError",
    "Loaded",
    "check_weights",
    "config_document",
    "index_of",
    "load_network",
    "meta_network",
    "missing_library",
    "own_heads",
    "published_names",
    "read_config",
    "save",
]
