"""Published checkpoints of the Hugging Face hub: what a download would bring, the download, and what is here already.

`plan` asks the hub one question and answers with names, sizes and licence, so that a person can say yes or no;
`download` gets exactly that into the cache that all Hugging Face libraries share; `cached` finds it there again without
a network. Every byte is checked against what the plan promised before it gets its name in the cache, so a file there is
whole or absent, whatever ends the program. What goes wrong is a `HubError` that says what to do.

Of huggingface_hub this uses the HTTP client (with a site's proxies and certificates), the locks and the layout of the
cache. Its downloader is not used: it cannot be stopped while a server hangs, and it checks sizes, not contents. Its
`HfApi` is not used either: before its first question it fetches a list of programs from the hub to name its caller.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import shutil
import stat
import threading
import time
import uuid
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

from bortlab.checkpoint import MAX_CONFIG_BYTES, MAX_HEADER_BYTES, MAX_PARAMETERS
from bortlab.models import FAMILIES

if TYPE_CHECKING:
    import httpx2

ENDPOINT = "https://huggingface.co"
"""The hub, unless HF_ENDPOINT names another one."""
TOKEN_VARIABLE = "BORTLAB_HF_TOKEN"
"""The one place a token is taken from. One that is lying about, HF_TOKEN or a login, is never sent."""
MAX_WEIGHTS_BYTES = 4 * MAX_PARAMETERS
MAX_TOKENIZER_BYTES = 20 * 2**20
MAX_ANSWER_BYTES = 10_000_000
ASK_S = 5.0
"""Seconds that the hub may take to connect, and between two parts of its answer to `plan`."""
READ_S = 10.0
"""Seconds between two parts of a file."""
RETRIES = 5
"""How often a cut connection is taken up again within one file; each try must have brought something."""
POLL_S = 0.1
ORPHAN_S = 86_400.0
"""Age at which an unfinished file, left by a program that was killed, is removed."""
SPARE_BYTES = 50_000_000
"""What a download leaves free on the disk."""

_COMMIT = re.compile(r"[0-9a-f]{40}")
_ETAG = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")  # of git's blob, or of the content
_REVISION = re.compile(r"\w[\w.-]*(/\w[\w.-]*)*", re.ASCII)
_SHARDS = {  # by the index that lists them
    "model.safetensors.index.json": re.compile(r"model[\w.-]*\.safetensors", re.ASCII),
    "pytorch_model.bin.index.json": re.compile(r"pytorch_model[\w.-]*\.bin", re.ASCII),
}
_TOKENIZERS = (("tokenizer.json",), ("vocab.txt",), ("vocab.json", "merges.txt"), ("spiece.model",))
_TOKENIZER_FILES = ("special_tokens_map.json", "tokenizer_config.json", *(n for names in _TOKENIZERS for n in names))
_LEGACY_OWNERS = ("albert", "google-bert")  # their repositories had no owner once, and are cached under that name
_TRUE = ("1", "ON", "YES", "TRUE")


class HubError(RuntimeError):
    """Why a checkpoint could not be had from the hub, in a sentence; status and retry_after (seconds) if it said so."""

    def __init__(self, message: str, *, status: int | None = None, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status, self.retry_after = status, retry_after


class RepositoryNameError(HubError, ValueError):
    """A text that is no name of a repository, or of a revision."""


class CancelledError(HubError):
    """A download that was stopped because `cancelled` said so."""


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

    requested: the revision that was asked for, a branch, tag or commit; revision: the commit that it is now. licence:
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


# -- names and places --------------------------------------------------------------------------------------------------


def check_names(repo_id: str, revision: str | None = None) -> None:
    """RepositoryNameError unless these can be a repository, as in "albert/albert-base-v2", and one of its revisions."""
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    try:
        validate_repo_id(repo_id or "")  # it lets None pass
    except HFValidationError:
        raise RepositoryNameError(
            f"{str(repo_id)[:200]!r} is not the name of a repository. Expected owner/name in letters, digits, '-', '_' "
            f"and '.', such as 'albert/albert-base-v2'; not an address, and no path."
        ) from None
    if revision is None:
        return
    told = str(revision)  # it may come from a link, as anything
    if len(told) > 200 or ".." in told or told.endswith(".lock") or not _REVISION.fullmatch(told):
        raise RepositoryNameError(
            f"{told[:200]!r} is not the name of a revision. Expected a branch, a tag or a commit such as 'main'."
        )


def cache_folder() -> Path:
    """The cache that all Hugging Face libraries share, by the variables that they read."""

    def told(variable: str) -> str | None:
        value = os.environ.get(variable)
        return os.path.expandvars(os.path.expanduser(value)) if value else None

    home = told("HF_HOME") or os.path.join(told("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "huggingface")
    return Path(told("HF_HUB_CACHE") or told("HUGGINGFACE_HUB_CACHE") or os.path.join(home, "hub")).absolute()


def endpoint() -> str:
    """Address of the hub: HF_ENDPOINT, read now."""
    found = (os.environ.get("HF_ENDPOINT") or ENDPOINT).rstrip("/")
    if not re.match(r"https?://[^/\s]", found):
        raise HubError(f"HF_ENDPOINT is {found!r}. Expected an address such as {ENDPOINT}; correct it, or unset it.")
    return found


def _storage(repo_id: str) -> Path:
    return cache_folder() / f"models--{repo_id.replace('/', '--')}"


def _lock_path(storage: Path, name: str) -> Path:
    """Where huggingface_hub keeps the lock of a file."""
    return storage.parent / ".locks" / storage.name / f"{name}.lock"


# -- what is here ------------------------------------------------------------------------------------------------------


def cached(repo_id: str, revision: str | None = None) -> Path | None:
    """The folder of a repository's files in the cache, if all that a model needs is there. Never asks the network.

    revision: a commit, or a branch or tag as it was when it was downloaded; "main" unless told.
    """
    check_names(repo_id, revision)
    owner, _, name = repo_id.partition("/")
    for known_as in (repo_id, *([name] if owner in _LEGACY_OWNERS and name else [])):
        storage = _storage(known_as)
        commit = _commit_of(storage, revision or "main")
        if commit is not None and _is_complete(storage / "snapshots" / commit):
            return storage / "snapshots" / commit
    return None


def _commit_of(storage: Path, revision: str) -> str | None:
    if _COMMIT.fullmatch(revision):
        return revision
    try:
        with (storage / "refs" / revision).open("rb") as file:
            commit = file.read(100).decode("ascii").strip()
    except (OSError, ValueError):
        return None
    return commit if _COMMIT.fullmatch(commit) else None


def _is_complete(snapshot: Path) -> bool:
    """Whether a folder holds configuration, tokenizer and weights. Links that lead nowhere do not count."""
    try:
        names = {path.name for path in snapshot.iterdir() if path.is_file()}
        chosen = _needed(names)
        index = next((name for name in chosen if name in _SHARDS), None)
        if index is None:
            return True
        with (snapshot / index).open("rb") as file:
            listed = json.loads(file.read(MAX_HEADER_BYTES))["weight_map"].values()
        return names.issuperset(listed)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return False


def _needed(names: Collection[str]) -> tuple[str, ...]:
    """Of the files of a repository those that a model needs, weights last; LookupError, in words, if it lacks some.

    Weights as `checkpoint` reads them: one safetensors file before several before a pickle.
    """
    if "config.json" not in names:
        raise LookupError("no config.json")
    if not any(all(name in names for name in files) for files in _TOKENIZERS):
        raise LookupError("no tokenizer (tokenizer.json, vocab.txt, vocab.json + merges.txt or spiece.model)")
    for index, pattern in _SHARDS.items():
        whole, shards = index.removesuffix(".index.json"), sorted(name for name in names if pattern.fullmatch(name))
        if whole in names:
            weights = [whole]
            break
        if index in names and shards:
            weights = [index, *shards]
            break
    else:
        raise LookupError("no weights in files that are read here (model.safetensors or pytorch_model.bin, or shards)")
    return ("config.json", *(name for name in _TOKENIZER_FILES if name in names), *weights)


# -- what a download would bring ---------------------------------------------------------------------------------------


def plan(repo_id: str, *, revision: str | None = None) -> DownloadPlan:
    """Ask the hub what a repository holds: one request, nothing is downloaded.

    Raises HubError for a repository that is not there, is closed, is of no family that is known here, lacks files, is
    too large or does not fit on the disk, and where the hub does not answer as it should.
    """
    check_names(repo_id, revision)
    requested = revision or "main"
    with _in_words(repo_id, ASK_S):
        about = _ask(repo_id, requested)
        commit = about.get("sha")
        if not (isinstance(commit, str) and _COMMIT.fullmatch(commit)):
            raise _not_understood(repo_id, "no commit")
        _refuse_gated(repo_id, about)
        told = about.get("config")
        model_type = told.get("model_type") if isinstance(told, dict) else None
        _refuse_family(repo_id, model_type)
        files = _files(repo_id, about.get("siblings"))
        storage = _storage(repo_id)
        missing = sum(file.size for file in files if not _seems_here(storage, commit, file))
        return DownloadPlan(
            repo_id=repo_id,
            requested=requested,
            revision=commit,
            licence=_licence(about),
            model_type=model_type if isinstance(model_type, str) else None,
            files=files,
            missing_bytes=missing,
            free_bytes=_room(repo_id, missing),
        )


def _ask(repo_id: str, revision: str) -> dict[str, Any]:
    """The hub's description of a repository at a revision, with the files' sizes and checksums."""
    address = f"{endpoint()}/api/models/{repo_id}/revision/{quote(revision, safe='')}"
    deadline, answer = time.monotonic() + 3 * ASK_S, bytearray()
    with _session().stream("GET", address, params={"blobs": "true"}, headers=_headers(), timeout=ASK_S) as response:
        _refuse_status(response, repo_id, f"revision {revision!r}")
        for part in response.iter_bytes():
            answer += part
            if len(answer) > MAX_ANSWER_BYTES or time.monotonic() > deadline:
                raise _not_understood(repo_id, "an answer that does not end")
    try:
        about = json.loads(answer)
    except (ValueError, RecursionError):
        about = None
    if not isinstance(about, dict):
        raise _not_understood(repo_id, "no JSON object")
    return about


def _files(repo_id: str, siblings: object) -> tuple[PlannedFile, ...]:
    """The files to get, with what the hub says of each; HubError if some are absent, or larger than they may be."""
    found: dict[str, PlannedFile | None] = {}  # None: without size or checksum
    try:
        for entry in cast(list[dict[str, Any]], siblings):
            large = entry.get("lfs") or {}
            name, size = entry["rfilename"], large.get("size", entry.get("size"))
            etag = large.get("sha256") or entry.get("blobId")
            if isinstance(size, int) and size >= 0 and isinstance(etag, str) and _ETAG.fullmatch(etag):
                found[name] = PlannedFile(name, size, etag)
            else:
                found[name] = None
        names = _needed(found)
    except LookupError as error:
        raise HubError(f"{repo_id} has {error.args[0]}, so no model can be made of it. Take another one.") from error
    except (TypeError, AttributeError):
        raise _not_understood(repo_id, "no list of files") from None
    files = []
    for name in names:
        file, limit = found[name], _limit(name)
        if file is None:
            raise _not_understood(repo_id, f"neither size nor checksum of {name}")
        if file.size > limit:
            raise HubError(f"{repo_id}: {name} has {file.size:,} bytes, expected at most {limit:,}. Take another one.")
        files.append(file)
    total = sum(file.size for file in files)
    if total > MAX_WEIGHTS_BYTES:
        raise HubError(f"{repo_id} has {total:,} bytes, expected at most {MAX_WEIGHTS_BYTES:,}. Take a smaller one.")
    return tuple(sorted(files, key=lambda file: file.size))


def _limit(name: str) -> int:
    """Bytes that a file may have: what the readers accept."""
    if name == "config.json" or name in _SHARDS:
        return MAX_CONFIG_BYTES if name == "config.json" else MAX_HEADER_BYTES
    return MAX_TOKENIZER_BYTES if name in _TOKENIZER_FILES else MAX_WEIGHTS_BYTES


def _licence(about: dict[str, Any]) -> str:
    card, tags = about.get("cardData"), about.get("tags")
    told = card.get("license") if isinstance(card, dict) else None
    if isinstance(told, list):
        told = ", ".join(map(str, told))
    if not told and isinstance(tags, list):
        told = next((tag.removeprefix("license:") for tag in map(str, tags) if tag.startswith("license:")), None)
    return str(told)[:100] if told else "unknown"


def _refuse_gated(repo_id: str, about: dict[str, Any]) -> None:
    if about.get("gated") and _token() is None:
        raise _gated(repo_id, None)


def _refuse_family(repo_id: str, model_type: object) -> None:
    """Refuse what is surely of another family, before gigabytes of it are fetched."""
    known = dict.fromkeys(family.config.model_type for family in FAMILIES.values())
    if isinstance(model_type, str) and model_type not in (*known, *FAMILIES):
        raise HubError(
            f"{repo_id} is a {model_type[:50]!r} model. Known here: {', '.join(FAMILIES)}. Take one of those."
        )


def _seems_here(storage: Path, commit: str, file: PlannedFile) -> bool:
    """Whether a file of the right size is in the cache; `download` looks into it."""
    return any(_has_size(path, file.size) for path in _places(storage, commit, file))


def _places(storage: Path, commit: str, file: PlannedFile) -> tuple[Path, Path]:
    """Where a file is in the cache: under its checksum, and under its name (there alone, where links are unknown)."""
    return storage / "blobs" / file.etag, storage / "snapshots" / commit / file.name


def _has_size(path: Path, size: int) -> bool:
    try:
        about = path.stat()
    except OSError:
        return False
    return stat.S_ISREG(about.st_mode) and about.st_size == size


def _room(repo_id: str, needed: int) -> int:
    """Free bytes of the disk that the cache is on; HubError if a download does not fit."""
    folder = cache_folder()
    there = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(there).free
    if needed and needed + SPARE_BYTES > free:
        raise HubError(
            f"{repo_id} needs {_mb(needed)} on the disk, and {_mb(free)} are free at {folder}. Make room there, or let "
            f"HF_HUB_CACHE name a folder on another disk."
        )
    return free


def _mb(size: int) -> str:
    return f"{math.ceil(size / 1e6):,} MB"


# -- the download ------------------------------------------------------------------------------------------------------


def download(
    plan: DownloadPlan,
    *,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Path:
    """Get the files of a plan; the folder that holds them, in the cache. What is there already is not fetched again.

    progress(bytes so far, bytes in all) and cancelled() are called about ten times a second, in the caller's thread;
    after cancelled() has said yes, CancelledError comes within a second, even while the hub says nothing. One download
    of a repository at a time: a second one waits for the first, and then finds its files. Raises HubError.
    """
    storage, watch = _storage(plan.repo_id), _Watch(plan, progress, cancelled)
    with _in_words(plan.repo_id, READ_S):
        sweep()
        with _locked(_lock_path(storage, "bortlab"), watch):
            _room(plan.repo_id, sum(f.size for f in plan.files if not _seems_here(storage, plan.revision, f)))
            (storage / "blobs").mkdir(parents=True, exist_ok=True)
            nameless = []  # files that are here under their checksum alone
            for file in plan.files:
                blob, pointer = _places(storage, plan.revision, file)
                if not _is_whole(pointer, file, watch):
                    with _locked(_lock_path(storage, file.etag), watch):
                        if not _is_whole(blob, file, watch):
                            _fetch(plan, file, blob, watch)
                    nameless.append(file)
                watch.add(file.size)
            return _publish(plan, storage, nameless)


@dataclass(slots=True)
class _Watch:
    """Between a download and who asked for it."""

    plan: DownloadPlan
    progress: Callable[[int, int], None] | None
    cancelled: Callable[[], bool] | None
    done: int = 0

    def tick(self, part: int = 0) -> None:
        """Say how far it is, `part` bytes into the file at hand; CancelledError if nobody wants it any more."""
        if self.cancelled is not None and self.cancelled():
            raise CancelledError(f"The download of {self.plan.repo_id} was cancelled.")
        if self.progress is not None:
            self.progress(self.done + part, self.plan.total_bytes)

    def add(self, size: int) -> None:
        """A file is here."""
        self.done += size
        self.tick()


@contextmanager
def _locked(path: Path, watch: _Watch) -> Iterator[None]:
    """Hold a lock of huggingface_hub's kind; waiting for it can be cancelled."""
    from filelock import Timeout
    from huggingface_hub.utils import WeakFileLock  # type: ignore[attr-defined]

    path.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        while True:
            watch.tick()
            with suppress(Timeout):
                stack.enter_context(WeakFileLock(path, timeout=POLL_S))
                break
        yield


