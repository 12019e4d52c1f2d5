"""What a download would bring, for a person to agree to."""

from __future__ import annotations

import json
import shutil
import stat
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

from bortlab.checkpoint import MAX_CONFIG_BYTES, MAX_HEADER_BYTES, MAX_PARAMETERS, missing_library
from bortlab.hub.cache import SHARDS, TOKENIZER_FILES, needed_files, storage_of
from bortlab.hub.client import (
    ASK_S,
    gated,
    in_words,
    not_understood,
    open_session,
    own_token,
    refuse_status,
    request_headers,
)
from bortlab.hub.errors import HubError
from bortlab.hub.names import COMMIT, ETAG, check_names, endpoint
from bortlab.models import FAMILIES
from bortlab.system.numbers import data_size
from bortlab.system.settings import hub_cache_folder

MAX_WEIGHTS_BYTES = 4 * MAX_PARAMETERS
MAX_TOKENIZER_BYTES = 20 * 2**20
MAX_ANSWER_BYTES = 10_000_000
SPARE_BYTES = 50_000_000
"""What a download leaves free on the disk."""


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """A file of a repository: its name, its size in bytes and its etag.

    The etag names it in the cache and is its checksum: SHA-256 of a large file, git's SHA-1 of a small one.
    """

    name: str
    size: int
    etag: str


@dataclass(frozen=True, slots=True)
class DownloadPlan:
    """What `download` would get, for a person to agree to.

    requested: the revision as given, a branch, tag or commit; revision: the commit that it stands for. licence:
    as the repository states it, or "unknown". model_type: as its config.json says, where the hub knows. files: smallest
    first. missing_bytes: what is not in the cache yet. free_bytes: of the disk that the cache is on.
    """

    repo_id: str
    requested: str
    revision: str
    licence: str
    model_type: str | None
    files: tuple[PlannedFile, ...]
    missing_bytes: int
    free_bytes: int

    @property
    def total_bytes(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)


def plan(repo_id: str, *, revision: str | None = None) -> DownloadPlan:
    """Ask the hub what a repository holds: one request, nothing is downloaded.

    Raises HubError for a repository that is not there, is closed, is of no family that is known here, lacks files, is
    too large or does not fit on the disk, and where the hub does not answer as it should.
    """
    check_names(repo_id, revision)
    requested = revision or "main"
    with in_words(repo_id, ASK_S):
        about = _ask(repo_id, requested)
        commit = about.get("sha")
        if not (isinstance(commit, str) and COMMIT.fullmatch(commit)):
            raise not_understood(repo_id, "no commit")
        _refuse_gated(repo_id, about)
        config = about.get("config")
        model_type = config.get("model_type") if isinstance(config, dict) else None
        _refuse_family(repo_id, model_type)
        files = _files(repo_id, about.get("siblings"))
        storage = storage_of(repo_id)
        missing = sum(file.size for file in files if not _seems_here(storage, commit, file))
        return DownloadPlan(
            repo_id=repo_id,
            requested=requested,
            revision=commit,
            licence=_licence(about),
            model_type=model_type if isinstance(model_type, str) else None,
            files=files,
            missing_bytes=missing,
            free_bytes=check_room(repo_id, missing),
        )


def _ask(repo_id: str, revision: str) -> dict[str, Any]:
    """The hub's description of a repository at a revision, with the files' sizes and checksums."""
    address = f"{endpoint()}/api/models/{repo_id}/revision/{quote(revision, safe='')}"
    deadline, answer = time.monotonic() + 3 * ASK_S, bytearray()
    with open_session().stream(
        "GET", address, params={"blobs": "true"}, headers=request_headers(), timeout=ASK_S
    ) as response:
        refuse_status(response, repo_id, f"revision {revision!r}")
        for part in response.iter_bytes():
            answer += part
            if len(answer) > MAX_ANSWER_BYTES or time.monotonic() > deadline:
                raise not_understood(repo_id, "an answer that does not end")
    try:
        about = json.loads(answer)
    except (ValueError, RecursionError):
        about = None
    if not isinstance(about, dict):
        raise not_understood(repo_id, "no JSON object")
    return about


