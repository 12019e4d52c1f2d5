"""Downloads that are checked, can be cancelled, and resume where they were cut."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bortlab.hub.cache import lock_path, needed_files, storage_of
from bortlab.hub.client import READ_S, in_words, open_session, refuse_status, request_headers, transport_error
from bortlab.hub.errors import CancelledError, HubError
from bortlab.hub.names import endpoint
from bortlab.hub.planning import DownloadPlan, PlannedFile, _seems_here, check_room, has_size, places_of
from bortlab.system.settings import hub_cache_folder
from bortlab.system.store import write

RETRIES = 5
"""How often a cut connection is taken up again within one file; each try must have brought something."""
POLL_S = 0.1


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
    storage, watch = storage_of(plan.repo_id), _Watch(plan, progress, cancelled)
    with in_words(plan.repo_id, READ_S):
        sweep()
        with _locked(lock_path(storage, "bortlab"), watch):
            check_room(plan.repo_id, sum(f.size for f in plan.files if not _seems_here(storage, plan.revision, f)))
            (storage / "blobs").mkdir(parents=True, exist_ok=True)
            nameless = []  # files that are here under their checksum alone
            for file in plan.files:
                blob, pointer = places_of(storage, plan.revision, file)
                if not _is_whole(pointer, file, watch):
                    with _locked(lock_path(storage, file.etag), watch):
                        if not _is_whole(blob, file, watch):
                            _fetch(plan, file, blob, watch)
                    nameless.append(file)
                watch.add(file.size)
            return _publish(plan, storage, nameless)


@dataclass(slots=True)
class _Watch:
    """Between a download and its caller."""

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
    if not has_size(path, file.size):
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
        """Fetch the file; where a connection is cut, resume from there."""
        try:
            with self.temporary.open("xb", buffering=0) as content:
                for attempt in range(RETRIES + 1):
                    before = self.received
                    try:
                        self._receive(content)
                        break
                    except transport_error():
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
        headers = request_headers() | {"Accept-Encoding": "identity"}
        if self.received:
            headers["Range"] = f"bytes={self.received}-"
        with open_session().stream("GET", self.address, headers=headers, timeout=READ_S) as response:
            refuse_status(response, self.address.removeprefix(endpoint()).split("/resolve/")[0][1:], self.file.name)
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
    names = needed_files({file.name for file in plan.files})
    for file in sorted(nameless, key=lambda file: names.index(file.name)):
        blob, pointer = places_of(storage, plan.revision, file)
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
        write(storage / "refs" / plan.requested, plan.revision.encode("ascii"), durable=False)
    return snapshot


ORPHAN_S = 86_400.0
"""Age at which an unfinished file, left by a program that was killed, is removed."""


def sweep(older_than_s: float = ORPHAN_S) -> int:
    """Remove unfinished files of downloads that were killed, in the whole cache; how many there were.

    Those that somebody holds the lock of are left alone.
    """
    from filelock import Timeout
    from huggingface_hub.utils import WeakFileLock  # type: ignore[attr-defined]

    removed, started = 0, time.time()
    for path in hub_cache_folder().glob("models--*/blobs/*.incomplete"):
        with suppress(OSError, Timeout):
            about = path.lstat()
            if not stat.S_ISREG(about.st_mode) or started - about.st_mtime < older_than_s:
                continue
            lock = lock_path(path.parent.parent, path.name.split(".")[0])
            lock.parent.mkdir(parents=True, exist_ok=True)
            with WeakFileLock(lock, timeout=POLL_S / 2):
                path.unlink()
            removed += 1
    return removed
