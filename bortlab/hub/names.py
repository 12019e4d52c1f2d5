"""Names of repositories, revisions and files, checked before anything is asked."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass
from bortlab.hub.errors import HubError, RepositoryNameError

ENDPOINT = "https://huggingface.co"
"""The hub, unless HF_ENDPOINT names another one."""
TOKEN_VARIABLE = "BORTLAB_HF_TOKEN"
"""The one place a token is taken from. One that is lying about, HF_TOKEN or a login, is never sent."""
COMMIT = re.compile(r"[0-9a-f]{40}")
ETAG = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")  # of git's blob, or of the content
REVISION = re.compile(r"\w[\w.-]*(/\w[\w.-]*)*", re.ASCII)
_TRUE = ("1", "ON", "YES", "TRUE")


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
    if len(told) > 200 or ".." in told or told.endswith(".lock") or not REVISION.fullmatch(told):
        raise RepositoryNameError(
            f"{told[:200]!r} is not the name of a revision. Expected a branch, a tag or a commit such as 'main'."
        )


def endpoint() -> str:
    """Address of the hub: HF_ENDPOINT, read now."""
    found = (os.environ.get("HF_ENDPOINT") or ENDPOINT).rstrip("/")
    if not re.match(r"https?://[^/\s]", found):
        raise HubError(f"HF_ENDPOINT is {found!r}. Expected an address such as {ENDPOINT}; correct it, or unset it.")
    return found
