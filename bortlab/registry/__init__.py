"""Every model that can be loaded, and a shared, byte-bounded cache of those that are.

`load` finds weights by key or by Hugging Face repository, `load_from` in a folder, `checkpoints` lists the keys. All
three may be called from any number of threads: equal requests load once, a model is published only when it is whole and
has been tried out, and the memory of all cached models stays under a bound. What is evicted lives on for those who hold
it: Python's references see to it.
"""

from bortlab.registry.adapted import ADAPTED, adapted_card, adapted_folder, adapted_keys, is_adapted, remove_adapted
from bortlab.registry.building import TooLargeError, blueprint_of, build, own_task, own_task_from
from bortlab.registry.cache import Registry, Resident
from bortlab.registry.catalogue import UnknownModelError, architecture, checkpoints, find, is_repository, title
from bortlab.registry.loading import REGISTRY, in_use, lease, lease_from, load, load_from, loaded, unload
from bortlab.registry.options import Options, Weights
from bortlab.registry.request import NeedsNetworkError, Request

__all__ = [
    "ADAPTED",
    "REGISTRY",
    "NeedsNetworkError",
    "Options",
    "Registry",
    "Request",
    "Resident",
    "TooLargeError",
    "UnknownModelError",
    "Weights",
    "adapted_card",
    "adapted_folder",
    "adapted_keys",
    "architecture",
    "blueprint_of",
    "build",
    "checkpoints",
    "find",
    "in_use",
    "is_adapted",
    "is_repository",
    "lease",
    "lease_from",
    "load",
    "load_from",
    "loaded",
    "own_task",
    "own_task_from",
    "remove_adapted",
    "title",
    "unload",
]
