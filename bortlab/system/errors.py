"""Errors that several rooms raise."""

from __future__ import annotations


class BusyError(RuntimeError):
    """Too much to do. The message is for the visitor; `waiting` is the number of requests in the queue."""

    def __init__(self, message: str, waiting: int = 0) -> None:
        super().__init__(message)
        self.waiting = waiting
