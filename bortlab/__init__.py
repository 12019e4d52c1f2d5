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

from bortlab.model import Model
from bortlab.models import FAMILIES
from bortlab.registry import checkpoints, load, load_from
from bortlab.trace import Trace

__version__ = "0.1.0"
__all__ = ["FAMILIES", "Model", "Trace", "__version__", "checkpoints", "load", "load_from"]