def _hasher(file: PlannedFile) -> Any:
    """The checksum that a file's etag is: of its content, or of git's blob of it."""
    if len(file.etag) == 64:
        return hashlib.sha256()
    return hashlib.sha1(b"blob %d\0" % file.size, usedforsecurity=False)


def _is_whole(path: Path, file: PlannedFile, watch: _Watch) -> bool:
    """Whether a file in the cache is what its name says, byte by byte."""
    if not _has_size(path, file.size):
        return False
    digest, part = _hasher(file), 0
    with path.open("rb") as content:
        while chunk := content.read(1 << 20):
            digest.update(chunk)
            watch.tick(part := part + len(chunk))
    return str(digest.hexdigest()) == file.etag


@dataclass(slots=True, eq=False)
class _Transfer:
    """A file on its way, in a thread of its own that writes nothing but its temporary file.

    So the caller may leave at any time, for whatever reason: the thread finds `stop` set and takes the file away.
    """

    file: PlannedFile
    address: str
    temporary: Path
    received: int = 0
    digest: Any = None
    error: Exception | None = None
    stop: threading.Event = field(default_factory=threading.Event)
    landed: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Fetch the file; where a connection is cut, go on from there."""
        try:
            with self.temporary.open("xb", buffering=0) as content:
                for attempt in range(RETRIES + 1):
                    before = self.received
                    try:
                        self._receive(content)
                        break
                    except _transport_error():
                        if attempt == RETRIES or self.received <= before or self.stop.wait(POLL_S):
                            raise
                os.fsync(content.fileno())
        except Exception as error:
            self.error = error
        finally:
            self.landed.set()  # before the look at `stop`: then one of the two, this or _fetch, removes the file
            if self.error is not None or self.stop.is_set():
                with suppress(OSError):
                    self.temporary.unlink()

    def _receive(self, content: Any) -> None:
        """One request, for what is missing."""
        headers = _headers() | {"Accept-Encoding": "identity"}
        if self.received:
            headers["Range"] = f"bytes={self.received}-"
        with _session().stream("GET", self.address, headers=headers, timeout=READ_S) as response:
            _refuse_status(response, self.address.removeprefix(endpoint()).split("/resolve/")[0][1:], self.file.name)
            goes_on = response.status_code == 206 and response.headers.get("content-range", "").startswith(
                f"bytes {self.received}-"
            )
            if not (self.received and goes_on):
                content.seek(0)
                content.truncate()
                self.received, self.digest = 0, _hasher(self.file)
            for part in response.iter_bytes():
                if self.stop.is_set():
                    return
                if self.received + len(part) > self.file.size:
                    raise HubError(self._wrong(f"more than {self.file.size:,} bytes"))
                view = memoryview(part)
                while view:
                    view = view[content.write(view) :]
                self.digest.update(part)
                self.received += len(part)
        if self.received != self.file.size:
            raise HubError(self._wrong(f"{self.received:,} bytes"))

    def check(self) -> None:
        """HubError unless what came is what the plan promised."""
        if self.digest.hexdigest() != self.file.etag:
            raise HubError(self._wrong("other content than its checksum says"))

    def _wrong(self, got: str) -> str:
        return (
            f"{self.file.name} came with {got}, expected {self.file.size:,} bytes with checksum {self.file.etag[:12]}. "
            f"Nothing was kept. Try again; if it stays so, a proxy or the mirror in HF_ENDPOINT changes files."
        )


def _fetch(plan: DownloadPlan, file: PlannedFile, blob: Path, watch: _Watch) -> None:
    """Bring one file to the cache, under its checksum."""
    transfer = _Transfer(
        file,
        address=f"{endpoint()}/{plan.repo_id}/resolve/{plan.revision}/{quote(file.name)}",
        temporary=blob.with_name(f"{file.etag}.{uuid.uuid4().hex[:8]}.incomplete"),  # as huggingface_hub names them
    )
    threading.Thread(target=transfer.run, name=f"download {file.name}", daemon=True).start()
    try:
        while not transfer.landed.wait(POLL_S):
            watch.tick(transfer.received)
        if transfer.error is not None:
            raise transfer.error
        transfer.check()
        os.replace(transfer.temporary, blob)
    finally:
        transfer.stop.set()
        if transfer.landed.is_set():
            transfer.temporary.unlink(missing_ok=True)


def _publish(plan: DownloadPlan, storage: Path, nameless: list[PlannedFile]) -> Path:
    """Give files their names in the snapshot, the weights last, and note which commit the revision is."""
    snapshot = storage / "snapshots" / plan.revision
    snapshot.mkdir(parents=True, exist_ok=True)
    names = _needed({file.name for file in plan.files})
    for file in sorted(nameless, key=lambda file: names.index(file.name)):
        blob, pointer = _places(storage, plan.revision, file)
        beside = pointer.with_name(f".{uuid.uuid4().hex}")
        try:
            beside.symlink_to(Path("..", "..", "blobs", file.etag))
        except OSError:  # links are unknown here, or forbidden: the file itself, as huggingface_hub does it
            if sum(other.etag == file.etag for other in nameless) == 1:
                beside = blob
            else:
                shutil.copyfile(blob, beside)
        os.replace(beside, pointer)
    if plan.requested != plan.revision:
        reference = storage / "refs" / plan.requested
        reference.parent.mkdir(parents=True, exist_ok=True)
        beside = reference.with_name(f".{uuid.uuid4().hex}")
        beside.write_text(plan.revision, encoding="ascii")
        os.replace(beside, reference)
    return snapshot


def sweep(older_than_s: float = ORPHAN_S) -> int:
    """Remove unfinished files of downloads that were killed, in the whole cache; how many there were.

    Those that somebody holds the lock of are left alone.
    """
    from filelock import Timeout
    from huggingface_hub.utils import WeakFileLock  # type: ignore[attr-defined]

    removed, now = 0, time.time()
    for path in cache_folder().glob("models--*/blobs/*.incomplete"):
        with suppress(OSError, Timeout):
            about = path.lstat()
            if not stat.S_ISREG(about.st_mode) or now - about.st_mtime < older_than_s:
                continue
            lock = _lock_path(path.parent.parent, path.name.split(".")[0])
            lock.parent.mkdir(parents=True, exist_ok=True)
            with WeakFileLock(lock, timeout=POLL_S / 2):
                path.unlink()
            removed += 1
    return removed


# -- talking to the hub ------------------------------------------------------------------------------------------------


def _session() -> httpx2.Client:
    """huggingface_hub's client. HubError where the network is switched off."""
    from huggingface_hub import constants
    from huggingface_hub.utils import get_session  # type: ignore[attr-defined]

    variables = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
    off = next((name for name in variables if os.environ.get(name, "").upper() in _TRUE), None)
    if off is not None or constants.HF_HUB_OFFLINE:
        raise HubError(f"{off or variables[0]} is set, so nothing is downloaded. Unset it and start anew to allow it.")
    return get_session()


