"""The cache that the Hugging Face libraries share: what is in it, and what was left unfinished."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from pathlib import Path

from bortlab.checkpoint import MAX_HEADER_BYTES, SHARDED, WEIGHTS, index_of
from bortlab.hub.names import COMMIT, check_names
from bortlab.system.settings import hub_cache_folder

SHARDS = {  # by the index that lists them
    index_of(whole): re.compile(rf"{Path(whole).stem}[\w.-]*\{Path(whole).suffix}", re.ASCII) for whole in SHARDED
}
_TOKENIZERS = (("tokenizer.json",), ("vocab.txt",), ("vocab.json", "merges.txt"), ("spiece.model",))
TOKENIZER_FILES = ("special_tokens_map.json", "tokenizer_config.json", *(n for names in _TOKENIZERS for n in names))
_LEGACY_OWNERS = ("albert", "google-bert")  # their repositories had no owner once, and are cached under that name


def storage_of(repo_id: str) -> Path:
    return hub_cache_folder() / f"models--{repo_id.replace('/', '--')}"


def lock_path(storage: Path, name: str) -> Path:
    """Where huggingface_hub keeps the lock of a file."""
    return storage.parent / ".locks" / storage.name / f"{name}.lock"


def cached(repo_id: str, revision: str | None = None) -> Path | None:
    """The folder of a repository's files in the cache, if all that a model needs is there. Never asks the network.

    revision: a commit, or a branch or tag as it was when it was downloaded; "main" by default.
    """
    check_names(repo_id, revision)
    owner, _, name = repo_id.partition("/")
    for known_as in (repo_id, *([name] if owner in _LEGACY_OWNERS and name else [])):
        storage = storage_of(known_as)
        commit = commit_of(storage, revision or "main")
        if commit is not None and _is_complete(storage / "snapshots" / commit):
            return storage / "snapshots" / commit
    return None


def commit_of(storage: Path, revision: str) -> str | None:
    if COMMIT.fullmatch(revision):
        return revision
    try:
        with (storage / "refs" / revision).open("rb") as file:
            commit = file.read(100).decode("ascii").strip()
    except (OSError, ValueError):
        return None
    return commit if COMMIT.fullmatch(commit) else None


def _is_complete(snapshot: Path) -> bool:
    """Whether a folder holds configuration, tokenizer and weights. Links that lead nowhere do not count."""
    try:
        names = {path.name for path in snapshot.iterdir() if path.is_file()}
        chosen = needed_files(names)
        index = next((name for name in chosen if name in SHARDS), None)
        if index is None:
            return True
        with (snapshot / index).open("rb") as file:
            listed = json.loads(file.read(MAX_HEADER_BYTES))["weight_map"].values()
        return names.issuperset(listed)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return False


def needed_files(names: Collection[str]) -> tuple[str, ...]:
    """Of the files of a repository those that a model needs, weights last; LookupError, in words, if it lacks some.

    Weights as `checkpoint` reads them: the first of WEIGHTS that is there, whole before in shards.
    """
    if "config.json" not in names:
        raise LookupError("no config.json")
    if not any(all(name in names for name in files) for files in _TOKENIZERS):
        raise LookupError("no tokenizer (tokenizer.json, vocab.txt, vocab.json + merges.txt or spiece.model)")
    for whole in WEIGHTS:
        index = index_of(whole)
        shards = sorted(name for name in names if SHARDS[index].fullmatch(name)) if whole in SHARDED else []
        if whole in names:
            weights = [whole]
            break
        if index in names and shards:
            weights = [index, *shards]
            break
    else:
        raise LookupError(f"no weights in files that are read here ({', '.join(WEIGHTS)}; shards of the first two)")
    return ("config.json", *(name for name in TOKENIZER_FILES if name in names), *weights)
