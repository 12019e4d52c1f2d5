"""A lab for three ideas that made BERT smaller: ALBERT, ConvBERT and Bort, with BERT beside them.

>>> import bortlab
>>> model = bortlab.load("albert-mini")  # bundled: works with no network
>>> filled = model.fill_mask("Paris is the [MASK] of France.", top_k=3)
>>> print(filled)  # doctest: +ELLIPSIS
Paris is the [MASK] of France.
...
>>> trace = model.trace("Paris is the [MASK] of France.")
>>> trace.attention.ndim  # (layers, heads, query, key)
4

`bortlab.checkpoints()` lists what can be loaded; `bortlab.load_from` reads a folder of your own.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from bortlab.system import wiring

if TYPE_CHECKING:
    from bortlab import search
    from bortlab.model import Model, Trace
    from bortlab.models import FAMILIES
    from bortlab.registry import checkpoints, load, load_from
    from bortlab.training.adapt import adapt
    from bortlab.training.agora import agora
    from bortlab.training.finetune import finetune

__version__ = "0.2.0"
__all__ = [
    "FAMILIES",
    "Model",
    "Trace",
    "__version__",
    "adapt",
    "agora",
    "checkpoints",
    "finetune",
    "load",
    "load_from",
    "search",
]

_HOME = {
    "Model": "model",
    "Trace": "model",
    "FAMILIES": "models",
    "adapt": "training.adapt",
    "agora": "training.agora",
    "finetune": "training.finetune",
}
"""Where a name is from; the others are the registry's."""


def __getattr__(name: str) -> object:
    """Import torch only when something of it is asked for: `bortlab lab` has to set OMP_WAIT_POLICY first."""
    if name not in __all__:
        raise AttributeError(f"module 'bortlab' has no attribute {name!r}")
    if name == "search":  # a room that may be called
        return import_module("bortlab.search")
    return getattr(import_module(f"bortlab.{_HOME.get(name, 'registry')}"), name)


def _open_engine(model: Any, name: str, threads: int | None) -> Any:
    """What `Model.on` calls."""
    from bortlab.runtimes.engines import open_engine

    return open_engine(model, name, threads)


wiring.open_engine = _open_engine
