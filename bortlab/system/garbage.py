"""Python's search for cycles of unreachable objects, put off while much is made that stays."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.Lock()
_blocks = 0
_was_on = False


@contextmanager
def no_collection() -> Iterator[None]:
    """Search for no cycles in the block, in any thread; also a decorator.

    A hundred thousand new objects, such as the pieces of a vocabulary, make Python walk through all objects of torch,
    0.1 s on an AMD EPYC (Zen 5), and find nothing. What the block leaves behind is found later.
    """
    global _blocks, _was_on
    with _lock:
        if not _blocks:
            _was_on = gc.isenabled()
            gc.disable()
        _blocks += 1
    try:
        yield
    finally:
        with _lock:
            _blocks -= 1
            if not _blocks and _was_on:
                gc.enable()