def _headers() -> dict[str, str]:
    token = _token()
    return {"User-Agent": "bortlab"} | ({"Authorization": f"Bearer {token}"} if token else {})


def _token() -> str | None:
    return os.environ.get(TOKEN_VARIABLE, "").strip() or None


def _transport_error() -> type[Exception]:
    """What the client raises when a connection fails: none, too slow, or cut."""
    import httpx2

    return httpx2.TransportError


@contextmanager
def _in_words(repo_id: str, patience: float) -> Iterator[None]:
    """Turn what the client and the disk raise into HubError. patience: seconds that the client waited."""
    import httpx2

    try:
        yield
    except HubError:
        raise
    except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.ProxyError) as error:
        raise HubError(
            f"No connection to {endpoint()} ({_brief(error)}). {repo_id} was not downloaded. Check the network, the "
            f"proxy and HF_ENDPOINT; what is on this machine works without."
        ) from error
    except httpx2.TimeoutException as error:
        raise HubError(
            f"{endpoint()} said nothing for {patience:g} seconds while {repo_id} was asked for. Try again later."
        ) from error
    except httpx2.TransportError as error:
        raise HubError(
            f"The connection to {endpoint()} was cut ({_brief(error)}) before {repo_id} was here. Nothing unfinished "
            f"was kept. Try again."
        ) from error
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise _not_understood(repo_id, _brief(error)) from error
    except OSError as error:
        raise HubError(
            f"Cannot write to the cache at {cache_folder()}: {error.strerror or _brief(error)}. {repo_id} was not "
            f"downloaded. Make room, or let HF_HUB_CACHE name a folder that can be written to."
        ) from error


