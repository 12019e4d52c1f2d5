"""Names of repositories, revisions and files, checked before anything is asked."""

from __future__ import annotations

import re

from bortlab.hub.errors import HubError, RepositoryNameError
from bortlab.system import settings

ENDPOINT = "https://huggingface.co"
"""The hub, unless HF_ENDPOINT names another one."""
COMMIT = re.compile(r"[0-9a-f]{40}")
ETAG = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")  # of git's blob, or of the content
REVISION = re.compile(r"\w[\w.-]*(/\w[\w.-]*)*", re.ASCII)


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
    name = str(revision)  # it may come from a link, as anything
    if len(name) > 200 or ".." in name or name.endswith(".lock") or not REVISION.fullmatch(name):
        raise RepositoryNameError(
            f"{name[:200]!r} is not the name of a revision. Expected a branch, a tag or a commit such as 'main'."
        )


def endpoint() -> str:
    """Address of the hub, as the settings have it now."""
    address = (settings.ENDPOINT.read() or ENDPOINT).rstrip("/")
    if not re.match(r"https?://[^/\s]", address):
        raise HubError(
            f"{settings.ENDPOINT.name} is {address!r}. Expected an address such as {ENDPOINT}; correct it, or unset it."
        )
    return address
