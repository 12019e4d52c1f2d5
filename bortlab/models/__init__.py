"""The model families. A new one is a file in this folder and a name in FAMILIES; everything else is derived."""

from bortlab.models import albert, bert, bort, convbert
from bortlab.models.config import DEFAULT_LABELS, HEADS, LIMITS, SPANS, TASKS, Config, ConfigError
from bortlab.models.family import Checkpoint, Family
from bortlab.models.network import Network

FAMILIES: dict[str, Family] = {
    family.name: family for family in (albert.FAMILY, convbert.FAMILY, bort.FAMILY, bert.FAMILY)
}
"""The families by name, in the order in which people meet them; BERT, the reference, comes last."""

__all__ = [
    "DEFAULT_LABELS",
    "FAMILIES",
    "HEADS",
    "LIMITS",
    "SPANS",
    "TASKS",
    "Checkpoint",
    "Config",
    "ConfigError",
    "Family",
    "Network",
]