def _brief(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:200]


def _not_understood(repo_id: str, got: str) -> HubError:
    return HubError(
        f"The answer of {endpoint()} about {repo_id} is not the hub's: {got}. Is a login page or a mirror between? "
        f"Check HF_ENDPOINT and the network."
    )


def _gated(repo_id: str, status: int | None) -> HubError:
    return HubError(
        f"{repo_id} is gated: its owner asks for consent first. Agree on {endpoint()}/{repo_id}, then start with "
        f"{TOKEN_VARIABLE} set to a token of yours (no other token is ever sent).",
        status=status,
    )


def _refuse_status(response: httpx2.Response, repo_id: str, what: str) -> None:
    """HubError for an answer that is none: the cause, by the hub's own headers, and what to do."""
    status, code = response.status_code, response.headers.get("X-Error-Code", "")
    if status in (200, 206):
        return
    if code == "GatedRepo":
        raise _gated(repo_id, status)
    wait = _retry_after(response.headers.get("Retry-After"), response.headers.get("RateLimit", ""))
    if code == "RevisionNotFound":
        said = f"{repo_id} has no {what}. Leave the revision out, or look at {endpoint()}/{repo_id}/commits."
    elif code == "EntryNotFound":
        said = f"{repo_id} has no file {what} any more. Make a new plan, and try again."
    elif status == 404 or (status == 401 and _token() is None):
        said = (
            f"There is no repository {repo_id} at {endpoint()}, or it is private (status {status}). Check the name; "
            f"for a private one set {TOKEN_VARIABLE}."
        )
    elif status in (401, 403):
        said = (
            f"{endpoint()} does not let us read {repo_id} (status {status}). Ask its owner for access, and check the "
            f"token in {TOKEN_VARIABLE}."
        )
    elif status == 429:
        said = f"Too many requests to {endpoint()}. Try again {f'in {wait} seconds' if wait else 'in some minutes'}."
    elif status >= 500:
        said = f"{endpoint()} has trouble of its own (status {status}) with {repo_id}, {what}. Try again later."
    else:
        raise _not_understood(repo_id, f"status {status} for {what}")
    raise HubError(said, status=status, retry_after=wait)


def _retry_after(told: str | None, rate: str = "") -> int | None:
    """Seconds to wait, from a number or a date; or from the hub's own header, which says `"api";r=0;t=55`."""
    if told is None:
        none_left = re.search(r"\br=0\s*;\s*t=(\d{1,9})\b", rate, re.ASCII)
        return int(none_left[1]) if none_left else None
    if re.fullmatch(r"\s*\d{1,9}\s*", told, re.ASCII):
        return int(told)
    try:
        return max(0, math.ceil(parsedate_to_datetime(told).timestamp() - time.time()))
    except (ValueError, OverflowError):
        return None
