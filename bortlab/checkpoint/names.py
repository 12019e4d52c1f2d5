"""Our names of tensors, and the published ones."""

from __future__ import annotations

import functools
import re
from collections.abc import Collection, Iterable, Sequence

from bortlab.checkpoint.files import CheckpointError
from bortlab.models import Family, Network

BUFFERS = ("embeddings.position_ids", "embeddings.token_type_ids")
_LEGACY_SUFFIXES = {".gamma": ".weight", ".beta": ".bias"}
_KINDS = {
    "kernel": "weight",
    "embeddings": "weight",
    "embedding": "weight",
    "scale": "weight",
    "depthwise_kernel": "depthwise.weight",
    "pointwise_kernel": "pointwise.weight",
}
"""What Keras and Flax call the tensors of a layer, and torch's names for them."""


def published_name(family: Family, name: str) -> str:
    """Our tensor name -> the published one."""
    return _renamed(name, family.renames)


@functools.lru_cache(maxsize=4096)  # asked for each tensor of a model, several times a load
def _renamed(name: str, renames: tuple[tuple[str, str], ...]) -> str:
    for pattern, replacement in renames:
        name = re.sub(pattern, replacement, name)
    return name


def published_names(family: Family, network: Network) -> dict[str, str]:
    """Our name -> the published name, for each tensor of the network. No two share a published name.

    Heads of different tasks may: what "classifier.weight" is depends on the class that wrote it.
    """
    names = {ours: published_name(family, ours) for ours in network.state_dict()}
    if len(set(names.values())) != len(names):
        raise CheckpointError(f"The renames of {family.title} give one name to several tensors: mend the family.")
    return names


def canonical(family: Family, names: Iterable[str], known: Collection[str]) -> dict[str, str]:
    """Canonical published name -> name in the file, with prefix and today's suffixes if that makes it known."""
    canonical: dict[str, str] = {}
    for name in names:
        spelled = name
        for old, new in _LEGACY_SUFFIXES.items():
            spelled = spelled.removesuffix(old) + new if spelled.endswith(old) else spelled
        spelled = next((s for s in (spelled, family.prefix + spelled) if s in known), name)
        if spelled in canonical:
            raise CheckpointError(f"The file has {spelled} twice, as {canonical[spelled]} and as {name}.")
        canonical[spelled] = name
    return canonical


def scopes_in_tensorflow(path: str, layers: Collection[str]) -> tuple[str, ...]:
    """Where a dataset of tf_model.h5 stands in its network; layers: the file's outermost groups.

    "mlm___cls/tf_bert_for_masked_lm/mlm___cls/predictions/bias:0" -> ("cls", "predictions", "bias"). The first part is
    the layer that it was saved under, the second the model, which is absent where nothing called the model before it
    was saved; "_._" is an item of a list, and "___" renames a layer.
    """
    scopes = path.removesuffix(":0").split("/")[1:]
    if len(scopes) > 1 and scopes[0] not in layers:
        del scopes[0]
    return tuple(part.rpartition("___")[2] for part in "/".join(scopes).replace("_._", "/").split("/"))


def torch_name(scopes: Sequence[str]) -> str:
    """The published name of a tensor that Keras or Flax keeps at these scopes, its kind last."""
    return ".".join((*scopes[:-1], _KINDS.get(scopes[-1], scopes[-1])))
