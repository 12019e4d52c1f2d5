"""What can go wrong between here and the hub, in sentences."""

from __future__ import annotations


class HubError(RuntimeError):
    """Why the hub gave no checkpoint, in a sentence; status and retry_after (seconds) where it gave them."""

    def __init__(self, message: str, *, status: int | None = None, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status, self.retry_after = status, retry_after


class RepositoryNameError(HubError, ValueError):
    """A text that is no name of a repository, or of a revision."""


class CancelledError(HubError):
    """A download that was stopped because `cancelled` said so."""
