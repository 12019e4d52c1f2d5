"""Talking to the hub."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from bortlab.hub.errors import HubError
from bortlab.hub.names import endpoint
from bortlab.system import settings
from bortlab.system.settings import hub_cache_folder

if TYPE_CHECKING:
    import httpx2

ASK_S = 5.0
"""Seconds that the hub may take to connect, and between two parts of its answer to `plan`."""
READ_S = 10.0
"""Seconds between two parts of a file."""


def open_session() -> httpx2.Client:
    """huggingface_hub's client. HubError where the network is switched off."""
    from huggingface_hub import constants
    from huggingface_hub.utils import get_session  # type: ignore[attr-defined]

    off = settings.offline_by() or (settings.OFFLINE if constants.HF_HUB_OFFLINE else None)
    if off is not None:
        raise HubError(f"{off.name} is set, so nothing is downloaded. Unset it and restart to allow downloads.")
    return get_session()


def request_headers() -> dict[str, str]:
    token = own_token()
    return {"User-Agent": "bortlab"} | ({"Authorization": f"Bearer {token}"} if token else {})


def own_token() -> str | None:
    return settings.TOKEN.read()


def transport_error() -> type[Exception]:
    """What the client raises when a connection fails: none, too slow, or cut."""
    import httpx2

    return httpx2.TransportError


@contextmanager
def in_words(repo_id: str, patience: float) -> Iterator[None]:
    """Turn what the client and the disk raise into HubError. patience: seconds that the client waited."""
    import httpx2

    try:
        yield
    except HubError:
        raise
    except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.ProxyError) as error:
        raise HubError(
            f"No connection to {endpoint()} ({brief(error)}). {repo_id} was not downloaded. Check the network, the "
            f"proxy and HF_ENDPOINT; what is on this machine works without."
        ) from error
    except httpx2.TimeoutException as error:
        raise HubError(
            f"{endpoint()} did not respond for {patience:g} seconds about {repo_id}. Try again later."
        ) from error
    except httpx2.TransportError as error:
        raise HubError(
            f"The connection to {endpoint()} was cut ({brief(error)}) before {repo_id} was complete. No partial "
            f"file was kept. Try again."
        ) from error
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise not_understood(repo_id, brief(error)) from error
    except OSError as error:
        raise HubError(
            f"Cannot write to the cache at {hub_cache_folder()}: {error.strerror or brief(error)}. {repo_id} was not "
            f"downloaded. Make room, or let HF_HUB_CACHE name a folder that can be written to."
        ) from error


def brief(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:200]


def not_understood(repo_id: str, got: str) -> HubError:
    return HubError(
        f"The answer of {endpoint()} about {repo_id} is not the hub's: {got}. Is a login page or a mirror in between? "
        f"Check HF_ENDPOINT and the network."
    )


def gated(repo_id: str, status: int | None) -> HubError:
    return HubError(
        f"{repo_id} is gated: its owner asks for consent first. Agree on {endpoint()}/{repo_id}, then start with "
        f"{settings.TOKEN.name} set to a token of yours (no other token is ever sent).",
        status=status,
    )


def refuse_status(response: httpx2.Response, repo_id: str, what: str) -> None:
    """HubError for an answer that is none: the cause, by the hub's own headers, and what to do."""
    status, code = response.status_code, response.headers.get("X-Error-Code", "")
    if status in (200, 206):
        return
    if code == "GatedRepo":
        raise gated(repo_id, status)
    wait = _retry_after(response.headers.get("Retry-After"), response.headers.get("RateLimit", ""))
    if code == "RevisionNotFound":
        reason = f"{repo_id} has no {what}. Leave the revision out, or look at {endpoint()}/{repo_id}/commits."
    elif code == "EntryNotFound":
        reason = f"{repo_id} no longer has a file {what}. Look it up again, then download it."
    elif status == 404 or (status == 401 and own_token() is None):
        reason = (
            f"There is no repository {repo_id} at {endpoint()}, or it is private (status {status}). Check the name; "
            f"for a private one set {settings.TOKEN.name}."
        )
    elif status in (401, 403):
        reason = (
            f"{endpoint()} does not let us read {repo_id} (status {status}). Ask its owner for access, and check the "
            f"token in {settings.TOKEN.name}."
        )
    elif status == 429:
        reason = f"Too many requests to {endpoint()}. Try again {f'in {wait} seconds' if wait else 'in some minutes'}."
    elif status >= 500:
        reason = f"{endpoint()} has a server error (status {status}) for {repo_id}, {what}. Try again later."
    else:
        raise not_understood(repo_id, f"status {status} for {what}")
    raise HubError(reason, status=status, retry_after=wait)


def _retry_after(value: str | None, rate: str = "") -> int | None:
    """Seconds to wait, from a number or a date; or from the hub's own header, which says `"api";r=0;t=55`."""
    if value is None:
        none_left = re.search(r"\br=0\s*;\s*t=(\d{1,9})\b", rate, re.ASCII)
        return int(none_left[1]) if none_left else None
    if re.fullmatch(r"\s*\d{1,9}\s*", value, re.ASCII):
        return int(value)
    try:
        return max(0, math.ceil(parsedate_to_datetime(value).timestamp() - time.time()))
    except (ValueError, OverflowError):
        return None
