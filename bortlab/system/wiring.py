"""What a lower room needs of a higher one. The package itself, which knows all rooms, fills it in when it is imported.

`Model.on` opens an engine, and engines are built on models: neither may import the other. So the model calls what
stands here, and `bortlab/__init__.py` says what that is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def _not_wired(*_: Any) -> Any:
    raise RuntimeError("bortlab was not imported as a package: its rooms are not joined. Use `import bortlab`.")


open_engine: Callable[[Any, str, int | None], Any] = _not_wired
"""(model, name of an engine, threads) -> the engine; see `bortlab.runtimes.engines.open_engine`."""