def _files(repo_id: str, siblings: object) -> tuple[PlannedFile, ...]:
    """The files to get, with what the hub says of each; HubError if some are absent, or larger than they may be."""
    files_by_name: dict[str, PlannedFile | None] = {}  # None: without size or checksum
    try:
        for entry in cast(list[dict[str, Any]], siblings):
            large = entry.get("lfs") or {}
            name, size = entry["rfilename"], large.get("size", entry.get("size"))
            etag = large.get("sha256") or entry.get("blobId")
            if isinstance(size, int) and size >= 0 and isinstance(etag, str) and ETAG.fullmatch(etag):
                files_by_name[name] = PlannedFile(name, size, etag)
            else:
                files_by_name[name] = None
        names = needed_files(files_by_name)
    except LookupError as error:
        raise HubError(f"{repo_id} has {error.args[0]}, so it cannot be loaded. Choose another repository.") from error
    except (TypeError, AttributeError):
        raise not_understood(repo_id, "no list of files") from None
    files = []
    for name in names:
        if reason := missing_library(name):
            raise HubError(f"{repo_id} has its weights in a file that cannot be read yet: {reason}")
        file, limit = files_by_name[name], _limit(name)
        if file is None:
            raise not_understood(repo_id, f"neither size nor checksum of {name}")
        if file.size > limit:
            raise HubError(
                f"{repo_id}: {name} has {file.size:,} bytes, expected at most {limit:,}. Choose another repository."
            )
        files.append(file)
    total = sum(file.size for file in files)
    if total > MAX_WEIGHTS_BYTES:
        raise HubError(
            f"{repo_id} has {total:,} bytes, expected at most {MAX_WEIGHTS_BYTES:,}. Choose a smaller model."
        )
    return tuple(sorted(files, key=lambda file: file.size))


def _limit(name: str) -> int:
    """Bytes that a file may have: what the readers accept."""
    if name == "config.json" or name in SHARDS:
        return MAX_CONFIG_BYTES if name == "config.json" else MAX_HEADER_BYTES
    return MAX_TOKENIZER_BYTES if name in TOKENIZER_FILES else MAX_WEIGHTS_BYTES


def _licence(about: dict[str, Any]) -> str:
    card, tags = about.get("cardData"), about.get("tags")
    licence = card.get("license") if isinstance(card, dict) else None
    if isinstance(licence, list):
        licence = ", ".join(map(str, licence))
    if not licence and isinstance(tags, list):
        licence = next((tag.removeprefix("license:") for tag in map(str, tags) if tag.startswith("license:")), None)
    return str(licence)[:100] if licence else "unknown"


def _refuse_gated(repo_id: str, about: dict[str, Any]) -> None:
    if about.get("gated") and own_token() is None:
        raise gated(repo_id, None)


def _refuse_family(repo_id: str, model_type: object) -> None:
    """Refuse what is surely of another family, before gigabytes of it are fetched."""
    known = dict.fromkeys(family.config.model_type for family in FAMILIES.values())
    if isinstance(model_type, str) and model_type not in (*known, *FAMILIES):
        raise HubError(
            f"{repo_id} is a {model_type[:50]!r} model. Known here: {', '.join(FAMILIES)}. Take one of those."
        )


def _seems_here(storage: Path, commit: str, file: PlannedFile) -> bool:
    """Whether a file of the right size is in the cache; `download` looks into it."""
    return any(has_size(path, file.size) for path in places_of(storage, commit, file))


def places_of(storage: Path, commit: str, file: PlannedFile) -> tuple[Path, Path]:
    """Where a file is in the cache: under its checksum, and under its name (there alone, where links are unknown)."""
    return storage / "blobs" / file.etag, storage / "snapshots" / commit / file.name


def has_size(path: Path, size: int) -> bool:
    try:
        about = path.stat()
    except OSError:
        return False
    return stat.S_ISREG(about.st_mode) and about.st_size == size


def check_room(repo_id: str, needed: int) -> int:
    """Free bytes of the disk that the cache is on; HubError if a download does not fit."""
    folder = hub_cache_folder()
    there = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(there).free
    if needed and needed + SPARE_BYTES > free:
        raise HubError(
            f"{repo_id} needs {data_size(needed)} on the disk, and {data_size(free)} are free at {folder}. "
            f"Make room there, or let HF_HUB_CACHE name a folder on another disk."
        )
    return free
