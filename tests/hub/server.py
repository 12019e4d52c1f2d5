"""A hub on 127.0.0.1 that serves folders, speaks the protocol of huggingface.co, and fails in the ways that it fails.

The protocol, as huggingface_hub 2.4.0 reads it: /api/models/ID[/revision/R]?blobs=true describes a repository, and
/api/models/ID/tree/R lists its files; /ID/resolve/R/FILE is a file, or, of a large one, a redirect to another place
(here: another port) that serves it by its SHA-256; errors carry X-Error-Code. Large is what has the ending of weights,
as .gitattributes says on the real hub.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

LARGE = (".safetensors", ".bin", ".model")


@dataclass
class Repository:
    """A served folder. commit: of what `revisions` name. about: more keys of its description."""

    folder: Path
    commit: str
    revisions: tuple[str, ...] = ("main",)
    about: dict[str, Any] = field(default_factory=dict)

    def file(self, name: str) -> bytes | None:
        path = self.folder / name
        return path.read_bytes() if path.is_file() and path.parent == self.folder else None

    def describe(self) -> list[dict[str, Any]]:
        siblings = []
        for path in sorted(self.folder.iterdir()):
            content = path.read_bytes()
            entry: dict[str, Any] = {"rfilename": path.name, "size": len(content), "blobId": git_sha1(content)}
            if path.suffix in LARGE:
                sha = hashlib.sha256(content).hexdigest()
                entry["lfs"] = {"sha256": sha, "size": len(content), "pointerSize": 134}
            siblings.append(entry)
        return siblings


@dataclass
class Fault:
    """What goes wrong, at addresses that match, `times` times.

    status and headers: an answer that is none. hang: seconds of silence before any answer. after: bytes of the body
    before `then`: "cut" closes the connection, "hang" says nothing for 30 seconds, "end" ends the body as if that were
    all. change: what becomes of the body. pace: seconds to wait after each 4,096 bytes.
    """

    path: str
    times: int = 10**9
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    hang: float = 0.0
    after: int | None = None
    then: str = "cut"
    change: Callable[[bytes], bytes] | None = None
    pace: float = 0.0


@dataclass
class Seen:
    """A request that came."""

    method: str
    path: str
    headers: dict[str, str]


class Server(ThreadingHTTPServer):
    """A thread for each connection, and no word about clients that go away."""

    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        pass


class FakeHub:
    """The hub, its repositories, its faults, and every request that it saw."""

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.moved: dict[str, str] = {}
        self.faults: list[Fault] = []
        self.seen: list[Seen] = []
        self.ranges = True
        self._over = threading.Event()
        self._servers = [Server(("127.0.0.1", 0), _handler(self)) for _ in range(2)]
        for server in self._servers:
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        self.endpoint, self.store = (f"http://127.0.0.1:{server.server_port}" for server in self._servers)

    def add(self, repo_id: str, folder: Path, **about: Any) -> Repository:
        """Serve a folder under a name. The commit is a checksum of what is in it."""
        digest = hashlib.sha1(repo_id.encode())
        for path in sorted(folder.iterdir()):
            digest.update(path.name.encode() + path.read_bytes())
        self.repositories[repo_id] = Repository(folder, digest.hexdigest(), about=about)
        return self.repositories[repo_id]

    def fail(self, path: str, **what: Any) -> None:
        """Let requests fail whose path contains the regular expression."""
        self.faults.append(Fault(path, **what))

    def paths(self) -> list[str]:
        return [seen.path for seen in self.seen]

    def wait(self, seconds: float) -> None:
        self._over.wait(seconds)

    def close(self) -> None:
        self._over.set()
        for server in self._servers:
            server.shutdown()
            server.server_close()


def git_sha1(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@contextmanager
def running() -> Iterator[FakeHub]:
    hub = FakeHub()
    try:
        yield hub
    finally:
        hub.close()


def _handler(hub: FakeHub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            path = unquote(urlsplit(self.path).path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            hub.seen.append(Seen(self.command, self.path, headers))
            fault = next((f for f in hub.faults if f.times > 0 and re.search(f.path, path)), None)
            if fault is not None:
                fault.times -= 1
                hub.wait(fault.hang)
                if fault.status:
                    return self.answer(fault.status, b'{"error": "fault"}', fault.headers)
            with suppress(BrokenPipeError, ConnectionResetError):
                self.route(path, fault)

        def route(self, path: str, fault: Fault | None) -> None:
            if found := re.fullmatch(r"/api/models/([^/]+/[^/]+|[^/]+)(?:/revision/(.+))?", path):
                return self.describe(found[1], found[2] or "main", fault)
            if found := re.fullmatch(r"/api/models/((?:[^/]+/)?[^/]+)/tree/([0-9a-f]{40})", path):
                return self.tree(found[1], found[2], fault)
            if found := re.fullmatch(r"/((?:[^/]+/)?[^/]+)/resolve/([^/]+)/([^/]+)", path):
                return self.resolve(found[1], found[2], found[3], fault)
            if found := re.fullmatch(r"/store/[^/]+/([0-9a-f]{64})", path):
                for repository in hub.repositories.values():
                    for file in repository.folder.iterdir():
                        if hashlib.sha256(file.read_bytes()).hexdigest() == found[1]:
                            return self.body(file.read_bytes(), {}, fault)
            return self.answer(404, b"{}")

        def find(self, repo_id: str, revision: str) -> Repository | None:
            """A repository that has a revision; None, and the answer is given, otherwise."""
            if repo_id in hub.moved:
                self.answer(307, b"", {"Location": self.path.replace(repo_id, hub.moved[repo_id])})
            elif repo_id not in hub.repositories:
                self.answer(401, b'{"error": "Repository not found"}', {"X-Error-Code": "RepoNotFound"})
            elif revision not in ((found := hub.repositories[repo_id]).commit, *found.revisions):
                self.answer(404, b'{"error": "Invalid rev id"}', {"X-Error-Code": "RevisionNotFound"})
            else:
                return found
            return None

        def describe(self, repo_id: str, revision: str, fault: Fault | None) -> None:
            if (found := self.find(repo_id, revision)) is None:
                return
            with_blobs = "blobs=true" in self.path.lower()
            siblings = found.describe()
            if not with_blobs:
                siblings = [{"rfilename": entry["rfilename"]} for entry in siblings]
            told = found.file("config.json") or b"{}"
            about = {
                "id": repo_id,
                "modelId": repo_id,
                "sha": found.commit,
                "private": False,
                "gated": False,
                "tags": [],
                "siblings": siblings,
                "config": {"model_type": json.loads(told).get("model_type")},
                **found.about,
            }
            self.body(json.dumps(about).encode(), {"Content-Type": "application/json"}, fault)

        def tree(self, repo_id: str, revision: str, fault: Fault | None) -> None:
            if (found := self.find(repo_id, revision)) is None:
                return
            files = []
            for entry in found.describe():
                file = {"type": "file", "path": entry["rfilename"], "size": entry["size"], "oid": entry["blobId"]}
                if large := entry.get("lfs"):
                    file["lfs"] = {"oid": large["sha256"], "size": large["size"], "pointerSize": 134}
                files.append(file)
            self.body(json.dumps(files).encode(), {"Content-Type": "application/json"}, fault)

        def resolve(self, repo_id: str, revision: str, name: str, fault: Fault | None) -> None:
            if (found := self.find(repo_id, revision)) is None:
                return None
            if (content := found.file(name)) is None:
                return self.answer(404, b"{}", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": found.commit})
            about = {"X-Repo-Commit": found.commit, "ETag": f'"{git_sha1(content)}"'}
            if Path(name).suffix not in LARGE:
                return self.body(content, about, fault)
            sha = hashlib.sha256(content).hexdigest()
            about |= {"X-Linked-ETag": f'"{sha}"', "X-Linked-Size": str(len(content)), "Location": ""}
            return self.answer(302, b"", about | {"Location": f"{hub.store}/store/{name}/{sha}"})

        def body(self, content: bytes, headers: dict[str, str], fault: Fault | None) -> None:
            status = 200
            if hub.ranges and (asked := re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))):
                start, size = int(asked[1]), len(content)
                headers = headers | {"Content-Range": f"bytes {start}-{size - 1}/{size}"}
                status, content = 206, content[start:]
            if fault is not None and fault.change is not None:
                content = fault.change(content)
            if fault is None or (fault.after is None and not fault.pace):
                return self.answer(status, content, headers)
            part = content if fault.after is None else content[: fault.after]
            length = len(part) if fault.then == "end" else len(content)
            self.answer(status, part, headers, length, fault.pace)
            if fault.after is not None:
                hub.wait(30.0 if fault.then == "hang" else 0.0)
                self.close_connection = True
            return None

        def answer(
            self,
            status: int,
            content: bytes,
            headers: dict[str, str] | None = None,
            length: int | None = None,
            pace: float = 0.0,
        ) -> None:
            with suppress(BrokenPipeError, ConnectionResetError):
                self.send_response(status)
                for name, value in (headers or {}).items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content) if length is None else length))
                self.end_headers()
                if self.command == "HEAD":
                    return
                step = 4096 if pace else max(1, len(content))
                for start in range(0, len(content), step):
                    self.wfile.write(content[start : start + step])
                    self.wfile.flush()
                    hub.wait(pace)

    return Handler


if __name__ == "__main__":  # a hub to look at: python -m tests.hub.server owner/name FOLDER
    import sys

    with running() as served:
        served.add(sys.argv[1], Path(sys.argv[2]))
        print(f"HF_ENDPOINT={served.endpoint}", flush=True)
        time.sleep(3600)
