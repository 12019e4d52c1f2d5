"""The files of a repository at a commit: from GitHub's archives, a mirror of them, or a folder of checkouts."""

from __future__ import annotations

import gzip
import tarfile
import urllib.request
import zlib
from collections.abc import Iterator
from pathlib import Path

from bortlab.data.everyday import Repository

GITHUB = "https://codeload.github.com"
LARGEST_FILE = 200 * 1024**2
"""Bytes of a file that is read; what is larger is no text."""
TIMEOUT_S = 60


class FetchError(OSError):
    """A repository cannot be read."""


def files_of(repository: Repository, origin: str, suffix: str) -> list[tuple[str, str]]:
    """(path, text) of the files of a repository that hold its text, by path.

    origin: an address that serves OWNER/NAME/tar.gz/COMMIT, as GITHUB does, or a folder that holds OWNER/NAME.
    FetchError where it cannot be had.
    """
    prefix = f"{repository.folder}/" if repository.folder else ""

    def holds_text(path: str) -> bool:
        return path.startswith(prefix) and path.endswith(suffix)

    if "://" not in origin:
        return sorted(_of_folder(Path(origin) / repository.repository, prefix, suffix))
    address = f"{origin.rstrip('/')}/{repository.repository}/tar.gz/{repository.commit}"
    files = []
    try:
        with (
            urllib.request.urlopen(address, timeout=TIMEOUT_S) as response,
            gzip.open(response) as stream,  # not "r|gz", which takes a download that broke off for a whole one
            tarfile.open(fileobj=stream, mode="r|") as archive,
        ):
            for member in archive:
                path = member.name.partition("/")[2]  # the first folder is the archive's own
                if member.isfile() and member.size <= LARGEST_FILE and holds_text(path):
                    content = archive.extractfile(member)
                    assert content is not None
                    files.append((path, _decoded(content.read())))
    except (OSError, tarfile.TarError, EOFError, zlib.error) as error:
        raise FetchError(f"{address} cannot be read ({error}). The same command goes on where it stopped.") from error
    return sorted(files)


def _of_folder(folder: Path, prefix: str, suffix: str) -> Iterator[tuple[str, str]]:
    """The files of a checkout."""
    if not folder.is_dir():
        raise FetchError(f"{folder} is missing. Expected a checkout of the repository there.")
    for path in (folder / prefix).rglob(f"*{suffix}"):
        if path.is_file() and not path.is_symlink():
            yield path.relative_to(folder).as_posix(), _decoded(path.read_bytes())


def _decoded(content: bytes) -> str:
    """UTF-8, or Windows-1252, as older texts are."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")
